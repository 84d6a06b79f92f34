import { assertEquals, assertMatch } from "@std/assert";
import { serve } from "../../../lib/server/serve.ts";
import type { Client } from "../../../lib/client/api.ts";
import { connect } from "../../../lib/client/connect.ts";
import { ParleyError } from "../../../lib/errors.ts";
import { encodeFrame, MESSAGE_HEADERS, Type } from "../../../lib/wire/header.ts";
import { playServer } from "../../client/fake_server.ts";
import { within } from "../../harness/deadline.ts";
import { RunningCommand, runParley } from "../../harness/in_process.ts";
import { assertFailure, LOGGED, processTest, Program, SOURCE } from "../../harness/program.ts";

/** Starts `parley subscribe ARGS`, and waits until it is subscribed. */
async function subscribe(url: string, ...args: string[]): Promise<RunningCommand> {
  const program = new RunningCommand(["subscribe", "--url", url, ...LOGGED, ...args]);
  await program.stderr.until(/"message":"subscribed"/);
  return program;
}

async function say(client: Client, channel: string, ...payloads: (string | Uint8Array)[]): Promise<void> {
  for (const payload of payloads) await client.publish(channel, payload);
  await client.ping();
}

Deno.test("subscribe prints a line for each message, at once, and ends after --count", async () => {
  await using server = await serve({ port: 0, firstSessionId: 1 });
  await using client = await connect({ url: server.url });
  await using program = await subscribe(server.url, "chat.*", "news", "--count", "3");
  await say(client, "chat.lobby", "one");
  await program.stdout.until(/^chat\.lobby 1 one\n$/);
  await say(client, "news", new Uint8Array([0, 1, 255]), "zwölf");
  const { code, stdout } = await program.ended();
  assertEquals([code, stdout], [0, "chat.lobby 1 one\nnews 1 base64:AAH/\nnews 1 zwölf\n"]);
});

Deno.test("a message that several names cover is printed once", async () => {
  await using server = await serve({ port: 0, firstSessionId: 1 });
  await using client = await connect({ url: server.url });
  await using program = await subscribe(server.url, "chat.lobby", "chat.*", "chat.*", "--count", "2");
  await say(client, "chat.lobby", "one", "two");
  assertEquals((await program.ended()).stdout, "chat.lobby 1 one\nchat.lobby 1 two\n");
});

Deno.test("subscribe --json prints an object for each message", async () => {
  await using server = await serve({ port: 0, firstSessionId: 1 });
  await using client = await connect({ url: server.url });
  await using program = await subscribe(server.url, "data", "--json", "--count", "4");
  await client.publish("data", "a\u009b\n");
  await client.publish("data", { json: { on: true } });
  await client.publish("data", new Uint8Array([1, 2]));
  await client.publish("data", "traced", { headers: { traceparent: "00-1\u202e" } });
  const { stdout } = await program.ended();
  assertEquals(stdout.includes("\u009b"), false);
  assertEquals(stdout.trim().split("\n").map((line) => JSON.parse(line)), [
    { channel: "data", sender: 1, kind: "text", text: "a\u009b\n" },
    { channel: "data", sender: 1, kind: "json", json: { on: true } },
    { channel: "data", sender: 1, kind: "bytes", base64: "AQI=" },
    { channel: "data", sender: 1, kind: "text", headers: { traceparent: "00-1\u202e" }, text: "traced" },
  ]);
});

Deno.test("text that would control a terminal or forge a line is escaped", async () => {
  await using server = await serve({ port: 0, firstSessionId: 1 });
  await using client = await connect({ url: server.url });
  await using program = await subscribe(server.url, "chat", "--count", "1");
  await say(client, "chat", "\x1b[2J\rchat 2 forged\nchat 3 too\u202e");
  const { stdout } = await program.ended();
  assertEquals(stdout, "chat 1 \\x1b[2J\\rchat 2 forged\\nchat 3 too\\u{202e}\n");
});

Deno.test("subscribe ends quietly when its stdout is closed", async () => {
  await using server = await serve({ port: 0, firstSessionId: 1 });
  await using client = await connect({ url: server.url });
  await using program = await subscribe(server.url, "chat");
  await say(client, "chat", "first");
  await program.stdout.until(/first\n/);
  await program.stdout.stopReading();
  await say(client, "chat", "second");
  const { code, stderr } = await program.ended();
  assertEquals(code, 0);
  assertEquals(stderr.includes("parley:"), false);
});

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  processTest(`${signal} ends subscribe with 0, after printing earlier messages`, async () => {
    await using server = await serve({ port: 0, firstSessionId: 1 });
    await using client = await connect({ url: server.url });
    await using program = new Program(["subscribe", "--url", server.url, ...LOGGED, "chat"]);
    await program.stderr.until(/"message":"subscribed"/);
    await client.publish("chat", "last words");
    await program.stdout.until(/last words/);
    program.kill(signal);
    const { code, stderr } = await program.ended();
    assertEquals(code, 0);
    assertEquals(stderr.includes("parley:"), false);
  });
}

Deno.test("with --no-reconnect, a server that shuts down is one line and exit code 3", async () => {
  const server = await serve({ port: 0, firstSessionId: 1 });
  await using program = await subscribe(server.url, "chat", "--no-reconnect");
  await server.close();
  const { code, stderr } = await program.ended();
  assertEquals(code, 3);
  assertMatch(stderr, /\nparley: [^\n]*shutting_down[^\n]*\n$/);
});

Deno.test("thousands of messages all arrive, in order", async () => {
  await using server = await serve({ port: 0, firstSessionId: 1 });
  await using client = await connect({ url: server.url });
  await using program = await subscribe(server.url, "numbers", "--count", "20000");
  await say(client, "numbers", ...Array.from({ length: 20_000 }, (_, at) => String(at)));
  const { code, stdout } = await program.ended();
  const numbers = stdout.trim().split("\n").map((line) => Number(line.split(" ")[2]));
  assertEquals([code, numbers.length], [0, 20_000]);
  assertEquals(numbers.findIndex((number, at) => number !== at), -1);
});

Deno.test("subscribe never answers a request, and takes none from a responder", async () => {
  await using server = await serve({ port: 0, firstSessionId: 1 });
  await using client = await connect({ url: server.url });
  await using program = await subscribe(server.url, "shop.>", "shop.price");
  const error = await client.request("shop.price", "shoes").catch((error) => error);
  assertEquals([error instanceof ParleyError, error.code], [true, "no_responders"]);
  await using worker = await connect({ url: server.url });
  await using _responder = await worker.respond("shop.price", (request) => `${request.text()}: 12`);
  for (const item of ["hat", "coat", "scarf"]) {
    assertEquals((await client.request("shop.price", item)).text(), `${item}: 12`);
  }
  await say(client, "shop.price", "a message");
  await program.stdout.until(/a message/);
  program.interrupt();
  assertEquals((await program.ended()).stdout, "shop.price 1 a message\n");
});

Deno.test("a message with malformed headers is reported, and subscribe goes on", async () => {
  await playServer(async (server) => {
    using peer = await server.greet();
    await peer.open(1);
    const header = { type: Type.MESSAGE, channel: 1, sender: 3 };
    await peer.write(encodeFrame({ ...header, flags: MESSAGE_HEADERS }, new Uint8Array([0, 9])));
    await peer.write(encodeFrame(header, new TextEncoder().encode("well-formed")));
    await peer.drain();
  }, async (port) => {
    await using program = new RunningCommand(["subscribe", "chat", "--count", "1", "--port", `${port}`]);
    const { code, stdout, stderr } = await program.ended();
    assertEquals([code, stdout], [0, "chat 3 well-formed\n"]);
    assertMatch(stderr, /^parley: [^\n]*headers[^\n]*\n$/);
  });
});

Deno.test("a name against the grammar is wrong usage", async () => {
  await using server = await serve({ port: 0, firstSessionId: 1 });
  assertFailure(
    await runParley(["subscribe", "a..b", ">", "--url", server.url]),
    2,
    /segment 2 of "a\.\.b" is empty/,
  );
});

processTest("a client whose stderr nothing reads goes on", async () => {
  await using server = await serve({ port: 0, firstSessionId: 1 });
  await using client = await connect({ url: server.url });
  const [program, ...first] = SOURCE.client;
  const args = [...first, "subscribe", "news", "--url", server.url, "--trace", "--count", "3000"];
  const child = new Deno.Command(program, { args, stdout: "piped", stderr: "piped" }).spawn();
  const stderr = child.stderr.getReader();
  const decoder = new TextDecoder();
  // The trace of what it sends and receives until it has subscribed.
  for (let text = ""; !/OPENED/.test(text);) text += decoder.decode((await stderr.read()).value);
  for (let number = 0; number < 3000; number++) await client.publish("news", `${number}`); // a line of some 60 bytes each
  const stdout = await within(new Response(child.stdout).text(), "all messages on stdout");
  assertEquals(stdout.trimEnd().split("\n").length, 3000);
  assertEquals((await within(child.status, "end of the client")).code, 0);
  await stderr.cancel();
});
