import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { serve } from "../../lib/server/serve.ts";
import { processTest, Program } from "../harness/program.ts";

/** Starts an example with network permission alone. */
function start(...args: string[]): Program {
  return new Program(args, { program: [Deno.execPath(), "run", "--quiet", "--no-prompt", "--allow-net"] });
}

processTest(
  "the demo runs with network permission alone, in plain text, and fits two screens",
  async () => {
    await using demo = start("examples/demo.ts");
    const { code, stdout, stderr } = await demo.ended();
    assertEquals([code, stderr], [0, ""]);
    for (const words of ["Welcome, Ada", "Good morning, Grace!", "12 squared is 144", "messages a second"]) {
      assertStringIncludes(stdout, words);
    }
    assertMatch(stdout, /^ +0 {2}20 +type +MESSAGE/m);
    assertEquals([stdout.includes("\x1b"), stdout.split("\n").length < 48], [false, true]);
  },
);

processTest("the simple client prints the welcome and ends", async () => {
  await using server = await serve({ port: 0 });
  await using client = start("examples/simple_client.ts", server.url);
  const { code, stdout, stderr } = await client.ended();
  assertEquals([code, stderr], [0, ""]);
  assertMatch(stdout, /^Welcome, guest-\d+\. .*\n$/);
});

processTest("the simple client reports an unreachable server in one line", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  await using client = start("examples/simple_client.ts", `parley://127.0.0.1:${port}`);
  const { code, stderr } = await client.ended();
  assertEquals(code, 1);
  assertMatch(stderr, /^nothing listens on [^\n]*\n$/);
});
