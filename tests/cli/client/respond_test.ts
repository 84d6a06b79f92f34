import { assertEquals, assertMatch } from "@std/assert";
import { serve } from "../../../lib/server/serve.ts";
import { connect } from "../../../lib/client/connect.ts";
import { assertFailure, LOGGED, parley, processTest, Program } from "../../harness/program.ts";

/** Starts `parley respond`, and waits until it responds. */
async function respond(url: string, channel: string, command: string): Promise<Program> {
  const program = new Program(["respond", channel, "--exec", command, "--url", url, ...LOGGED]);
  await program.stderr.until(/"message":"responding"/);
  return program;
}

processTest("respond answers with the output of its command, until Ctrl-C", async () => {
  await using server = await serve({ port: 0 });
  await using client = await connect({ url: server.url });
  await using program = await respond(server.url, "text.upper", "tr a-z A-Z");
  const replies = await Promise.all(["one", "two", ""].map((text) => client.request("text.upper", text)));
  assertEquals(replies.map((reply) => [reply.text(), reply.kind]), [["ONE", "text"], ["TWO", "text"], [
    "",
    "text",
  ]]);
  program.kill("SIGINT");
  const { code, stderr } = await program.ended();
  assertEquals(code, 0);
  assertEquals(stderr.match(/"message":"request answered"/g)?.length, 3);
});

processTest("respond passes bytes through, and accepts a command that reads no stdin", async () => {
  await using server = await serve({ port: 0 });
  await using client = await connect({ url: server.url });
  await using _cat = await respond(server.url, "cat", "cat");
  const bytes = crypto.getRandomValues(new Uint8Array(60_000)).fill(0xff, 0, 1);
  const reply = await client.request("cat", bytes);
  assertEquals([reply.kind, reply.payload], ["bytes", bytes]);
  await using _true = await respond(server.url, "deaf", "echo deaf");
  assertEquals((await client.request("deaf", new Uint8Array(1_000_000))).text(), "deaf\n");
});

processTest("a command that fails is reported on stderr, and the requester gets an error", async () => {
  await using server = await serve({ port: 0 });
  await using program = await respond(server.url, "broken", "echo details >&2; exit 3");
  const ended = await parley(["request", "broken", "x", "--url", server.url]);
  assertFailure(ended, 5, /responder failed/);
  assertEquals(ended.stderr.includes("details"), false);
  await program.stderr.until(/^details$/m);
  await program.stderr.until(/^parley: the request of session 2 on broken failed: .* exit code 3$/m);
  program.kill("SIGTERM");
  assertEquals((await program.ended()).code, 0);
});

processTest("respond finishes running commands before Ctrl-C ends it", async () => {
  await using server = await serve({ port: 0 });
  await using client = await connect({ url: server.url });
  await using gate = await respond(server.url, "outer", "cat >/dev/null; echo begun >&2; exec sleep 0.5");
  const reply = client.request("outer", "x");
  await gate.stderr.until(/^begun$/m);
  gate.kill("SIGINT");
  assertEquals((await reply).text(), "");
  assertEquals((await gate.ended()).code, 0);
});

processTest("respond without --exec is wrong usage", async () => {
  const ended = await parley(["respond", "jobs"]);
  assertFailure(ended, 2, /respond needs --exec COMMAND/);
  assertMatch(ended.stderr, /parley respond jobs --exec/);
});
