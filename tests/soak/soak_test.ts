/**
 * A short soak; `deno task soak` runs longer. Too short to detect growth, but not loss, order or descriptors.
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { MAY_INSPECT } from "../harness/permissions.ts";
import { seedFrom } from "../harness/seeded.ts";
import { toHtml, toText } from "./report.ts";
import { soak } from "./run.ts";

Deno.test({
  name: "four seconds of the mixed load lose no message and leave no descriptor",
  ignore: !MAY_INSPECT,
  fn: async () => {
    const result = await soak({ seconds: 4, seed: seedFrom() }, () => {}, { slowConsumerSeconds: 4 });
    assertEquals(result.problems, [], toText(result));
    const { delivered, replies, shortSessions } = result.counters;
    assert(delivered > 500 && replies > 20 && shortSessions > 5, toText(result));
    assert(result.samples.length > 5 && result.samples.every(({ residentBytes }) => residentBytes > 0));
    assertStringIncludes(toHtml(result), "passed");
  },
});
