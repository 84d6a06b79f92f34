/**
 * Back-pressure under full load: a publisher at full speed, a subscriber that keeps up, a slow consumer that reads a
 * megabyte a second, and sessions on another channel.
 */

import { assert, assertEquals } from "@std/assert";
import { BUFFER_BYTES, MAX_FREE_BUFFERS } from "../../lib/limits.ts";
import { Type } from "../../lib/wire/header.ts";
import { concat, type Frame, type RawClient } from "../harness/raw_client.ts";
import { LoadFreeClock } from "../harness/load_free_clock.ts";
import { processAttack } from "./harness.ts";
import { BOTH } from "./transport.ts";

const KiB = 1024;
const MiB = 1024 * KiB;

const MESSAGE_BYTES = 4 * KiB;
const MESSAGES = 200 * MiB / MESSAGE_BYTES;
const PER_WRITE = 64;
/** What must be taken in it, a sixteenth of what may be pending, is twice what the slow consumer reads. */
const SLOW_CONSUMER_MS = 500;
/** For what a busy machine delays besides its processor. */
const TOLERANCE_MS = 1000;
/** How many messages come from one reading of the clock to the next. */
const PER_READING = 16;
/** 16 MiB may be pending for each of the two subscribers; the rest is garbage that has not been collected yet. */
const MAX_GROWTH_BYTES = 80 * MiB;
/** Free buffers that are kept for the next load, and a little; nothing of what was pending. */
const MAX_HELD_BYTES = MAX_FREE_BUFFERS * BUFFER_BYTES.reduce((sum, size) => sum + size) + MiB;
/** What the 99th percentile of the sessions on another channel may wait. */
const MAX_P99_MS = 500;

/** Publishes messages that begin with their index, as fast as the server takes them. */
async function publish(client: RawClient, channel: number): Promise<void> {
  const bytes = concat(
    Array.from({ length: PER_WRITE }, () => client.message(channel, new Uint8Array(MESSAGE_BYTES - 16))),
  );
  const view = new DataView(bytes.buffer);
  for (let index = 0; index < MESSAGES;) {
    for (let i = 0; i < PER_WRITE; i++) view.setUint32(i * MESSAGE_BYTES + 16, index++);
    await client.send(bytes);
  }
}

/** The index of a message. */
function indexOf({ payload }: Frame): number {
  return new DataView(payload.buffer, payload.byteOffset).getUint32(0);
}

/** Reads all messages, which must come in order; returns the longest wait for one, in milliseconds of `clock`. */
async function readAll(client: RawClient, clock: LoadFreeClock): Promise<number> {
  let longestMs = 0;
  let last = clock.now();
  for (let index = 0; index < MESSAGES; index++) {
    assertEquals(indexOf(await client.expect(Type.MESSAGE)), index);
    if (index % PER_READING > 0) continue;
    const now = clock.now();
    longestMs = Math.max(longestMs, now - last);
    last = now;
  }
  return longestMs;
}

/** Reads a megabyte a second, messages in order, until the server closes the connection. */
async function readSlowly(client: RawClient): Promise<void> {
  const start = performance.now();
  for (let index = 0;; index++) {
    // The pace is what is tested; there is no event to wait for.
    const early = index * MESSAGE_BYTES / 1e6 * 1000 - (performance.now() - start);
    if (early > 10) await new Promise((resolve) => setTimeout(resolve, early));
    const frame = await client.nextOrEnd();
    if (frame?.type !== Type.MESSAGE) return;
    assertEquals(indexOf(frame), index);
  }
}

processAttack(
  "a subscriber that reads a megabyte a second delays the others for no longer than the slow-consumer timeout",
  { transports: BOTH, args: ["--slow-consumer-timeout", `${SLOW_CONSUMER_MS / 1000}s`], isMeasured: true },
  async (harness) => {
    const [publisher, fast, slow] = [await harness.greet(), await harness.greet(), await harness.greet()];
    const { number } = await fast.open("feed");
    await slow.open("feed");
    await publisher.openToPublish("feed");
    const held = await harness.host.heldBytes();
    const before = harness.host.server.residentBytes();
    let most = before;
    harness.control.tookMs.length = 0;
    using clock = new LoadFreeClock(harness.host.pid);
    const watching = setInterval(() => most = Math.max(most, harness.host.server.residentBytes()), 20);
    try {
      const [longestMs] = await Promise.all([
        readAll(fast, clock),
        readSlowly(slow),
        publish(publisher, number),
      ]);
      assert(
        longestMs < SLOW_CONSUMER_MS + TOLERANCE_MS,
        `the fast subscriber waited ${Math.round(longestMs)} ms`,
      );
    } finally {
      clearInterval(watching);
    }
    await harness.host.log.until("closed", { number: slow.number, reason: "slow_consumer" });
    const grown = most - before;
    assert(grown < MAX_GROWTH_BYTES, `it grew by ${(grown / MiB).toFixed(1)} MiB`);
    harness.closeClients();
    const kept = await harness.host.heldBytes() - held;
    assert(kept < MAX_HELD_BYTES, `it holds ${(kept / MiB).toFixed(1)} MiB more than before`);
    const p99 = harness.control.p99();
    assert(p99 < MAX_P99_MS, `p99 on another channel was ${Math.round(p99)} ms`);
  },
);
