/**
 * One log of a server, with its commits, and the bounds of what it holds.
 *
 * @module
 */

import { Commits } from "./commits.ts";
import type { ChannelLog, Committed, Trim } from "./log.ts";
import { SharedRoom } from "./shared_room.ts";
import type { StoredChannel, StoredTotal } from "./stored_channel.ts";
import type { Timers } from "./timers.ts";

/** A log, and the most that all of its channels may take, in bytes. */
export interface StorageOptions {
  readonly log: ChannelLog;
  readonly maxBytes: number;
}

/** What a storage needs of its server. */
export interface StorageEvents extends Timers {
  /** The time of day, in milliseconds since 1970. */
  readonly time: () => number;
  /** The stored channel of that number. */
  find(number: number): StoredChannel | undefined;
  /**
   * All channels, if those of this storage make room for each other when it is full. Without it, no channel loses messages
   * because of others, and new ones are refused.
   */
  readonly all?: () => Iterable<StoredChannel>;
  /** Nothing of a commit was stored. */
  failed(error: unknown): void;
  /** Something threw that must not, which is a bug. */
  broken(error: unknown): void;
}

/** How far a storage whose channels share it may exceed its limit, as a share of it. */
const MAX_SHARED_EXCESS = 1 / 4;
/** How much becomes free at once in such a storage, as a share of its limit, besides what is needed. */
const SHARED_STEP = 1 / 16;

/** See the module's comment. */
export class Storage {
  readonly log: ChannelLog;
  readonly commits: Commits;
  /** The size of all channels. */
  readonly total: StoredTotal = { bytes: 0, messages: 0 };
  /** The epoch of channels that are stored for the first time. */
  epoch: string;
  readonly maxBytes: number;
  readonly #time: () => number;
  readonly #shared: SharedRoom | undefined;
  /** How many bytes channels that come with the next commit make room for: they do not make it twice. */
  #asked = 0;

  constructor(
    { log, maxBytes }: StorageOptions,
    { time, now, after, find, all, failed, broken }: StorageEvents,
  ) {
    this.log = log;
    this.epoch = log.state.epoch;
    this.maxBytes = maxBytes;
    this.#time = time;
    this.#shared = all && new SharedRoom(all);
    this.commits = new Commits(log, {
      time,
      now,
      after,
      find,
      failed,
      broken,
      trim: (channel, count, bytes) => this.#trim(channel, count, bytes),
      trimmed: (channels: Committed["trimmed"]) => {
        for (const { number, first, bytes } of channels) find(number)?.trimmed(first, bytes);
        this.#shared?.committed();
        this.#asked = 0;
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
    // What makes room takes a moment, and the last message of each channel always stays.
    const limit = this.maxBytes * MAX_SHARED_EXCESS;
    if (this.#shared !== undefined && policy.full === "drop-old" && excess <= limit) return undefined;
    // Others' messages do not go for those of this channel.
    if (policy.full === "drop-old" && channel.bytes + unstoredBytes > excess) return undefined;
    return `${this.maxBytes} bytes are stored, the limit of the whole store`;
  }

  /** Drops what has become too old. */
  trimOld(channel: StoredChannel): void {
    if (channel.policy.maxAgeMs === Infinity || channel.first > channel.last) return;
    this.commits.trim(this.#trimOf(channel, channel.first, Infinity));
  }

  /** By how much the storage is over its limit, with what waits to be stored. */
  get #excess(): number {
    return this.total.bytes + this.commits.bytes - this.maxBytes;
  }

  #trim(channel: StoredChannel, count: number, bytes: number): Trim | undefined {
    const { maxMessages, maxBytes } = channel.policy;
    const first = Math.max(channel.first, channel.last + count - maxMessages + 1);
    const keep = Math.min(maxBytes, this.#roomFor(channel, bytes));
    if (first === channel.first && channel.bytes + bytes <= keep) return undefined;
    return this.#trimOf(channel, first, Math.max(0, keep));
  }

  /** How many bytes `channel` may keep, `bytes` new ones included, so that all channels together keep to the limit. */
  #roomFor(channel: StoredChannel, bytes: number): number {
    const excess = this.#excess - this.#asked;
    if (this.#shared === undefined) {
      if (excess <= 0) return Infinity;
      this.#asked += Math.min(excess, channel.bytes + bytes);
      return channel.bytes + bytes - excess;
    }
    if (excess > 0) {
      for (const other of this.#shared.make(excess + this.maxBytes * SHARED_STEP)) {
        this.commits.trim(this.#trimOf(other, other.first, this.#shared.keepOf(other)));
      }
    }
    return this.#shared.keepOf(channel);
  }

  #trimOf({ number, policy }: StoredChannel, first: number, bytes: number): Trim {
    return { channel: number, first, bytes, before: this.#time() - policy.maxAgeMs };
  }
}
