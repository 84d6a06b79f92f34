/**
 * A short run of the fuzzer with a new seed each time; `deno task fuzz` runs longer.
 */

import { assert, assertEquals } from "@std/assert";
import { seedFrom } from "../harness/seeded.ts";
import { fuzz } from "./run.ts";
import { MAY_INSPECT } from "../harness/permissions.ts";
import { startObserved } from "./server_log.ts";
import { formatResult } from "./summary.ts";

Deno.test({
  name: "a server survives two seconds of garbage, and another of garbage inside and outside of TLS",
  ignore: !MAY_INSPECT,
  fn: async () => {
    const seed = seedFrom();
    await Promise.all([false, true].map(async (tls) => {
      const options = { seconds: 2, seed, connections: 16, from: 0, count: 1e9, tls, isModel: false };
      const result = await fuzz(options);
      assertEquals(result.problems, [], formatResult(result, options));
      assert(
        result.attacks > 20 && result.established > 10 && result.control.answers > 20,
        formatResult(result, options),
      );
    }));
  },
});

Deno.test({
  name: "a server that exits is reported, with the command that repeats the run",
  ignore: !MAY_INSPECT,
  fn: async () => {
    // Listens for a second, then exits.
    const script = 'import {serve} from "./lib/mod.ts"; const s=await serve(); ' +
      'console.error(JSON.stringify({level:"info",message:"listening",port:s.port})); setTimeout(()=>Deno.exit(3),1000)';
    const server = [Deno.execPath(), "eval", "--quiet", script];
    const options = {
      seconds: 5,
      seed: 1,
      connections: 4,
      from: 0,
      count: 1e9,
      tls: false,
      isModel: false,
      server,
    };
    const result = await fuzz(options);
    assert(
      result.problems.some((problem) => problem.startsWith("the server ended with 3")),
      result.problems.join("\n"),
    );
    assert(formatResult(result, options).includes("to repeat: deno task fuzz --seed 1"));
  },
});

Deno.test({
  name: "a server that cannot start is distinguished from one that an attack killed",
  ignore: !MAY_INSPECT,
  fn: async () => {
    const command = [Deno.execPath(), "eval", "console.error('no, thank you'); Deno.exit(4)"];
    const error = await startObserved({ command }).then(() => undefined, (error: Error) => error);
    assertEquals(error?.message, "the server ended with 4 at once: no, thank you");
  },
});
