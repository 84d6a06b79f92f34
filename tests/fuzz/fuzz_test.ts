/**
 * A short run of the fuzzer, each time with a new seed: what `deno task fuzz` does for longer.
 */

import { assert, assertEquals } from "@std/assert";
import { seedFrom } from "../seeded.ts";
import { fuzz } from "./run.ts";
import { MAY_WATCH, ServerProcess } from "./server_process.ts";
import { formatResult } from "./summary.ts";

for (const tls of [false, true]) {
  Deno.test({
    name: `five seconds of garbage ${tls ? "inside and outside of TLS " : ""}leave a server as it was`,
    ignore: !MAY_WATCH,
    fn: async () => {
      const options = { seconds: 5, seed: seedFrom(), connections: 16, from: 0, count: 1e9, tls };
      const result = await fuzz(options);
      assertEquals(result.problems, [], formatResult(result, options));
      assert(
        result.attacks > 20 && result.greeted > 10 && result.control.answers > 20,
        formatResult(result, options),
      );
    },
  });
}

Deno.test({
  name: "a server that dies is noticed, with the command to repeat it",
  ignore: !MAY_WATCH,
  fn: async () => {
    // Understands what a server is told, serves for a second, and is gone.
    const script = 'import {serve} from "./lib/mod.ts"; const s=await serve(); ' +
      'console.error(JSON.stringify({level:"info",message:"listening",port:s.port})); setTimeout(()=>Deno.exit(3),1000)';
    const server = [Deno.execPath(), "eval", "--quiet", script];
    const options = { seconds: 5, seed: 1, connections: 4, from: 0, count: 1e9, tls: false, server };
    const result = await fuzz(options);
    assert(
      result.problems.some((problem) => problem.startsWith("the server ended with 3")),
      result.problems.join("\n"),
    );
    assert(formatResult(result, options).includes("to repeat: deno task fuzz --seed 1"));
  },
});

Deno.test({
  name: "a server that cannot start is told from one that was killed by an attack",
  ignore: !MAY_WATCH,
  fn: async () => {
    const command = [Deno.execPath(), "eval", "console.error('no, thank you'); Deno.exit(4)"];
    const error = await ServerProcess.start({ command }).then(() => undefined, (error: Error) => error);
    assertEquals(error?.message, "the server ended with 4 at once: no, thank you");
  },
});
