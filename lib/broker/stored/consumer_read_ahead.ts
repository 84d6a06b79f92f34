/**
 * Keeps what was read of a channel for one consumer.
 *
 * A window is often smaller than a stored run, so the same run is needed for many ACKs. It is read once.
 *
 * @module
 */

import { MAX_CONSUMER_READ_AHEAD_BYTES } from "../../limits.ts";
import type { Cursor, CursorSource } from "./cursor.ts";
import type { StoredRun } from "./log.ts";

/** What all consumers of a server keep. */
export interface ReadAheadTotal {
  bytes: number;
}

/** See the module's comment. */
export class ReadAhead implements CursorSource {
  readonly #source: CursorSource;
  readonly #total: ReadAheadTotal;
  #runs: readonly StoredRun[] = [];
  /** What was asked for when they were read: nothing between this sequence and the first run is stored. */
  #from = 0;
  /** What they count for in the total. */
  #bytes = 0;
  #isUsed = false;

  constructor(source: CursorSource, total: ReadAheadTotal) {
    this.#source = source;
    this.#total = total;
  }

  get first(): number {
    return this.#source.first;
  }

  get last(): number {
    return this.#source.last;
  }

  get live(): Set<Cursor> {
    return this.#source.live;
  }

  readFailed(error: unknown, reader: Pick<Cursor, "wake">): void {
    this.#source.readFailed(error, reader);
  }

  /** The kept run that has the message `sequence`, or the first one after it; `undefined` if that must be read. */
  find(sequence: number): StoredRun | undefined {
    if (sequence < this.#from) return undefined;
    const index = this.#runs.findIndex(({ first, count }) => first + count > sequence);
    if (index > 0) this.#runs = this.#runs.slice(index);
    this.#isUsed = true;
    return index < 0 ? undefined : this.#runs[0];
  }

  async read(from: number, maxBytes: number): Promise<readonly StoredRun[]> {
    if (this.find(from) !== undefined) return this.#runs;
    this.drop();
    const runs = await this.#source.read(from, maxBytes);
    this.drop(); // another call may have kept something
    let bytes = 0;
    for (const run of runs) bytes += run.bytes.length;
    if (this.#total.bytes + bytes > MAX_CONSUMER_READ_AHEAD_BYTES) return runs;
    this.#total.bytes += this.#bytes = bytes;
    this.#runs = runs;
    this.#from = from;
    return runs;
  }

  /** Of `run`, only what begins at `offset`, with `sequence`, is needed: it is found without a walk from now on. */
  cut(run: StoredRun, offset: number, sequence: number): void {
    if (this.#runs[0] !== run || offset === 0) return;
    const { first, count, bytes } = run;
    const rest = { first: sequence, count: first + count - sequence, bytes: bytes.subarray(offset) };
    this.#runs = [rest, ...this.#runs.slice(1)];
    this.#from = sequence;
  }

  /** Drops what was not used since the last call. To be called once a second. */
  sweep(): void {
    if (!this.#isUsed && this.#runs.length > 0) this.drop();
    this.#isUsed = false;
  }

  /** Drops everything. */
  drop(): void {
    this.#total.bytes -= this.#bytes;
    this.#bytes = 0;
    this.#runs = [];
    this.#from = Infinity;
  }
}
