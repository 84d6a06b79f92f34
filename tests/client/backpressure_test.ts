import { assert, assertEquals, assertRejects } from "@std/assert";
import { serve } from "../../lib/server/serve.ts";
import { QUEUE_BYTES } from "../../lib/client/limits.ts";
import { connect } from "../../lib/client/connect.ts";
import { ParleyError } from "../../lib/errors.ts";
import { u32 } from "../../lib/wire/header.ts";
import { encodeFrame, Type } from "../../lib/wire/header.ts";
import { type FakePeer, playServer } from "./fake_server.ts";

const KiB = 1024;
const MiB = 1024 * KiB;

/** `count` messages of 1 KiB on channel 5, numbered from `first`. */
function numbered(first: number, count: number): Uint8Array {
  const payload = new Uint8Array(KiB);
  const frame = encodeFrame({ type: Type.MESSAGE, channel: 5, sender: 3 }, payload);
  const all = new Uint8Array(frame.length * count);
  const view = new DataView(all.buffer);
  for (let i = 0; i < count; i++) {
    all.set(frame, i * frame.length);
    view.setUint32(i * frame.length + 16, first + i);
  }
  return all;
}

/** Writes `total` numbered messages, and keeps their number in `progress.sent`. */
async function flood(peer: FakePeer, total: number, progress: { sent: number }): Promise<void> {
  const piece = 512;
  for (; progress.sent < total; progress.sent += piece) await peer.write(numbered(progress.sent, piece));
}

/** Whether `promise` is still pending after `ms`. No event reports that nothing happened, so this waits. */
async function isPendingAfter(ms: number, promise: Promise<unknown>): Promise<boolean> {
  let timer: ReturnType<typeof setTimeout>;
  const late = new Promise<boolean>((resolve) => timer = setTimeout(() => resolve(true), ms));
  return await Promise.race([late, promise.then(() => false)]).finally(() => clearTimeout(timer));
}

Deno.test("a client that does not iterate slows the server down, and then gets everything in order", async () => {
  const total = 64 * KiB; // of 1 KiB each
  const progress = { sent: 0 };
  let flooding!: Promise<void>;
  await playServer(async (server) => {
    using peer = await server.greet();
    await peer.open(5);
    flooding = flood(peer, total, progress);
    await flooding;
    await peer.drain();
  }, async (port) => {
    await using client = await connect({ port, reconnect: false });
    const chat = await client.subscribe("chat");
    while (flooding === undefined) await Promise.resolve();
    assert(await isPendingAfter(300, flooding), "the server was never slowed down");
    // One queue, one read buffer, and what the operating system buffers.
    assert(progress.sent < 32 * KiB, `${progress.sent} KiB were taken`);
    let expected = 0;
    for await (const message of chat) {
      assertEquals(u32(message.payload, 0), expected++);
      if (expected === total) break;
    }
  });
});

Deno.test("a call made in the loop is answered although the queue is full", async () => {
  await playServer(async (server) => {
    using peer = await server.greet();
    await peer.open(5);
    await flood(peer, 3 * QUEUE_BYTES / KiB, { sent: 0 });
    const { header } = await peer.expect(Type.PING);
    await peer.control({ type: Type.PONG, id: header.id }, "");
    await peer.drain();
  }, async (port) => {
    await using client = await connect({ port, reconnect: false });
    const chat = await client.subscribe("chat");
    let count = 0;
    for await (const _ of chat) {
      if (count++ === 0) await client.ping();
      if (count === 3 * QUEUE_BYTES / KiB) break;
    }
  });
});

Deno.test("closing does not wait for unread messages", async () => {
  await using server = await serve({ port: 0 });
  await using publisher = await connect({ port: server.port });
  const client = await connect({ port: server.port });
  await client.subscribe("chat");
  for (let i = 0; i < 4; i++) await publisher.publish("chat", new Uint8Array(MiB));
  await publisher.ping();
  await client.close();
  assertEquals(await client.closed, undefined);
});

Deno.test("publish resolves at once while there is room, waits when there is none, and goes on when the server reads", async () => {
  const payload = new Uint8Array(64 * KiB);
  let read!: () => void;
  const mayRead = new Promise<void>((resolve) => read = resolve);
  let received = 0;
  let sent = 0;
  await playServer(async (server) => {
    using peer = await server.greet();
    await peer.open(5);
    await mayRead;
    while ((await peer.read())?.header.type === Type.MESSAGE) received++;
  }, async (port) => {
    const client = await connect({ port, reconnect: false, pendingBytes: 1 * MiB });
    await client.publish("chat", payload); // waits until the channel is open
    const first = client.publish("chat", payload);
    assert(first === client.publish("chat", payload), "a promise was made although there was room");
    sent = 3;
    let waiting: Promise<void>;
    do {
      waiting = client.publish("chat", payload);
      sent++;
    } while (!await isPendingAfter(100, waiting));
    read();
    await waiting;
    await client.close().catch(() => {}); // the fake server confirms nothing
  });
  assertEquals(received, sent);
});

Deno.test("publishing more and more without awaiting is rejected before it fills the memory", async () => {
  await playServer(async (server) => {
    using peer = await server.greet();
    await peer.open(5);
    while ((await peer.read())?.header.type === Type.MESSAGE);
  }, async (port) => {
    const client = await connect({ port, reconnect: false, pendingBytes: 64 * KiB });
    const payload = new Uint8Array(64 * KiB);
    const results = await Promise.allSettled(
      Array.from({ length: 20 }, () => client.publish("chat", payload)),
    );
    const rejected = results.filter((each) => each.status === "rejected");
    assertEquals(rejected.length, 12); // beyond eight times the limit
    assert(
      rejected.every(({ reason }) => reason.code === "backlog_full" && reason.message.includes("await")),
    );
    await client.close().catch(() => {});
  });
});

Deno.test("a publish that waits for room fails when the connection is lost", async () => {
  let lose!: () => void;
  const mayLose = new Promise<void>((resolve) => lose = resolve);
  await playServer(async (server) => {
    using peer = await server.greet();
    await peer.open(5);
    await mayLose;
  }, async (port) => {
    const client = await connect({ port, reconnect: false, pendingBytes: 64 * KiB });
    let waiting: Promise<void>;
    do waiting = client.publish("chat", new Uint8Array(64 * KiB)); while (
      !await isPendingAfter(100, waiting)
    );
    lose();
    assertEquals((await assertRejects(() => waiting, ParleyError)).code, "disconnected");
    await assertRejects(() => client.close(), ParleyError, "may not have reached the server");
  });
});

Deno.test("direct messages to a client that does not use its inbox do not stop the connection", async () => {
  await using server = await serve({ port: 0 });
  await using sender = await connect({ port: server.port });
  await using client = await connect({ port: server.port });
  for (let i = 0; i < 8; i++) await sender.sendTo(client.sessionId, new Uint8Array(MiB));
  await sender.ping();
  const chat = await client.subscribe("chat");
  await client.publish("chat", "still here");
  for await (const message of chat) {
    assertEquals(message.text(), "still here");
    break;
  }
});
