/**
 * The stored channels of one server, by name, and the logs that keep them.
 *
 * @module
 */

import { KEPT_CHANNELS_PER_SWEEP, MAX_NUMBER, MAX_STORED_CHANNELS, SESSIONS_RESERVED } from "../../limits.ts";
import { failure, type Log } from "../../logging/log.ts";
import { overlaps } from "../../wire/names.ts";
import type { Peer } from "../peer.ts";
import type { WorkBudget } from "../work_budget.ts";
import { Commits } from "./commits.ts";
import type { Cursor } from "./cursor.ts";
import type { ChannelLog, ChannelState, Committed, StoredRun, Trim } from "./log.ts";
import { policyOf, type StoragePolicy } from "./policy.ts";
import { type RoutedChannel, StoredChannel, type StoredContext } from "./stored_channel.ts";

/** One log, and what it may hold. */
export interface Storage {
  readonly log: ChannelLog;
  /** The most that all of its channels may take, in bytes. */
  readonly maxBytes: number;
}

/** What stored channels are made from. */
export interface StoredOptions {
  readonly policies: readonly StoragePolicy[];
  /** Needed if a policy says "durable", or anything durable is left from before. */
  readonly durable: Storage | undefined;
  /** Needed if a policy says "history". */
  readonly history: Storage | undefined;
  readonly budget: WorkBudget;
  /** The time of day, in milliseconds since 1970. */
  readonly time: () => number;
  readonly log: Log;
}

/** The channels and sessions of the server, as stored channels need them. */
export interface Holder {
  /** Opens the channel of that name once more. */
  open(name: string): RoutedChannel;
  /** Undoes one `open`. */
  releaseName(name: string): void;
  session(number: number): Peer | undefined;
}

/** A log with its commits, and the size of its channels. */
interface Kept extends Storage {
  readonly commits: Commits;
  readonly total: { bytes: number };
}

/** See the module's comment. */
export class StoredChannels implements StoredContext {
  readonly budget: WorkBudget;
  readonly #policies: readonly StoragePolicy[];
  readonly #log: Log;
  readonly #time: () => number;
  readonly #durable: Kept | undefined;
  readonly #history: Kept | undefined;
  readonly #byName = new Map<string, StoredChannel>();
  readonly #byNumber = new Map<number, StoredChannel>();
  /** What reads from a log that could not be read. */
  readonly #failed = new Set<Pick<Cursor, "wake">>();
  /** The highest number of a channel that was stored before. */
  readonly lastNumber: number;
  #holder: Holder | undefined;
  #sweeping: Iterator<StoredChannel> | undefined;
  /** Session numbers below it may be given out. */
  #reserved = 0;

  constructor({ policies, durable, history, budget, time, log }: StoredOptions) {
    this.budget = budget;
    this.#policies = policies;
    this.#time = time;
    this.#log = log;
    this.#durable = durable && this.#kept(durable);
    this.#history = history && this.#kept(history);
    for (const state of durable?.log.state.channels ?? []) {
      // What is stored stays stored if the configuration no longer says so, until an operator deletes it.
      const policy = policyOf(policies, state.name);
      this.#add(state, policy?.storage === "durable" ? policy : keepAll(state.name), false);
    }
    this.lastNumber = highest(this.#byNumber);
    for (const { channel, producer, stored } of durable?.log.state.producers ?? []) {
      this.#byNumber.get(channel)?.producers.set(producer, {
        key: producer,
        stored,
        unsettled: 0,
        owner: undefined,
      });
    }
  }

  /** The channels and sessions of the server exist from now on. */
  attach(holder: Holder): void {
    this.#holder = holder;
  }

  /** The stored channel of that name, if there is one. */
  find(name: string): StoredChannel | undefined {
    return this.#byName.get(name);
  }

  /** How many producers there are, on all channels. */
  get producerCount(): number {
    let count = 0;
    for (const { producers } of this.#byName.values()) count += producers.size;
    return count;
  }

  /** All that are known. */
  get all(): Iterable<StoredChannel> {
    return this.#byName.values();
  }

  /** Whether a channel of that name is stored. */
  covers(name: string): boolean {
    return this.#byName.has(name) || policyOf(this.#policies, name) !== undefined;
  }

  /** The channel `name`, which gets `number` if it is new; `undefined` if it is not stored. */
  open(name: string, number: number): StoredChannel | undefined {
    const known = this.#byName.get(name);
    if (known !== undefined) return known;
    const policy = policyOf(this.#policies, name);
    if (policy === undefined) return undefined;
    const { epoch } = this.#keptOf(policy).log.state;
    return this.#add({ name, number, epoch, first: 1, last: 0, bytes: 0 }, policy, true);
  }

  /** No session has `channel` open any more. If nothing of it was ever stored, it is forgotten. */
  closed({ name, number }: StoredChannel): void {
    const channel = this.#byName.get(name)!;
    if (!channel.isNew || !channel.isIdle) return;
    this.#byName.delete(name);
    this.#byNumber.delete(number);
  }

  /** Whether no more channels can be stored. */
  get isFull(): boolean {
    return this.#byName.size >= MAX_STORED_CHANNELS;
  }

  /** Those that `pattern` covers and of which something is stored. */
  *covered(pattern: readonly string[]): Iterable<StoredChannel> {
    for (const channel of this.#byName.values()) {
      if (channel.first <= channel.last && overlaps(pattern, channel.name.split("."))) yield channel;
    }
  }

  /** What stores the messages of `channel`. */
  commitsOf(channel: StoredChannel): Commits {
    return this.#keptOf(channel.policy).commits;
  }

  /** The sequence of the first message of `channel` that was stored at `time` or later. */
  findTime(channel: StoredChannel, time: number): Promise<number> {
    return this.#keptOf(channel.policy).log.find(channel.number, time);
  }

  /** Why `count` messages of together `bytes` cannot be stored, if they cannot. */
  readonly refusal = (channel: StoredChannel, bytes: number, count: number): string | undefined => {
    const { policy, first, last, unstoredBytes, unstoredCount } = channel;
    const { total, maxBytes, commits } = this.#keptOf(policy);
    if (policy.full === "refuse") {
      if (channel.bytes + unstoredBytes + bytes > policy.maxBytes) {
        return `${policy.maxBytes} bytes are stored, the limit of this channel`;
      }
      if (last - first + 1 + unstoredCount + count > policy.maxMessages) {
        return `${policy.maxMessages} messages are stored, the limit of this channel`;
      }
    }
    const excess = total.bytes + commits.bytes + bytes - maxBytes;
    if (excess <= 0) return undefined;
    // Others' messages do not go for those of this channel.
    if (policy.full === "drop-old" && channel.bytes + unstoredBytes > excess) return undefined;
    return `${maxBytes} bytes are stored, the limit of the whole store`;
  };

  read(channel: StoredChannel, from: number, maxBytes: number): Promise<readonly StoredRun[]> {
    return this.#keptOf(channel.policy).log.read(channel.number, from, maxBytes);
  }

  readFailed(channel: StoredChannel, reader: Pick<Cursor, "wake">, error: unknown): void {
    this.#log.error("cannot read a stored channel; trying again", {
      channel: channel.name,
      ...failure(error),
    });
    this.#failed.add(reader);
  }

  hold(name: string): RoutedChannel {
    return this.#holder!.open(name);
  }

  release(name: string): void {
    this.#holder!.releaseName(name);
  }

  session(number: number): Peer | undefined {
    return this.#holder!.session(number);
  }

  /** Session numbers up to `last` were given out: none of them is given out again after a restart. */
  sessionsGiven(last: number): void {
    if (this.#durable === undefined || last < this.#reserved - SESSIONS_RESERVED / 2) return;
    this.#reserved = last + SESSIONS_RESERVED;
    this.#durable.commits.reserveSessions((this.#reserved - 1) % MAX_NUMBER + 1);
  }

  /** Drops what has become too old, and closes what nothing needs. To be called once a second. */
  sweep(): void {
    for (const reader of this.#failed) reader.wake();
    this.#failed.clear();
    this.#durable?.commits.sweep();
    this.#history?.commits.sweep();
    this.#sweeping ??= this.#byName.values();
    for (let i = 0; i < KEPT_CHANNELS_PER_SWEEP; i++) {
      const { value: channel, done } = this.#sweeping.next();
      if (done) return void (this.#sweeping = undefined);
      channel.rest();
      if (channel.policy.maxAgeMs === Infinity || channel.first > channel.last) continue;
      this.commitsOf(channel).trim(this.#trimOf(channel, channel.first, Infinity));
    }
  }

  /** Calls `waiter` when a commit of durable channels has settled. */
  whenSettled(waiter: () => void): void {
    this.#durable!.commits.whenSettled(waiter);
  }

  /** Resolves once nothing waits to be stored. */
  async settled(): Promise<void> {
    await Promise.all([this.#durable?.commits.settled(), this.#history?.commits.settled()]);
  }

  /** Closes the logs, once what waits is stored. */
  async close(): Promise<void> {
    await Promise.all([this.#durable?.log.close(), this.#history?.log.close()]);
  }

  #kept({ log, maxBytes }: Storage): Kept {
    const commits = new Commits(log, {
      time: this.#time,
      trim: (channel, count, bytes) => this.#trim(channel, count, bytes),
      trimmed: (channels) => this.#trimmed(channels),
      failed: (error) => this.#log.error("nothing was stored", failure(error)),
      broken: (error) => this.#log.error("internal error", failure(error)),
    });
    return { log, maxBytes, commits, total: { bytes: 0 } };
  }

  #keptOf({ storage }: StoragePolicy): Kept {
    return (storage === "durable" ? this.#durable : this.#history)!;
  }

  #add(state: ChannelState, policy: StoragePolicy, isNew: boolean): StoredChannel {
    const { total } = this.#keptOf(policy);
    const channel = new StoredChannel(state, policy, isNew, this, total);
    total.bytes += channel.bytes;
    this.#byName.set(channel.name, channel);
    this.#byNumber.set(channel.number, channel);
    return channel;
  }

  #trim(channel: StoredChannel, count: number, bytes: number): Trim | undefined {
    const { maxMessages, maxBytes } = channel.policy;
    const kept = this.#keptOf(channel.policy);
    const first = Math.max(channel.first, channel.last + count - maxMessages + 1);
    const excess = kept.total.bytes + kept.commits.bytes - kept.maxBytes;
    const keep = Math.min(maxBytes, excess > 0 ? channel.bytes + bytes - excess : Infinity);
    if (first === channel.first && channel.bytes + bytes <= keep) return undefined;
    return this.#trimOf(channel, first, Math.max(0, keep));
  }

  #trimOf({ number, policy }: StoredChannel, first: number, bytes: number): Trim {
    return { channel: number, first, bytes, before: this.#time() - policy.maxAgeMs };
  }

  #trimmed(channels: Committed["trimmed"]): void {
    for (const { number, first, bytes } of channels) this.#byNumber.get(number)?.trimmed(first, bytes);
  }
}

function highest(numbers: ReadonlyMap<number, unknown>): number {
  let last = 0;
  for (const number of numbers.keys()) if (number > last) last = number;
  return last;
}

function keepAll(pattern: string): StoragePolicy {
  return {
    pattern,
    storage: "durable",
    maxAgeMs: Infinity,
    maxBytes: Infinity,
    maxMessages: Infinity,
    full: "drop-old",
  };
}
