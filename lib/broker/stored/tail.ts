/**
 * What has arrived for one stored channel since the last commit: runs that are one row each, and their publishers.
 *
 * @module
 */

import { MAX_STORED_RUN_BYTES } from "../../limits.ts";
import type { StoredKey } from "./log.ts";

/** A publisher as the tail needs it. */
export interface Settler {
  /** The producer that it is. */
  readonly producer: Producer | undefined;
  /** `entry` is stored; its last message has `sequence`. */
  stored(entry: Entry, sequence: number): void;
  /** It is certain that `entry` is not stored, and never will be. */
  notStored(entry: Entry, reason: string): void;
}

/** Neighbouring messages of one publisher. The last may want a receipt, and then ends it. */
export interface Entry {
  readonly publisher: Settler;
  /** The producer whose messages they are, if there is one. */
  readonly producer: Producer | undefined;
  /** The id of the receipt, or 0. */
  readonly id: number;
  count: number;
}

/** A producer of one channel. */
export interface Producer {
  /** Subject and name. */
  readonly key: string;
  /** Its messages that are stored, ever. */
  stored: number;
  /** Its messages of which that is not yet known. */
  unsettled: number;
  /** The publisher that is the producer now. What others send in its name is fenced. */
  owner: Settler | undefined;
}

/** A run that is growing. */
export interface PendingRun {
  bytes: Uint8Array;
  size: number;
  count: number;
}

/** The sizes of buffers of runs. */
const SIZES = [1024, 16 * 1024, MAX_STORED_RUN_BYTES];
const MAX_FREE = 64;

/** Buffers of runs, used again. They are shared, so that a log may write them in another thread without a copy. */
export class RunBuffers {
  readonly #free: Uint8Array[][] = SIZES.map(() => []);

  /** Lends one of at least `bytes`. */
  take(bytes: number): Uint8Array {
    const size = SIZES.findIndex((size) => size >= bytes);
    return this.#free[size]?.pop() ?? new Uint8Array(new SharedArrayBuffer(size < 0 ? bytes : SIZES[size]));
  }

  /** Returns one that nothing refers to any more. */
  give(buffer: Uint8Array): void {
    const free = this.#free[SIZES.indexOf(buffer.length)];
    if (free !== undefined && free.length < MAX_FREE) free.push(buffer);
  }
}

/** See the module's comment. */
export class Tail {
  runs: PendingRun[] = [];
  entries: Entry[] = [];
  /** Keys under which messages are stored, if there are any: each with the place of its message, 1 for the first. */
  keys: { readonly key: string; readonly place: number }[] | undefined;
  /** How many messages it has, and bytes. */
  count = 0;
  size = 0;
  readonly #buffers: RunBuffers;

  constructor(buffers: RunBuffers) {
    this.#buffers = buffers;
  }

  /** Copies the `count` messages `bytes[from, to)` to the end. */
  append(
    bytes: Uint8Array,
    from: number,
    to: number,
    count: number,
    publisher: Settler,
    id: number,
  ): void {
    const { producer } = publisher;
    const size = to - from;
    const run = this.#runWithRoom(size);
    run.bytes.set(bytes.subarray(from, to), run.size);
    run.size += size;
    run.count += count;
    this.count += count;
    this.size += size;
    const last = this.entries[this.entries.length - 1];
    if (id === 0 && last?.publisher === publisher && last.id === 0 && last.producer === producer) {
      last.count += count;
    } else this.entries.push({ publisher, producer, id, count });
  }

  /** The last message is stored under `key`. */
  addKey(key: string): void {
    (this.keys ??= []).push({ key, place: this.count });
  }

  /** What is stored under keys, if `channel` has nothing of this tail yet. */
  storedKeys({ number, last }: { readonly number: number; readonly last: number }): readonly StoredKey[] {
    return this.keys?.map(({ key, place }) => ({ channel: number, key, sequence: last + place })) ?? [];
  }

  /** All of it is stored, or will never be: the buffers are used again. */
  release(): void {
    for (const { bytes } of this.runs) this.#buffers.give(bytes);
  }

  #runWithRoom(size: number): PendingRun {
    const last = this.runs[this.runs.length - 1];
    if (last !== undefined) {
      if (last.size + size <= last.bytes.length) return last;
      if (last.size + size <= MAX_STORED_RUN_BYTES) {
        const larger = this.#buffers.take(last.size + size);
        larger.set(last.bytes.subarray(0, last.size));
        this.#buffers.give(last.bytes);
        last.bytes = larger;
        return last;
      }
    }
    const run = { bytes: this.#buffers.take(size), size: 0, count: 0 };
    this.runs.push(run);
    return run;
  }
}
