/**
 * Publishers and subscribers: every message to every subscriber, in order.
 *
 * @module
 */

import type { Client } from "../../lib/mod.ts";
import { type Harness, numbered, numberOf, type Workload } from "./harness.ts";

/** One publisher and its subscribers. */
export interface StreamOptions {
  readonly channel: string;
  /** Payload bytes of a message, at least 4. */
  readonly size: number;
  /** Messages per batch, and the pause between batches in milliseconds. */
  readonly batch: number;
  readonly everyMs: number;
  readonly subscribers: number;
  /** A subscriber pauses after every so many messages for so long; never if left out. */
  readonly pauses?: { readonly every: number; readonly ms: number };
}

/** One subscriber and what it has received. */
interface Receiver {
  readonly client: Client;
  /** The number of the last message by channel. */
  readonly last: Map<string, number>;
  /** Resolves at the end of the stream. */
  readonly done: Promise<void>;
}

/** A stream of numbered messages on one channel. */
export function stream(options: StreamOptions): Workload {
  const { channel, size, batch, everyMs, subscribers, pauses } = options;
  return async (harness) => {
    const receivers = await Promise.all(
      Array.from({ length: subscribers }, () => receive(harness, channel, size, pauses)),
    );
    await using publisher = await harness.connect("publisher");
    const payload = numbered(harness.random, size);
    let last = 0;
    while (!harness.isOver) {
      for (let i = 0; i < batch; i++) await publisher.publish(channel, payload(++last));
      harness.counters.published += batch;
      await harness.pause(everyMs);
    }
    await publisher.publish(channel, "");
    await checkAllReceived(harness, receivers, new Map([[channel, last]]));
  };
}

/** Messages on several channels in turn, received through patterns. */
export function patterns(prefix: string, count: number): Workload {
  return async (harness) => {
    const size = 64;
    const receivers = await Promise.all([
      receive(harness, `${prefix}.>`, size),
      receive(harness, `${prefix}.*`, size),
    ]);
    await using publisher = await harness.connect("publisher");
    const channels = Array.from({ length: count }, (_, i) => `${prefix}.${i}`);
    const payload = numbered(harness.random, size);
    let last = 0;
    while (!harness.isOver) {
      last++;
      for (const channel of channels) await publisher.publish(channel, payload(last));
      harness.counters.published += count;
      await harness.pause(10);
    }
    await publisher.publish(channels[0], "");
    await checkAllReceived(harness, receivers, new Map(channels.map((name) => [name, last])));
  };
}

/** Subscribes to a name or pattern and checks the order of the messages on each channel. */
async function receive(
  harness: Harness,
  channel: string,
  size: number,
  pauses?: StreamOptions["pauses"],
): Promise<Receiver> {
  const client = await harness.connect("subscriber");
  const last = new Map<string, number>();
  const done = harness.readToEnd(await client.subscribe(channel), async ({ channel, payload }) => {
    const [number, before] = [numberOf(payload), last.get(channel) ?? 0];
    if (number !== before + 1 || payload.length !== size) {
      harness.counters.addProblem(
        `${channel}: message ${number} (${payload.length} bytes) came after message ${before}`,
      );
    }
    last.set(channel, number);
    if (pauses !== undefined && number % pauses.every === 0) {
      await new Promise((resolve) => setTimeout(resolve, pauses.ms));
    }
  });
  return { client, last, done };
}

/** Waits for the end of the stream and checks that nothing is missing. */
async function checkAllReceived(
  harness: Harness,
  receivers: readonly Receiver[],
  expected: ReadonlyMap<string, number>,
): Promise<void> {
  await harness.settle(
    Promise.all(receivers.map(({ done }) => done)),
    () => "the end of a stream did not come",
  );
  for (const { client, last } of receivers) {
    for (const [channel, count] of expected) {
      const received = last.get(channel) ?? 0;
      if (received !== count) {
        harness.counters.addProblem(`${channel}: ${count} messages sent, the last to arrive was ${received}`);
      }
    }
    await client.close();
  }
}
