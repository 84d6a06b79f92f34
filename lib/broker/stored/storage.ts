/**
 * One log of a server, with its commits, and the bounds of what it holds.
 *
 * @module
 */

import { Commits } from "./commits.ts";
import type { ChannelLog, Committed, Trim } from "./log.ts";
import type { StoredChannel } from "./stored_channel.ts";

/** A log, and the most that all of its channels may take, in bytes. */
export interface StorageOptions {
  readonly log: ChannelLog;
  readonly maxBytes: number;
}

/** What a storage needs of its server. */
export interface StorageEvents {
  /** The time of day, in milliseconds since 1970. */
  readonly time: () => number;
  /** The stored channel of that number. */
  find(number: number): StoredChannel | undefined;
  /** Nothing of a commit was stored. */
  failed(error: unknown): void;
  /** Something threw that must not, which is a bug. */
  broken(error: unknown): void;
}

/** See the module's comment. */
export class Storage {
  readonly log: ChannelLog;
  readonly commits: Commits;
  /** The size of all channels. */
  readonly total: { bytes: number } = { bytes: 0 };
  /** The epoch of channels that are stored for the first time. */
  epoch: string;
  readonly #maxBytes: number;
  readonly #time: () => number;

  constructor({ log, maxBytes }: StorageOptions, { time, find, failed, broken }: StorageEvents) {
    this.log = log;
    this.epoch = log.state.epoch;
    this.#maxBytes = maxBytes;
    this.#time = time;
    this.commits = new Commits(log, {
      time,
      find,
      failed,
      broken,
      trim: (channel, count, bytes) => this.#trim(channel, count, bytes),
      trimmed: (channels: Committed["trimmed"]) => {
        for (const { number, first, bytes } of channels) find(number)?.trimmed(first, bytes);
      },
    });
  }

  /** Why `count` messages of together `bytes` cannot be stored, if they cannot. */
  refusal(channel: StoredChannel, bytes: number, count: number): string | undefined {
    const { policy, first, last, unstoredBytes, unstoredCount } = channel;
    if (policy.full === "refuse") {
      if (channel.bytes + unstoredBytes + bytes > policy.maxBytes) {
        return `${policy.maxBytes} bytes are stored, the limit of this channel`;
      }
      if (last - first + 1 + unstoredCount + count > policy.maxMessages) {
        return `${policy.maxMessages} messages are stored, the limit of this channel`;
      }
    }
    const excess = this.#excess + bytes;
    if (excess <= 0) return undefined;
    // Others' messages do not go for those of this channel.
    if (policy.full === "drop-old" && channel.bytes + unstoredBytes > excess) return undefined;
    return `${this.#maxBytes} bytes are stored, the limit of the whole store`;
  }

  /** Drops what has become too old. */
  trimOld(channel: StoredChannel): void {
    if (channel.policy.maxAgeMs === Infinity || channel.first > channel.last) return;
    this.commits.trim(this.#trimOf(channel, channel.first, Infinity));
  }

  /** By how much the storage is over its limit, with what waits to be stored. */
  get #excess(): number {
    return this.total.bytes + this.commits.bytes - this.#maxBytes;
  }

  #trim(channel: StoredChannel, count: number, bytes: number): Trim | undefined {
    const { maxMessages, maxBytes } = channel.policy;
    const first = Math.max(channel.first, channel.last + count - maxMessages + 1);
    const excess = this.#excess;
    const keep = Math.min(maxBytes, excess > 0 ? channel.bytes + bytes - excess : Infinity);
    if (first === channel.first && channel.bytes + bytes <= keep) return undefined;
    return this.#trimOf(channel, first, Math.max(0, keep));
  }

  #trimOf({ number, policy }: StoredChannel, first: number, bytes: number): Trim {
    return { channel: number, first, bytes, before: this.#time() - policy.maxAgeMs };
  }
}
