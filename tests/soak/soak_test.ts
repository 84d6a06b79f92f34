/**
 * A short soak: what `deno task soak` does for longer. Too short to judge growth, but not loss, order or descriptors.
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { MAY_WATCH } from "../fuzz/server_process.ts";
import { seedFrom } from "../seeded.ts";
import { toHtml, toText } from "./report.ts";
import { soak } from "./run.ts";

Deno.test({
  name: "five seconds of everything: nothing is lost, and nothing is left",
  ignore: !MAY_WATCH,
  fn: async () => {
    const result = await soak({ seconds: 5, seed: seedFrom() });
    assertEquals(result.problems, [], toText(result));
    const { delivered, answers, visits } = result.tally;
    assert(delivered > 500 && answers > 20 && visits > 5, toText(result));
    assert(result.samples.length > 5 && result.samples.every(({ residentBytes }) => residentBytes > 0));
    assertStringIncludes(toHtml(result), "all is well");
  },
});
