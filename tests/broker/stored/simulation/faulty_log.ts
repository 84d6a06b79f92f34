/**
 * A log of stored channels that fails on purpose, and the disk under it, which outlives the server.
 *
 * Nothing happens by itself: every commit and every read is pending until the schedule settles it, so it may stay so for
 * as long as a schedule likes, fail, or be cut off by a crash. The disk knows everything that was ever stored, and holds
 * the broker to what `ChannelLog` asks of its caller.
 *
 * @module
 */

import type {
  ChannelLog,
  ChannelState,
  Commit,
  Committed,
  ConsumerState,
  LogState,
  ProducerState,
  StoredKey,
  StoredRun,
  Trim,
} from "../../../../lib/broker/stored/log.ts";
import { HEADER_BYTES } from "../../../../lib/limits.ts";
import { u32 } from "../../../../lib/wire/header.ts";
import type { History } from "../../../crash/history.ts";
import { readNumbered } from "../../../crash/numbered.ts";
import type { Random } from "../../../harness/seeded.ts";

/** What a read that fails says. */
export const LOST_READ = "the disk cannot be read";

/** A run on the disk. */
interface Row extends StoredRun {
  readonly time: number;
  isDamaged: boolean;
}

/** A channel on the disk. */
interface Kept {
  readonly state: ChannelState;
  readonly history: History;
  first: number;
  last: number;
  bytes: number;
  rows: Row[];
}

/** What a disk reports to. */
export interface DiskEvents {
  /** The broker has broken a rule of `ChannelLog`, or what is stored contradicts itself. */
  violated(what: string): void;
  /** The history of the channel of that name in that epoch. */
  historyOf(channel: string, epoch: string): History;
  /** The writer that is this producer of the channel of that name, if there is one. */
  writerOf(channel: string, producer: string): number | undefined;
}

/** What is stored; see the module's comment. */
export class Disk {
  readonly #random: Random;
  readonly #events: DiskEvents;
  readonly #maxMessagesOf: (channel: string) => number;
  readonly epoch: string;
  #firstSession = 1;
  readonly channels = new Map<number, Kept>();
  readonly #producers = new Map<string, ProducerState>();
  readonly #consumers = new Map<string, ConsumerState>();
  readonly #keys = new Map<string, number>();
  /** How many messages of each writer were stored, ever. */
  readonly #written = new Map<number, number>();

  /** @param maxMessagesOf how many messages of a channel are kept */
  constructor(random: Random, epoch: string, events: DiskEvents, maxMessagesOf: (channel: string) => number) {
    this.#maxMessagesOf = maxMessagesOf;
    this.#random = random;
    this.epoch = epoch;
    this.#events = events;
  }

  /** What a log has that is opened now. */
  get state(): LogState {
    return {
      epoch: this.epoch,
      firstSession: this.#firstSession,
      channels: [...this.channels.values()].map(({ state, first, last, bytes }) => ({
        ...state,
        first,
        last,
        bytes,
      })),
      producers: [...this.#producers.values()],
      consumers: [...this.#consumers.values()],
    };
  }

  /** Stores. */
  apply(commit: Commit): Committed {
    if (commit.firstSession !== undefined) this.#firstSession = commit.firstSession;
    for (const state of commit.channels) {
      if (this.channels.has(state.number)) {
        this.#events.violated(`channel ${state.number} is stored as new again`);
      }
      const history = this.#events.historyOf(state.name, state.epoch);
      this.channels.set(state.number, { state, history, first: 1, last: 0, bytes: 0, rows: [] });
    }
    for (const run of commit.runs) this.#append(run.channel, run, commit.time);
    for (const place of commit.keys) this.#storeKey(place, commit.runs);
    for (const state of commit.producers) this.#store(state);
    for (const state of commit.consumers) this.#consumers.set(`${state.channel} ${state.consumer}`, state);
    const trimmed: ChannelState[] = [];
    let hasMoreToTrim = false;
    for (const trim of commit.trims) {
      const kept = this.channels.get(trim.channel);
      if (kept === undefined) continue;
      const { first } = kept;
      if (!this.#trim(kept, trim)) hasMoreToTrim = true;
      if (kept.first !== first) trimmed.push({ ...kept.state, first: kept.first, bytes: kept.bytes });
    }
    return { trimmed, hasMoreToTrim };
  }

  /** The runs of `channel` from `from` on, as `ChannelLog.read` gives them. */
  read(channel: number, from: number, maxBytes: number): StoredRun[] {
    const { rows = [], first = 1 } = this.channels.get(channel) ?? {};
    const runs: StoredRun[] = [];
    let bytes = 0;
    for (const row of rows) {
      if (row.first + row.count <= Math.max(from, first) || row.isDamaged) continue;
      bytes += row.bytes.length;
      if (runs.length > 0 && bytes > maxBytes) break;
      runs.push({ first: row.first, count: row.count, bytes: row.bytes.slice() });
    }
    return runs;
  }

  /** The sequence of the first message stored at `time` or later. */
  find(channel: number, time: number): number {
    const { rows = [], first = 1, last = 0 } = this.channels.get(channel) ?? {};
    const row = rows.find((row) => row.time >= time);
    return row === undefined ? last + 1 : Math.max(row.first, first);
  }

  /** The sequence of the message stored under `key`, if there is one. */
  findKey(channel: number, key: string): number | undefined {
    return this.#keys.get(`${channel} ${key}`);
  }

  /** What is kept of the consumers of every channel, with the channel's name. */
  get consumers(): { readonly channel: string; readonly state: ConsumerState }[] {
    return [...this.#consumers.values()].map((state) => ({
      channel: this.channels.get(state.channel)!.state.name,
      state,
    }));
  }

  /** Damages a run, the last one of a channel as likely as all others. */
  damage(): void {
    const all = [...this.channels.values()].filter(({ rows }) => rows.length > 0);
    if (all.length === 0) return;
    const { rows, history } = this.#random.pick(all);
    const row = this.#random.int(2) === 0 ? rows[rows.length - 1] : this.#random.pick(rows);
    row.isDamaged = true;
    history.drop({ from: row.first, to: row.first + row.count });
  }

  #append(channel: number, { first, count, bytes }: StoredRun, time: number): void {
    const kept = this.channels.get(channel);
    if (kept === undefined) return this.#events.violated(`a run of channel ${channel}, which is not stored`);
    if (first !== kept.last + 1) {
      this.#events.violated(`a run at ${first}, but the last sequence is ${kept.last}`);
    }
    let sequence = first;
    for (let at = 0; at < bytes.length; at += HEADER_BYTES + u32(bytes, at + 4)) {
      const message = readNumbered(bytes, at);
      kept.history.store({ ...message, sequence });
      this.#written.set(message.writer, (this.#written.get(message.writer) ?? 0) + 1);
      if (u32(bytes, at + 8) !== channel) this.#events.violated("a frame of another channel is stored");
      const sender = u32(bytes, at + 12);
      if (sender >= this.#firstSession) {
        this.#events.violated(`a frame of session ${sender}, but a server begins with ${this.#firstSession}`);
      }
      sequence++;
    }
    if (sequence !== first + count) {
      this.#events.violated(`a run of ${count} messages that has ${sequence - first} frames`);
    }
    kept.rows.push({ first, count, bytes, time, isDamaged: false });
    kept.last = first + count - 1;
    kept.bytes += bytes.length;
  }

  #storeKey({ channel, key, sequence }: StoredKey, runs: Commit["runs"]): void {
    const name = `${channel} ${key}`;
    if (this.#keys.has(name)) this.#events.violated(`a second message under the key ${name} is stored`);
    const isStored = runs.some((run) =>
      run.channel === channel && run.first <= sequence && sequence < run.first + run.count
    );
    if (!isStored) this.#events.violated(`the key ${name} is stored without its message ${sequence}`);
    this.#keys.set(name, sequence);
  }

  #store(state: ProducerState): void {
    const { channel, producer, stored } = state;
    this.#producers.set(`${channel} ${producer}`, state);
    const name = this.channels.get(channel)?.state.name ?? "";
    const writer = this.#events.writerOf(name, producer);
    const written = writer === undefined ? undefined : this.#written.get(writer) ?? 0;
    if (written === stored) return;
    this.#events.violated(`${stored} messages of producer ${producer} are counted, ${written} are stored`);
  }

  /** Drops; returns whether it dropped all that it should. A log may do it in small steps. */
  #trim(kept: Kept, { first, bytes, before }: Trim): boolean {
    const was = kept.first;
    const left = kept.last - first + 1;
    if (first > was && left < this.#maxMessagesOf(kept.state.name)) {
      this.#events.violated(`only ${left} messages of ${kept.state.name} are to be kept`);
    }
    let steps = this.#random.int(3) === 0 ? this.#random.int(3) : Infinity;
    const target = Math.min(first, kept.last + 1);
    let isComplete = true;
    let dropped = 0;
    for (const row of kept.rows) {
      const end = row.first + row.count;
      const isLast = end > kept.last;
      if (end > target && row.time >= before && (kept.bytes <= bytes || isLast)) break;
      if (steps-- === 0) {
        isComplete = false;
        break;
      }
      kept.first = Math.max(kept.first, end);
      kept.bytes -= row.bytes.length;
      dropped++;
    }
    if (isComplete) kept.first = Math.max(kept.first, target);
    kept.rows = kept.rows.slice(dropped);
    kept.history.drop({ from: was, to: kept.first });
    return isComplete;
  }
}

/** An operation of the log that is under way. */
interface Pending {
  settle(how: "succeed" | "fail"): void;
}

/** The log of one life of the server. */
export class FaultyLog implements ChannelLog {
  readonly state: LogState;
  readonly #disk: Disk;
  readonly #random: Random;
  readonly #events: Pick<DiskEvents, "violated">;
  #commit: (Pending & { readonly apply: () => Committed }) | undefined;
  /** Resolves when the last commit has settled. */
  #committed: Promise<unknown> = Promise.resolve();
  #reads: Pending[] = [];
  #isGone = false;

  constructor(disk: Disk, random: Random, events: Pick<DiskEvents, "violated">) {
    this.state = disk.state;
    this.#disk = disk;
    this.#random = random;
    this.#events = events;
  }

  /** Whether a commit is under way. */
  get isCommitting(): boolean {
    return this.#commit !== undefined;
  }

  /** Whether a read is under way. */
  get isReading(): boolean {
    return this.#reads.length > 0;
  }

  commit(commit: Commit): Promise<Committed> {
    if (this.#isGone) return never();
    if (this.#commit !== undefined) this.#events.violated("a commit before the one before has settled");
    const runs = commit.runs.map((run) => ({ ...run, bytes: run.bytes.slice() }));
    const { promise, resolve, reject } = Promise.withResolvers<Committed>();
    const apply = () => this.#disk.apply({ ...commit, runs });
    const settle = (how: "succeed" | "fail") => {
      this.#commit = undefined;
      if (commit.runs.some(({ bytes }, i) => !isSame(bytes, runs[i].bytes))) {
        this.#events.violated("the bytes of a run changed before its commit has settled");
      }
      if (how === "succeed") resolve(apply());
      else reject(new Error("the disk is full"));
    };
    this.#commit = { settle, apply };
    this.#committed = promise.catch(() => {});
    return promise;
  }

  read(channel: number, from: number, maxBytes: number): Promise<readonly StoredRun[]> {
    const read = () =>
      this.#disk.read(channel, from, Math.min(maxBytes, this.#random.pick([1, 200, 2000, 20_000])));
    return this.#reading(read);
  }

  find(channel: number, time: number): Promise<number> {
    return this.#reading(() => this.#disk.find(channel, time));
  }

  findKey(channel: number, key: string): Promise<number | undefined> {
    return this.#reading(() => this.#disk.findKey(channel, key));
  }

  async close(): Promise<void> {
    await this.#committed;
    this.#isGone = true;
  }

  /** The commit under way, if there is one, succeeds or fails. */
  settleCommit(how: "succeed" | "fail"): void {
    this.#commit?.settle(how);
  }

  /** The oldest read, or another one if `isAny`, succeeds or fails. */
  settleRead(how: "succeed" | "fail", isAny: boolean): void {
    const [read] = this.#reads.splice(isAny ? this.#random.int(this.#reads.length) : 0, 1);
    read?.settle(how);
  }

  /** The server crashes. Its commit under way is stored or not; it never learns which. */
  crash(isStored: boolean): void {
    this.#isGone = true;
    if (isStored) this.#commit?.apply();
    this.#commit = undefined;
    this.#reads = [];
  }

  /** An answer may be what was there when it was asked for, or what is there when it is given. */
  #reading<T>(read: () => T): Promise<T> {
    if (this.#isGone) return never();
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const early = this.#random.int(2) === 0 ? { result: read() } : undefined;
    this.#reads.push({
      settle: (how) => {
        if (how === "succeed") resolve(early === undefined ? read() : early.result);
        else reject(new Error(LOST_READ));
      },
    });
    return promise;
  }
}

function never<T>(): Promise<T> {
  return new Promise<T>(() => {});
}

function isSame(one: Uint8Array, other: Uint8Array): boolean {
  if (one.length !== other.length) return false;
  for (let i = 0; i < one.length; i++) if (one[i] !== other[i]) return false;
  return true;
}
