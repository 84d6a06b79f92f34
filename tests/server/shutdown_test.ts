import { assert, assertEquals, assertRejects } from "@std/assert";
import { serve } from "../../lib/mod.ts";
import { Type } from "../../lib/wire/header.ts";
import { AwakeClock } from "../harness/awake_clock.ts";
import { type Frame, json, RawClient, texts } from "../harness/raw_client.ts";
import { RecordedLog } from "../harness/recorded_log.ts";

const MiB = 1024 * 1024;

/** Checks that `frame` is the server's BYE. */
function assertBye({ type, flags, id, channel, sender, payload }: Frame) {
  assertEquals([type, flags, id, channel, sender], [Type.BYE, 0, 0, 0, 0]);
  assertEquals(JSON.parse(new TextDecoder().decode(payload)), { reason: "shutting_down" });
}

Deno.test("closing sends BYE to every session, and ends their connections", async () => {
  const log = new RecordedLog();
  const server = await serve({ log: log.log });
  using ada = await RawClient.greet(server);
  using grace = await RawClient.greet(server);
  const closing = server.close();
  for (const client of [ada, grace]) {
    assertBye(await client.next());
    await client.end();
    client.close();
    await log.until("closed", { number: client.number, reason: "shutting_down" });
  }
  await closing;
  assertEquals(server.sessions, 0);
  assertEquals(log.all("draining").length, 1);
  assertEquals(log.lines.at(-1)!.message, "stopped");
});

Deno.test("a client that has not sent HELLO gets an ERROR instead", async () => {
  const server = await serve();
  using silent = await RawClient.connect(server);
  using control = await RawClient.greet(server); // by now the first is accepted too
  const closing = server.close();
  await silent.ended("shutting_down");
  silent.close();
  control.close();
  await closing;
});

Deno.test("closing twice is closing once", async () => {
  const server = await serve();
  const closing = server.close();
  assert(server.close() === closing);
  await closing;
  await server.close();
  await server[Symbol.asyncDispose]();
});

Deno.test("a server that drains accepts no client", async () => {
  const server = await serve();
  using client = await RawClient.greet(server);
  const closing = server.close();
  // The kernel may still have completed the connection, which then is reset.
  await assertRejects(async () => {
    using late = await RawClient.greet(server);
    late.close();
  }, Error);
  client.close();
  await closing;
  await assertRejects(() => RawClient.connect(server), Deno.errors.ConnectionRefused);
});

Deno.test("pending frames still arrive, and the BYE after them", async () => {
  const server = await serve();
  using ada = await RawClient.greet(server);
  using grace = await RawClient.greet(server);
  const { number } = await ada.open("chat");
  await grace.openToPublish("chat");
  const payload = new Uint8Array(MiB);
  // 12 MiB: more than the kernel takes, less than may wait.
  for (let i = 0; i < 12; i++) {
    payload[0] = i;
    await grace.send(grace.message(number, payload));
  }
  assertEquals(await grace.barrier(), []);
  const closing = server.close();
  const frames = await ada.rest();
  assertBye(frames.pop()!);
  assertEquals(frames.map(({ length, payload }) => [length, payload[0]]), frames.map((_, i) => [MiB, i]));
  assertEquals(frames.length, 12);
  ada.close();
  grace.close();
  await closing;
});

Deno.test("frames that arrive after the BYE are dropped", async () => {
  const server = await serve();
  using ada = await RawClient.greet(server);
  using grace = await RawClient.greet(server);
  const { number } = await ada.open("chat");
  await grace.openToPublish("chat");
  await grace.send(grace.message(number, "before"));
  await grace.barrier();
  const closing = server.close();
  await grace.send(grace.message(number, "after"), grace.frame(Type.PING, { id: 5 }));
  const [bye, ...none] = await grace.rest();
  assertBye(bye);
  assertEquals(none, []);
  const frames = await ada.rest();
  assertBye(frames.pop()!);
  assertEquals(texts(frames), ["before"]);
  ada.close();
  grace.close();
  await closing;
});

Deno.test("a client that does not read delays the end by the drain time, and no longer", async () => {
  const log = new RecordedLog();
  const server = await serve({ limits: { drainMs: 300 }, log: log.log });
  using slow = await RawClient.greet(server);
  using publisher = await RawClient.greet(server);
  const { number } = await slow.open("chat");
  await publisher.openToPublish("chat");
  for (let i = 0; i < 14; i++) await publisher.send(publisher.message(number, new Uint8Array(MiB)));
  await publisher.barrier();
  publisher.close();
  const start = performance.now();
  using clock = new AwakeClock();
  await server.close();
  assert(performance.now() - start >= 299);
  assert(clock.now() < 3000, `took ${Math.round(clock.now())} ms`);
});

Deno.test("a paused publisher does not delay the end", async () => {
  const server = await serve({ limits: { payloadBytes: MiB, pendingBytes: 2 * MiB, drainMs: 300 } });
  using slow = await RawClient.greet(server);
  using publisher = await RawClient.greet(server);
  using control = await RawClient.greet(server);
  const { number } = await slow.open("chat");
  await publisher.openToPublish("chat");
  const message = publisher.message(number, new Uint8Array(MiB));
  let written = 0;
  const flood = (async () => {
    for (; written < 64; written++) await publisher.send(message);
  })().catch(() => {});
  for (let before = -1; before !== written;) {
    before = written;
    for (let i = 0; i < 20; i++) await control.barrier();
  }
  using clock = new AwakeClock();
  control.close();
  await server.close();
  assert(clock.now() < 3000);
  await flood;
  assert(written < 64);
});

Deno.test("a client that has read everything, but does not close its end, does not delay the end by the drain time", async () => {
  const server = await serve({ limits: { drainMs: 15_000 } });
  using client = await RawClient.greet(server);
  const start = performance.now();
  const closing = server.close();
  assertBye(await client.next());
  await client.end();
  await closing;
  assert(performance.now() - start < 7000);
});

Deno.test("a requester whose request is pending when the server stops gets an ERROR or a BYE", async () => {
  const server = await serve();
  using ada = await RawClient.greet(server);
  using grace = await RawClient.greet(server);
  const { number } = await grace.respond("jobs");
  await ada.openToPublish("jobs");
  await ada.send(ada.request(1, number));
  await grace.expect(Type.REQUEST);
  const closing = server.close();
  const frames = await ada.rest();
  assertBye(frames.pop()!);
  for (const frame of frames) assertEquals([json(frame).code, frame.id], ["responder_gone", 1]);
  await grace.rest();
  ada.close();
  grace.close();
  await closing;
});
