/**
 * Publishers and subscribers: every message to every subscriber, in order.
 *
 * @module
 */

import type { Channel, Client } from "../../lib/mod.ts";
import { type Harness, numbered, numberOf, type Part } from "./harness.ts";

/** One publisher and its audience. */
export interface StreamOptions {
  readonly channel: string;
  /** Payload bytes of a message, at least 4. */
  readonly size: number;
  /** Messages published together, and how long after that the next ones are. */
  readonly batch: number;
  readonly everyMs: number;
  readonly subscribers: number;
  /** After so many messages a subscriber stops to think, for so long; never if left out. */
  readonly thinks?: { readonly every: number; readonly ms: number };
}

/** One listener and what it has heard of each channel. */
interface Listener {
  readonly client: Client;
  /** By channel, the number of its last message. */
  readonly last: Map<string, number>;
  /** Settles at the end of the stream. */
  readonly done: Promise<void>;
}

/** A stream of numbered messages on one channel. */
export function stream(options: StreamOptions): Part {
  const { channel, size, batch, everyMs, subscribers, thinks } = options;
  return async (harness) => {
    const listeners = await Promise.all(
      Array.from({ length: subscribers }, () => listen(harness, channel, size, thinks)),
    );
    await using publisher = await harness.connect("publisher");
    const output = await publisher.open(channel, { subscribe: false });
    const payload = numbered(harness.random, size);
    let last = 0;
    while (!harness.isOver) {
      for (let i = 0; i < batch; i++) await output.publish(payload(++last));
      harness.tally.published += batch;
      await harness.pause(everyMs);
    }
    await output.publish("");
    await allHeard(harness, listeners, new Map([[channel, last]]));
  };
}

/** Several channels in turn, heard by pattern. */
export function patterns(prefix: string, count: number): Part {
  return async (harness) => {
    const size = 64;
    const listeners = await Promise.all([
      listen(harness, `${prefix}.>`, size),
      listen(harness, `${prefix}.*`, size),
    ]);
    await using publisher = await harness.connect("publisher");
    const outputs: Channel[] = [];
    for (let i = 0; i < count; i++) {
      outputs.push(await publisher.open(`${prefix}.${i}`, { subscribe: false }));
    }
    const payload = numbered(harness.random, size);
    let last = 0;
    while (!harness.isOver) {
      last++;
      for (const output of outputs) await output.publish(payload(last));
      harness.tally.published += count;
      await harness.pause(10);
    }
    await outputs[0].publish("");
    await allHeard(harness, listeners, new Map(outputs.map(({ name }) => [name, last])));
  };
}

/** Subscribes to a name or pattern, and holds what comes on each channel against its order. */
async function listen(
  harness: Harness,
  channel: string,
  size: number,
  thinks?: StreamOptions["thinks"],
): Promise<Listener> {
  const client = await harness.connect("subscriber");
  const last = new Map<string, number>();
  const done = harness.readToEnd(await client.open(channel), async ({ channel, payload }) => {
    const [number, before] = [numberOf(payload), last.get(channel) ?? 0];
    if (number !== before + 1 || payload.length !== size) {
      harness.tally.found(
        `${channel}: message ${number} (${payload.length} bytes) came after message ${before}`,
      );
    }
    last.set(channel, number);
    if (thinks !== undefined && number % thinks.every === 0) {
      await new Promise((resolve) => setTimeout(resolve, thinks.ms));
    }
  });
  return { client, last, done };
}

/** Waits for the ends of the stream, and counts. */
async function allHeard(
  harness: Harness,
  listeners: readonly Listener[],
  expected: ReadonlyMap<string, number>,
): Promise<void> {
  await harness.settle(
    Promise.all(listeners.map(({ done }) => done)),
    () => "the end of a stream did not come",
  );
  for (const { client, last } of listeners) {
    for (const [channel, count] of expected) {
      const heard = last.get(channel) ?? 0;
      if (heard !== count) {
        harness.tally.found(`${channel}: ${count} messages sent, the last to arrive was ${heard}`);
      }
    }
    await client.close();
  }
}
