import { assertEquals, assertMatch } from "@std/assert";
import { serve } from "../../../lib/server/serve.ts";
import type { Subscription } from "../../../lib/client/api.ts";
import type { Message } from "../../../lib/client/message_types.ts";
import { connect } from "../../../lib/client/connect.ts";
import { RunningCommand, runParley } from "../../harness/in_process.ts";
import { assertFailure, LOGGED } from "../../harness/program.ts";

async function take(subscription: Subscription, count: number): Promise<Message[]> {
  const taken: Message[] = [];
  while (taken.length < count) taken.push((await subscription.next()).value!);
  return taken;
}

Deno.test("publish sends a text as one message", async () => {
  await using server = await serve({ port: 0 });
  await using client = await connect({ url: server.url });
  const lobby = await client.subscribe("chat.lobby");
  const ended = await runParley(["publish", "chat.lobby", "hello, world", "--url", server.url]);
  assertEquals(ended, { code: 0, stdout: "", stderr: "" });
  const [message] = await take(lobby, 1);
  assertEquals([message.text(), message.kind], ["hello, world", "text"]);
});

for (const operands of [["jobs"], ["jobs", "-"]]) {
  Deno.test(`publish ${operands.join(" ")} sends each line of stdin`, async () => {
    await using server = await serve({ port: 0 });
    await using client = await connect({ url: server.url });
    const jobs = await client.subscribe("jobs");
    const stdin = new Uint8Array([...new TextEncoder().encode("one\r\n\nür three\n"), 0xff]);
    const { code, stdout } = await runParley(["publish", ...operands, "--url", server.url], { stdin });
    assertEquals([code, stdout], [0, ""]);
    const messages = await take(jobs, 4);
    assertEquals(messages.map((message) => message.kind), ["text", "text", "text", "bytes"]);
    assertEquals(messages.slice(0, 3).map((message) => message.text()), ["one\r", "", "ür three"]);
    assertEquals(messages[3].payload, new Uint8Array([0xff]));
  });
}

Deno.test("publish sends a line as soon as it is complete", async () => {
  await using server = await serve({ port: 0 });
  await using client = await connect({ url: server.url });
  const jobs = await client.subscribe("jobs");
  await using program = new RunningCommand(["publish", "jobs", "--url", server.url]);
  await program.type("first\n");
  assertEquals((await take(jobs, 1))[0].text(), "first");
  await program.type("second");
  await program.endInput();
  assertEquals((await take(jobs, 1))[0].text(), "second");
  assertEquals((await program.ended()).code, 0);
});

Deno.test("publish without permission is refused", async () => {
  await using server = await serve({ port: 0 });
  assertFailure(await runParley(["publish", "$internal", "x", "--url", server.url]), 4, /\$internal/);
});

Deno.test("a line above the server's limit is one line and a failure", async () => {
  await using server = await serve({ port: 0, limits: { payloadBytes: 1024 } });
  const ended = await runParley(["publish", "jobs", "-", "--url", server.url], { stdin: "x".repeat(1025) });
  assertFailure(ended, 1, /1024/);
});

Deno.test(
  "with --no-reconnect, a server that stops ends a publish that waits for a line with 3",
  async () => {
    const server = await serve({ port: 0 });
    const args = ["publish", "jobs", "--url", server.url, "--no-reconnect", ...LOGGED];
    await using program = new RunningCommand(args);
    await program.stderr.until(/"connected"/);
    await server.close();
    const { code, stderr } = await program.ended();
    assertEquals(code, 3);
    assertMatch(stderr, /\nparley: [^\n]*shutting_down; connect again[^\n]*\n$/);
  },
);

Deno.test("Ctrl-C ends a publish that waits for a line with 130", async () => {
  await using server = await serve({ port: 0 });
  await using program = new RunningCommand(["publish", "jobs", "--url", server.url, ...LOGGED]);
  await program.stderr.until(/"connected"/);
  program.interrupt();
  assertEquals((await program.ended()).code, 130);
});
