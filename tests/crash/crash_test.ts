import { assert, assertEquals } from "@std/assert";
import { MAY_RUN } from "../harness/permissions.ts";
import { seedFrom } from "../harness/seeded.ts";
import { crash } from "./run.ts";

Deno.test({
  name: "a server that is killed under load loses, repeats and reorders nothing",
  ignore: !MAY_RUN,
}, async () => {
  const { outcome, problems } = await crash({ seed: seedFrom(), kills: 3, window: 300 });
  assertEquals(problems, []);
  assert(outcome.counts.delivered > 0);
});
