/**
 * What is shown of a stored channel.
 *
 * @module
 */

import type { Consumer } from "../broker/stored/consumer.ts";
import type { ConsumerStats } from "../broker/stored/consumer_context.ts";
import { namedBy } from "../broker/stored/key.ts";
import type { StoredChannel } from "../broker/stored/stored_channel.ts";
import type { ConsumerEntry, StoredEntry } from "../wire/stats.ts";

/** Producers and consumers that are shown of one channel. */
const MOST = 100;

/** Describes a stored channel. */
export function storedEntry(channel: StoredChannel): StoredEntry {
  const { policy, epoch, first, last, messages, bytes, producers } = channel;
  return {
    storage: policy.storage,
    epoch,
    first,
    last,
    messages,
    bytes,
    producers: [...take(producers.values(), MOST)].map(({ key, stored }) => {
      const { name, subject } = namedBy(key);
      return { producer: name, ...subject !== "" && { subject }, stored };
    }),
    consumers: consumerEntries(channel),
  };
}

/** Describes the consumers of a stored channel. */
export function consumerEntries(channel: StoredChannel): ConsumerEntry[] {
  return [...take(channel.consumers.values(), MOST)].map((consumer) => consumerEntry(channel, consumer));
}

function consumerEntry(channel: StoredChannel, { key, stats }: Consumer): ConsumerEntry {
  const { name, subject } = namedBy(key);
  return {
    consumer: name,
    ...subject !== "" && { subject },
    position: stats.position,
    lag: lagOf(channel, stats),
    members: stats.sessions,
    isPaused: stats.isPaused,
    setAside: stats.setAside,
  };
}

/** How many messages a consumer has yet to deal with. */
export function lagOf({ first, last }: StoredChannel, { position }: ConsumerStats): number {
  return last - Math.max(position, first - 1);
}

/** The largest lag of the consumers of `channel`; 0 if it has none. */
export function largestLag(channel: StoredChannel): number {
  let largest = 0;
  for (const { stats } of channel.consumers.values()) largest = Math.max(largest, lagOf(channel, stats));
  return largest;
}

/** The first `most` of `items`. */
export function* take<T>(items: Iterable<T>, most: number): Iterable<T> {
  let left = most;
  for (const item of items) {
    if (left-- === 0) return;
    yield item;
  }
}
