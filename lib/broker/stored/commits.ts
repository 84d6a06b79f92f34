/**
 * Gathers what is to be stored in one log, and commits it: everything that has arrived by the time the commit before is
 * on disk goes into the next one.
 *
 * Sequences are given when a commit begins, so those of a commit that fails are given again. What is gathered while a
 * commit fails is refused with it: its publishers sent it before they could know.
 *
 * @module
 */

import { MAX_UNSTORED_BYTES } from "../../limits.ts";
import {
  type ChannelLog,
  type Commit,
  type Committed,
  type ConsumerState,
  joinTrims,
  type RunToStore,
  type Trim,
} from "./log.ts";
import { isNothing, merged, nothing, type Others, type Stateful } from "./commit_others.ts";
import { CommitStats } from "./commit_stats.ts";
import { Gathering } from "./gathering.ts";
import type { StoredChannel } from "./stored_channel.ts";
import { type Producer, RunBuffers, type Settler, Tail } from "./tail.ts";
import type { Timers } from "./timers.ts";

/** What commits need of their server. */
export interface CommitEvents extends Timers {
  /** The time of day, in milliseconds since 1970. */
  readonly time: () => number;
  /** What is to be dropped of a channel that is about to have `count` messages and `bytes` more, if anything is. */
  trim(channel: StoredChannel, count: number, bytes: number): Trim | undefined;
  /** Channels lost their oldest messages. */
  trimmed(channels: Committed["trimmed"]): void;
  /** The stored channel of that number. */
  find(number: number): StoredChannel | undefined;
  /** A commit failed. */
  failed(error: unknown): void;
  /** Something threw that must not, which is a bug. */
  broken(error: unknown): void;
}

/** What one channel has in a commit. */
interface Part {
  readonly channel: StoredChannel;
  readonly tail: Tail;
  readonly runs: readonly RunToStore[];
}

/** See the module's comment. */
export class Commits {
  readonly stats = new CommitStats();
  readonly #log: ChannelLog;
  readonly #events: CommitEvents;
  readonly #gathering: Gathering;
  readonly #buffers = new RunBuffers();
  /** What waits for the next commit. */
  #dirty: StoredChannel[] = [];
  #others = nothing();
  /** Bytes that are not stored yet. */
  #bytes = 0;
  /** What `reserveSessions` was given last. */
  #firstSession: number | undefined;
  #isScheduled = false;
  #isBusy = false;
  #waiters = new Set<() => void>();
  /** The producers of the next commit. */
  #producers = new Map<Producer, StoredChannel>();

  constructor(log: ChannelLog, events: CommitEvents) {
    this.#log = log;
    this.#events = events;
    this.#gathering = new Gathering(events, this.#begin);
  }

  /** Bytes that are not stored yet. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Calls `waiter` once, when a commit has settled. */
  whenSettled(waiter: () => void): void {
    this.#waiters.add(waiter);
  }

  /** Whether `bytes` more may wait to be stored. If not, `waiter` will be called. */
  hasRoom(bytes: number, waiter: () => void): boolean {
    if (this.#bytes === 0 || this.#bytes + bytes <= MAX_UNSTORED_BYTES) return true;
    this.#waiters.add(waiter);
    return false;
  }

  /** Stores the `count` messages `bytes[from, to)` with the next commit. See {@linkcode Entry} for the others. */
  append(
    channel: StoredChannel,
    bytes: Uint8Array,
    from: number,
    to: number,
    count: number,
    publisher: Settler,
    id: number,
  ): void {
    let { tail } = channel;
    if (tail === undefined) {
      channel.hold();
      channel.tail = tail = new Tail(this.#buffers);
      this.#dirty.push(channel);
    }
    tail.append(bytes, from, to, count, publisher, id);
    this.#bytes += to - from;
    channel.unstoredBytes += to - from;
    channel.unstoredCount += count;
    if (publisher.producer !== undefined) this.#producers.set(publisher.producer, channel);
    this.#gathering.added(id !== 0, this.#bytes);
    this.#schedule();
  }

  /** The message of `channel` that was appended last is stored under `key`, which a later one must not be. */
  addKey(channel: StoredChannel, key: string): void {
    channel.tail!.addKey(key);
  }

  /** The state of `consumer` goes with the next commit. */
  changed(consumer: Stateful): void {
    this.#others.consumers.add(consumer);
    this.#schedule();
  }

  /** Has `trim` done with the next commit. */
  trim(trim: Trim): void {
    this.#others.trims.set(trim.channel, joinTrims(this.#others.trims.get(trim.channel), trim));
    this.#schedule();
  }

  /** A consumer is deleted with the next commit. */
  deleteConsumer(consumer: Pick<ConsumerState, "channel" | "consumer">): void {
    this.#others.deletedConsumers.push(consumer);
    this.#schedule();
  }

  /** A channel is deleted with the next commit. Channels that are made from then on have `epoch`. */
  deleteChannel(channel: number, epoch: string): void {
    this.#others.deletedChannels.push(channel);
    this.#others.epoch = epoch;
    this.#schedule();
  }

  /** See `LogState.firstSession`. */
  reserveSessions(firstSession: number): void {
    this.#others.firstSession = this.#firstSession = firstSession;
    this.#schedule();
  }

  /** Tries again what a commit that failed had besides runs. To be called once a second. */
  sweep(): void {
    // If nothing is to be tried again, something is written anew: how else would it be known that the disk is whole again?
    if (this.stats.isFailing) this.#others.firstSession ??= this.#firstSession;
    if (!isNothing(this.#others)) this.#schedule();
  }

  /** Resolves once what waits to be stored now has settled. */
  async settled(): Promise<void> {
    for (let left = Number(this.#isBusy) + Number(this.#isScheduled); left > 0; left--) await this.next();
  }

  /** Resolves once the next commit has settled. */
  next(): Promise<void> {
    return new Promise((resolve) => this.whenSettled(resolve));
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    // Deferred, so that a whole chunk, with all of its channels, goes into one commit.
    if (!this.#isBusy) queueMicrotask(this.#next);
  }

  /** Begins the next commit, or has it wait. */
  readonly #next = () => {
    if (!this.#gathering.waits(this.#bytes)) this.#begin();
  };

  readonly #begin = () => {
    this.#isScheduled = false;
    this.#isBusy = true;
    this.#gathering.began();
    const parts = this.#dirty.map(partOf);
    const { commit, others } = this.#take(parts);
    const begin = this.#events.now();
    this.#log.commit(commit).then(
      (committed) => {
        const tookMs = this.#events.now() - begin;
        this.stats.committed(tookMs);
        this.#gathering.settled(tookMs);
        this.#settle(() => this.#stored(parts, commit, committed));
      },
      (error) => this.#settle(() => this.#notStored(parts, others, error)),
    ).catch((error) => this.#events.broken(error));
  };

  /** Takes all that waits, as a commit. */
  #take(parts: readonly Part[]): { commit: Commit; others: Others } {
    const others = this.#others;
    this.#others = nothing();
    const consumers = [...others.consumers].map((consumer) => consumer.takeState());
    const created = new Set(parts.map(({ channel }) => channel));
    for (const { channel } of consumers) created.add(this.#events.find(channel)!);
    // What makes room for the new messages is dropped with them, or not at all: `others` is tried again without them.
    const trims = new Map(others.trims);
    for (const { channel, tail } of parts) {
      const trim = this.#events.trim(channel, tail.count, tail.size);
      if (trim !== undefined) trims.set(channel.number, joinTrims(trims.get(channel.number), trim));
    }
    const channels = [...created].filter(({ isNew }) => isNew).map(({ name, number, epoch }) => (
      { name, number, epoch, first: 1, last: 0, bytes: 0 }
    ));
    const producers = [...this.#producers].map(([producer, { number }]) => ({
      channel: number,
      producer: producer.key,
      stored: producer.stored + producer.unsettled,
    }));
    this.#dirty = [];
    this.#producers = new Map();
    const commit = {
      time: this.#events.time(),
      channels,
      runs: parts.flatMap(({ runs }) => runs),
      producers,
      consumers,
      deletedChannels: others.deletedChannels,
      deletedConsumers: others.deletedConsumers,
      keys: parts.flatMap(({ channel, tail }) => tail.storedKeys(channel)),
      trims: [...trims.values()],
      epoch: others.epoch,
      firstSession: others.firstSession,
    };
    return { commit, others };
  }

  #settle(report: () => void): void {
    try {
      report(); // may schedule the next commit, which must not begin twice
    } finally {
      this.#isBusy = false;
      if (this.#isScheduled) this.#next();
      const waiters = this.#waiters;
      this.#waiters = new Set(); // a waiter may register again from within its call
      for (const waiter of waiters) waiter();
    }
  }

  #stored(parts: readonly Part[], { channels, trims }: Commit, { trimmed, hasMoreToTrim }: Committed): void {
    for (const { number } of channels) this.#events.find(number)!.isNew = false;
    for (const { channel, tail, runs } of parts) {
      this.#uncount(channel, tail);
      let sequence = channel.last;
      for (const run of runs) channel.stored(run);
      for (const entry of tail.entries) {
        sequence += entry.count;
        entry.publisher.stored(entry, sequence);
      }
      tail.release();
    }
    this.#events.trimmed(trimmed);
    if (hasMoreToTrim) { for (const trim of trims) this.trim(trim); }
  }

  #notStored(parts: readonly Part[], others: Others, error: unknown): void {
    this.stats.failed();
    this.#gathering.failed();
    this.#events.failed(error);
    const gathered = this.#dirty.map(partOf);
    this.#dirty = [];
    this.#producers = new Map();
    this.#isScheduled = false;
    const reason = error instanceof Error ? error.message : String(error);
    for (const { channel, tail } of [...parts, ...gathered]) {
      this.#uncount(channel, tail);
      for (const entry of tail.entries) entry.publisher.notStored(entry, reason);
      tail.release();
    }
    // Everything else waits for `sweep`, so that a broken disk is not tried without a pause.
    this.#others = merged(others, this.#others);
  }

  /** What `channel` had in a commit waits no longer. */
  #uncount(channel: StoredChannel, tail: Tail): void {
    this.#bytes -= tail.size;
    channel.unstoredBytes -= tail.size;
    channel.unstoredCount -= tail.count;
  }
}

/** Takes what `channel` has for a commit, and gives it its sequences. */
function partOf(channel: StoredChannel): Part {
  const tail = channel.tail!;
  channel.tail = undefined;
  let first = channel.last + 1;
  const runs = tail.runs.map(({ bytes, size, count }) => {
    const run = { channel: channel.number, first, count, bytes: bytes.subarray(0, size) };
    first += count;
    return run;
  });
  return { channel, tail, runs };
}
