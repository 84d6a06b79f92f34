/**
 * The stored channels of one server, by name, and the logs that keep them.
 *
 * @module
 */

import {
  KEPT_CHANNELS_PER_SWEEP,
  MAX_CONSUMERS,
  MAX_NUMBER,
  MAX_STORED_CHANNELS,
  SESSIONS_RESERVED,
} from "../../limits.ts";
import { failure, type Log } from "../../logging/log.ts";
import { overlaps } from "../../wire/names.ts";
import type { Peer } from "../peer.ts";
import type { WorkBudget } from "../work_budget.ts";
import type { Stateful } from "./commit_others.ts";
import type { Commits } from "./commits.ts";
import { Consumer } from "./consumer.ts";
import type { ConsumerContext } from "./consumer_context.ts";
import type { Cursor } from "./cursor.ts";
import type { ChannelState, ConsumerState, StoredRun } from "./log.ts";
import { keepAll, policyOf, type StoragePolicy } from "./policy.ts";
import { Storage, type StorageOptions } from "./storage.ts";
import { type RoutedChannel, StoredChannel, type StoredContext } from "./stored_channel.ts";
import { after } from "./timers.ts";

/** What stored channels are made from. */
export interface StoredOptions {
  readonly policies: readonly StoragePolicy[];
  /** Needed if a policy says "durable", or anything durable is left from before. */
  readonly durable: StorageOptions | undefined;
  /** Needed if a policy says "history". */
  readonly history: StorageOptions | undefined;
  readonly budget: WorkBudget;
  /** A clock in milliseconds that never goes back. */
  readonly now: () => number;
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

/** See the module's comment. */
export class StoredChannels implements StoredContext {
  readonly budget: WorkBudget;
  readonly #policies: readonly StoragePolicy[];
  readonly #log: Log;
  readonly #durable: Storage | undefined;
  readonly #history: Storage | undefined;
  readonly #byName = new Map<string, StoredChannel>();
  readonly #byNumber = new Map<number, StoredChannel>();
  /** What reads from a log that could not be read. */
  readonly #failed = new Set<Pick<Cursor, "wake">>();
  readonly #now: () => number;
  readonly #consumerContext: Omit<ConsumerContext, "changed">;
  readonly #consumers = new Set<Consumer>();
  /** How often a log could not be read. */
  readFailures = 0;
  /** The highest number of a channel that was stored before. */
  readonly lastNumber: number;
  #holder: Holder | undefined;
  #sweeping: Iterator<StoredChannel> | undefined;
  /** Session numbers below it may be given out. */
  #reserved = 0;

  constructor({ policies, durable, history, budget, now, time, log }: StoredOptions) {
    this.budget = budget;
    this.#now = now;
    this.#consumerContext = { budget, now, time, after, readAhead: { bytes: 0 } };
    this.#policies = policies;
    this.#log = log;
    const events = {
      time,
      now,
      after,
      find: (number: number) => this.#byNumber.get(number),
      failed: (error: unknown) => log.error("nothing was stored", failure(error)),
      broken: (error: unknown) => log.error("internal error", failure(error)),
    };
    this.#durable = durable && new Storage(durable, events);
    this.#history = history && new Storage(history, { ...events, all: () => this.#byName.values() });
    for (const state of durable?.log.state.channels ?? []) {
      // What is stored stays stored if the configuration no longer says so, until an operator deletes it.
      const policy = policyOf(policies, state.name);
      this.#add(state, policy?.storage === "durable" ? policy : keepAll(state.name), false);
    }
    this.lastNumber = highest(this.#byNumber);
    for (const state of durable?.log.state.consumers ?? []) {
      const channel = this.#byNumber.get(state.channel);
      if (channel !== undefined) this.#addConsumer(channel, state, false);
    }
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

  /** How the channel of that name is stored, or will be. */
  storageNamed(name: string): StoragePolicy["storage"] | undefined {
    return (this.#byName.get(name)?.policy ?? policyOf(this.#policies, name))?.storage;
  }

  /** Whether there may be a consumer of that name, on `channel`. */
  mayConsume(channel: StoredChannel, key: string): boolean {
    return channel.consumers.has(key) || this.#consumers.size < MAX_CONSUMERS;
  }

  /** The consumer `key` of `channel`. If it is new, it has dealt with everything up to `position`. */
  consumer(channel: StoredChannel, key: string, position: number): Consumer {
    const known = channel.consumers.get(key);
    if (known !== undefined) return known;
    const state = { channel: channel.number, consumer: key, position, isPaused: false, setAside: [] };
    return this.#addConsumer(channel, state, true);
  }

  #addConsumer(channel: StoredChannel, state: ConsumerState, isNew: boolean): Consumer {
    const context = {
      ...this.#consumerContext,
      changed: (consumer: Stateful) => this.commitsOf(channel).changed(consumer),
    };
    const consumer = new Consumer(state, channel, context, isNew);
    channel.consumers.set(state.consumer, consumer);
    this.#consumers.add(consumer);
    return consumer;
  }

  /** The consumer was deleted. */
  forget(consumer: Consumer): void {
    consumer.end();
    this.#consumers.delete(consumer);
  }

  /** How many producers there are, on all channels. */
  get producerCount(): number {
    this.budget.spend(this.#byName.size);
    let count = 0;
    for (const { producers } of this.#byName.values()) count += producers.size;
    return count;
  }

  /** The log that durable channels have, if there are any. */
  get durable(): Storage | undefined {
    return this.#durable;
  }

  /** All consumers of durable channels. */
  get consumers(): ReadonlySet<Consumer> {
    return this.#consumers;
  }

  /** How many channels are known. */
  get size(): number {
    return this.#byName.size;
  }

  /** All that are known. */
  get all(): Iterable<StoredChannel> {
    return this.#byName.values();
  }

  /** The channel `name`, which gets `number` if it is new; `undefined` if it is not stored. */
  open(name: string, number: number): StoredChannel | undefined {
    const known = this.#byName.get(name);
    if (known !== undefined) return known;
    const policy = policyOf(this.#policies, name);
    if (policy === undefined) return undefined;
    const { epoch } = this.storageOf(policy);
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
    return this.storageOf(channel.policy).commits;
  }

  /** The sequence of the first message of `channel` that was stored at `time` or later. */
  findTime(channel: StoredChannel, time: number): Promise<number> {
    return this.storageOf(channel.policy).log.find(channel.number, time);
  }

  /** Why `count` messages of together `bytes` cannot be stored, if they cannot. */
  readonly refusal = (channel: StoredChannel, bytes: number, count: number): string | undefined =>
    this.storageOf(channel.policy).refusal(channel, bytes, count);

  read(channel: StoredChannel, from: number, maxBytes: number): Promise<readonly StoredRun[]> {
    return this.storageOf(channel.policy).log.read(channel.number, from, maxBytes);
  }

  readFailed(channel: StoredChannel, reader: Pick<Cursor, "wake">, error: unknown): void {
    this.readFailures++;
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
    const now = this.#now();
    for (const consumer of this.#consumers) consumer.sweep(now);
    this.#sweeping ??= this.#byName.values();
    for (let i = 0; i < KEPT_CHANNELS_PER_SWEEP; i++) {
      const { value: channel, done } = this.#sweeping.next();
      if (done) return void (this.#sweeping = undefined);
      channel.rest();
      this.storageOf(channel.policy).trimOld(channel);
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
    await this.settled();
    for (const consumer of this.#consumers) consumer.end();
    await Promise.all([this.#durable?.log.close(), this.#history?.log.close()]);
  }

  /** The log that keeps what `policy` says. */
  storageOf({ storage }: StoragePolicy): Storage {
    return (storage === "durable" ? this.#durable : this.#history)!;
  }

  #add(state: ChannelState, policy: StoragePolicy, isNew: boolean): StoredChannel {
    const { total } = this.storageOf(policy);
    const channel = new StoredChannel(state, policy, isNew, this, total);
    total.bytes += channel.bytes;
    total.messages += channel.messages;
    this.#byName.set(channel.name, channel);
    this.#byNumber.set(channel.number, channel);
    return channel;
  }
}

function highest(numbers: ReadonlyMap<number, unknown>): number {
  let last = 0;
  for (const number of numbers.keys()) if (number > last) last = number;
  return last;
}
