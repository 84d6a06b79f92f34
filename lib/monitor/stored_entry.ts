/**
 * What is shown of a stored channel.
 *
 * @module
 */

import type { Consumer } from "../broker/stored/consumer.ts";
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
  return [...take(channel.consumers.values(), MOST)].map(consumerEntry);
}

function consumerEntry({ key, stats, lag }: Consumer): ConsumerEntry {
  const { name, subject } = namedBy(key);
  return {
    consumer: name,
    ...subject !== "" && { subject },
    position: stats.position,
    lag,
    members: stats.sessions,
    isPaused: stats.isPaused,
    setAside: stats.setAside,
  };
}

/** The largest lag of the consumers of `channel`; 0 if it has none. */
export function largestLag({ consumers }: StoredChannel): number {
  let largest = 0;
  for (const { lag } of consumers.values()) largest = Math.max(largest, lag);
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
