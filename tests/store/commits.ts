/**
 * What tests of logs commit: runs of one channel whose bytes tell their first sequence.
 *
 * @module
 */

import type { Commit, StoredRun } from "../../lib/broker/stored/log.ts";

/** An empty commit. */
export const NOTHING: Commit = {
  time: 1000,
  channels: [],
  runs: [],
  producers: [],
  consumers: [],
  deletedConsumers: [],
  keys: [],
  trims: [],
  deletedChannels: [],
};

/** A channel that is stored for the first time. */
export const CHANNEL = { name: "d.a", number: 7, epoch: "e", first: 1, last: 0, bytes: 0 };

/** A run of {@linkcode CHANNEL}. */
export function run(first: number, count: number, size = count * 20) {
  return { channel: CHANNEL.number, first, count, bytes: new Uint8Array(size).fill(first) };
}

/** What was read, for comparisons: `first+count size byte`. */
export function ranges(runs: readonly StoredRun[]): string[] {
  return runs.map(({ first, count, bytes }) => `${first}+${count} ${bytes.length} ${bytes[0]}`);
}
