/**
 * What the server does with clients that do not read. The kernel buffers some MiB for either side of a connection before
 * anything is paused, so these tests send more than that: a flood.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { type Limits, serve } from "../../lib/mod.ts";
import { Type } from "../../lib/wire/header.ts";
import { AwakeClock } from "../harness/awake_clock.ts";
import { within } from "../harness/deadline.ts";
import { concat, type Frame, RawClient, text } from "../harness/raw_client.ts";
import { ControlPair } from "../harness/control_pair.ts";
import { RecordedLog } from "../harness/recorded_log.ts";

const KiB = 1024;
const MiB = 1024 * KiB;

/** Little may be pending, and no client is closed as slow while a test runs, unless the test says otherwise. */
const LIMITS: Partial<Limits> = {
  payloadBytes: 64 * KiB,
  pendingBytes: 256 * KiB,
  slowConsumerTimeoutMs: 60_000,
};
/** More than the kernel buffers between two processes that do not read. */
const FLOOD_BYTES = 96 * MiB;
const MESSAGE_BYTES = 16 * KiB;
const FLOOD_MESSAGES = FLOOD_BYTES / MESSAGE_BYTES;

/** Writes `frames` again and again, until it has written FLOOD_BYTES or is closed. */
class Flood {
  written = 0;
  /** Settles when everything is written, or the connection has failed. */
  readonly over: Promise<void>;
  done = false;

  constructor(client: RawClient, frames: (index: number) => Uint8Array) {
    this.over = this.#write(client, frames).catch(() => {}).finally(() => this.done = true);
  }

  async #write(client: RawClient, frames: (index: number) => Uint8Array): Promise<void> {
    for (let index = 0; this.written < FLOOD_BYTES; index++) {
      const bytes = frames(index);
      await client.send(bytes);
      this.written += bytes.length;
    }
  }

  /** Waits until the server pauses the flood: nothing more is written during twenty of `roundTrip`. */
  async paused(roundTrip: () => Promise<unknown>): Promise<void> {
    for (let before = -1; before !== this.written;) {
      before = this.written;
      for (let i = 0; i < 20; i++) await roundTrip();
    }
    assert(!this.done, "the server took the whole flood");
  }
}

/** A flood of MESSAGEs on `channel`, each of MESSAGE_BYTES with its header; the payload begins with its index. */
function floodChannel(client: RawClient, channel: number): Flood {
  const perWrite = 16;
  const bytes = concat(
    Array.from({ length: perWrite }, () => client.message(channel, new Uint8Array(MESSAGE_BYTES - 16))),
  );
  const view = new DataView(bytes.buffer);
  return new Flood(client, (index) => {
    for (let i = 0; i < perWrite; i++) view.setUint32(i * MESSAGE_BYTES + 16, index * perWrite + i);
    return bytes;
  });
}

/** The index of a flood's message. */
function indexOf({ payload }: Frame): number {
  return new DataView(payload.buffer, payload.byteOffset).getUint32(0);
}

/** Two sessions that must be served all the while. */
function controlPair(server: { hostname: string; port: number }): Promise<ControlPair> {
  return ControlPair.open(() => RawClient.greet(server));
}

Deno.test("a subscriber that stops reading pauses its publisher, and no other session; when it reads again, it gets everything", async () => {
  await using server = await serve({ limits: LIMITS });
  using slow = await RawClient.greet(server);
  using publisher = await RawClient.greet(server);
  using others = await controlPair(server);
  const { number } = await slow.open("slow");
  await publisher.openToPublish("slow");
  const flood = floodChannel(publisher, number);
  await flood.paused(() => others.pass());
  for (let index = 0; index < FLOOD_MESSAGES; index++) {
    assertEquals(indexOf(await slow.expect(Type.MESSAGE)), index);
  }
  await flood.over;
  assertEquals(await publisher.barrier(), []);
  assertEquals(await slow.barrier(), []);
});

Deno.test("a subscriber that does not read for the slow-consumer timeout is closed as slow_consumer, and its publishers go on", async () => {
  const log = new RecordedLog();
  await using server = await serve({ limits: { ...LIMITS, slowConsumerTimeoutMs: 300 }, log: log.log });
  using slow = await RawClient.greet(server);
  using publisher = await RawClient.greet(server);
  using deputy = await RawClient.greet(server);
  using others = await controlPair(server);
  const { number } = await slow.open("slow");
  const start = performance.now();
  const floods: Flood[] = [];
  for (const client of [publisher, deputy]) {
    await client.openToPublish("slow");
    floods.push(floodChannel(client, number));
  }
  while (log.all("slow consumer").length === 0) await others.pass();
  assert(performance.now() - start >= 299);
  assertEquals(floods.map(({ done }) => done), [false, false]);

  // It can still read the reason.
  const received = await slow.rest();
  const error = received.pop()!;
  assertEquals([error.type, JSON.parse(text(error)).code], [Type.ERROR, "slow_consumer"]);
  assert(received.every(({ type }) => type === Type.MESSAGE));

  for (const { over } of floods) await within(over, "end of the flood");
  assertEquals(await publisher.barrier(), []);
  assertEquals(await deputy.barrier(), []);
  assertEquals(log.all("slow consumer").length, 1);
  await log.until("closed", { number: slow.number, reason: "slow_consumer" });
});

Deno.test("several slow consumers delay a publisher for one timeout in total, not one each", async () => {
  const log = new RecordedLog();
  const slowConsumerTimeoutMs = 400;
  await using server = await serve({ limits: { ...LIMITS, slowConsumerTimeoutMs }, log: log.log });
  using publisher = await RawClient.greet(server);
  const number = await publisher.openToPublish("slow");
  const slow: RawClient[] = [];
  for (let i = 0; i < 6; i++) {
    slow.push(await RawClient.greet(server));
    await slow[i].open("slow");
  }
  const flood = floodChannel(publisher, number);
  await log.until("slow consumer");
  using clock = new AwakeClock();
  await within(flood.over, "end of the flood");
  assertEquals(await publisher.barrier(), []);
  const took = Math.round(clock.now());
  assert(took < 3 * slowConsumerTimeoutMs, `held for ${took} ms more after the first of them was closed`);
  assertEquals(log.all("slow consumer").length, 6);
  for (const client of slow) client.close();
});

Deno.test("a client that does not read the answers to its frames is paused, then closed", async () => {
  const log = new RecordedLog();
  await using server = await serve({ limits: { ...LIMITS, slowConsumerTimeoutMs: 300 }, log: log.log });
  using others = await controlPair(server);
  using pinging = await RawClient.greet(server);
  using echoing = await RawClient.greet(server);
  const echo = await echoing.openToPublish("$echo");
  using opening = await RawClient.greet(server);
  const floods = [
    new Flood(pinging, repeated(pinging.frame(Type.PING, {}, new Uint8Array(125)))),
    new Flood(echoing, repeated(echoing.message(echo, new Uint8Array(1000)))),
    new Flood(opening, repeated(opening.frame(Type.OPEN, { id: 1 }, { channel: "chat", presence: true }))),
  ];
  while (log.all("slow consumer").length < floods.length) await others.pass();
  for (const { number } of [pinging, echoing, opening]) {
    await log.until("closed", { number, reason: "slow_consumer" });
  }
  for (const { over } of floods) await within(over, "end of the flood");
  assert(floods.every(({ written }) => written < FLOOD_BYTES));
});

/** Some 64 KiB of `frame`. */
function repeated(frame: Uint8Array): () => Uint8Array {
  const bytes = concat(Array.from({ length: Math.ceil(64 * KiB / frame.length) }, () => frame));
  return () => bytes;
}

Deno.test("a member of a group without room is passed over, and its publisher is not paused", async () => {
  await using server = await serve({ limits: LIMITS });
  using slow = await RawClient.greet(server);
  using quick = await RawClient.greet(server);
  using publisher = await RawClient.greet(server);
  const { number } = await slow.open("jobs", { group: "w" });
  await quick.open("jobs", { group: "w" });
  await publisher.openToPublish("jobs");
  const flood = floodChannel(publisher, number);
  // Only `quick` reads while the flood lasts.
  const byQuick: number[] = [];
  const reading = async () => {
    for (let frame; (frame = await quick.next()).type === Type.MESSAGE;) byQuick.push(indexOf(frame));
  };
  const publishing = async () => {
    await within(flood.over, "end of the flood");
    assertEquals(await publisher.barrier(), []);
    await quick.send(quick.frame(Type.PING));
  };
  await Promise.all([reading(), publishing()]);
  const bySlow = (await slow.barrier()).map(indexOf);
  assert(bySlow.length < FLOOD_MESSAGES / 2);
  const all = [...byQuick, ...bySlow].sort((a, b) => a - b);
  assertEquals(all, Array.from({ length: FLOOD_MESSAGES }, (_, index) => index), "each went to one of them");
});

Deno.test("a responder without room is passed over", async () => {
  await using server = await serve({ limits: LIMITS });
  using slow = await RawClient.greet(server);
  using quick = await RawClient.greet(server);
  using publisher = await RawClient.greet(server);
  using requester = await RawClient.greet(server);
  const { number: flooded } = await slow.open("slow");
  const { number: jobs } = await slow.respond("jobs");
  await quick.respond("jobs");
  await publisher.openToPublish("slow");
  await requester.openToPublish("jobs");
  const flood = floodChannel(publisher, flooded);
  await flood.paused(() => requester.barrier());
  await requester.send(...[1, 2, 3, 4].map((id) => requester.request(id, jobs)));
  assertEquals(await requester.barrier(), []);
  assertEquals((await quick.barrier()).map(({ id }) => id), [1, 2, 3, 4]);
});

Deno.test("a burst does not close a subscriber that keeps reading, however little may be pending", async () => {
  await using server = await serve({ limits: { payloadBytes: 4 * KiB, pendingBytes: 64 * KiB } });
  using reader = await RawClient.greet(server);
  using member = await RawClient.greet(server);
  using publisher = await RawClient.greet(server);
  const { number } = await reader.open("chat");
  await member.open("chat", { group: "w" });
  await publisher.openToPublish("chat");
  const count = 1000;
  const sending = publisher.send(
    ...Array.from({ length: count }, (_, i) => publisher.message(number, `${i}`.padEnd(4 * KiB))),
  );
  const read = async (client: RawClient) => {
    for (let i = 0; i < count; i++) assertEquals(parseInt(text(await client.expect(Type.MESSAGE))), i);
  };
  await Promise.all([sending, read(reader), read(member)]);
});

Deno.test("a paused publisher is not closed with timeout", async () => {
  const log = new RecordedLog();
  const limits = { ...LIMITS, heartbeatSeconds: 1, slowConsumerTimeoutMs: 3300 };
  await using server = await serve({ limits, log: log.log });
  using slow = await RawClient.greet(server);
  using publisher = await RawClient.greet(server);
  const { number } = await slow.open("slow");
  await publisher.openToPublish("slow");
  const alive = setInterval(() => slow.send(slow.frame(Type.PONG)).catch(() => {}), 300);
  try {
    const flood = floodChannel(publisher, number);
    await log.until("slow consumer", { number: slow.number });
    await within(flood.over, "end of the flood");
    const frames = await publisher.barrier();
    assertEquals(frames.filter(({ type }) => type !== Type.PING), []);
  } finally {
    clearInterval(alive);
  }
});
