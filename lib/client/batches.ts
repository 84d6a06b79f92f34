/**
 * The batches of one durable channel that are not settled: those that wait to be sent, and for their receipts.
 *
 * @module
 */

import type { ParleyError } from "../errors.ts";
import { Batch, type BatchOwner } from "./batch.ts";
import { BATCH_BYTES } from "./limits.ts";
import { inDoubt } from "./durable_errors.ts";

/** Batches in the order of their messages. */
export class Batches {
  /** How many bytes are not settled. */
  bytes = 0;
  /** How many of the unsent messages a session before this one has sent. */
  doubtful = 0;
  /**
   * Whether messages were refused and none was stored since. The next batch is then a single message: if it is refused,
   * too, it is certain of all that none is stored.
   */
  isProbing = false;

  readonly #name: string;
  readonly #owner: BatchOwner;
  readonly #unreported: (error: ParleyError) => void;
  readonly #sent: Batch[] = [];
  readonly #unsent: Batch[] = [];
  /** The batch that takes more messages; the last of those unsent. */
  #gathering: Batch | undefined;
  /** A buffer that is not in use. */
  #spare: Uint8Array | undefined;

  /** @param unreported is called with what no promise that is watched reports */
  constructor(name: string, owner: BatchOwner, unreported: (error: ParleyError) => void) {
    this.#name = name;
    this.#owner = owner;
    this.#unreported = unreported;
  }

  /** How many messages are not settled. */
  get count(): number {
    return countOf(this.#sent) + countOf(this.#unsent);
  }

  /** How many batches wait for their receipts. */
  get sent(): number {
    return this.#sent.length;
  }

  /** The next to be sent; undefined if no message waits. */
  get first(): Batch | undefined {
    const first = this.#unsent[0];
    return first === undefined || first.count === 0 ? undefined : first; // its only message was malformed
  }

  /** The promises of all messages. */
  outcomes(): Promise<void>[] {
    const withMessages = [...this.#sent, ...this.#unsent].filter(({ count }) => count > 0);
    return withMessages.map(({ outcome }) => outcome.promise);
  }

  /** The batch for one more message. */
  gathering(): Batch {
    const mostBytes = this.isProbing && this.#unsent.length === 1 ? 1 : BATCH_BYTES;
    if (this.#gathering !== undefined && this.#gathering.length < mostBytes) return this.#gathering;
    this.#gathering = new Batch(this.#owner, this.#spare);
    this.#spare = undefined;
    this.#unsent.push(this.#gathering);
    return this.#gathering;
  }

  /** Takes the first batch out, to be sent. */
  shift(): Batch {
    const batch = this.#unsent.shift()!;
    if (batch === this.#gathering) this.#gathering = undefined;
    return batch;
  }

  /** A batch was sent. Its bytes are needed no more unless it `isKept`. */
  wasSent(batch: Batch, isKept: boolean): void {
    this.#sent.push(batch);
    if (isKept) return;
    const bytes = batch.release();
    if (bytes.length <= 2 * BATCH_BYTES) this.#spare = bytes;
  }

  /** A batch was answered: takes it out, and those sent before it. Returns none if it is not here. */
  takeUpTo(batch: Batch): Batch[] {
    return this.#sent.splice(0, this.#sent.indexOf(batch) + 1);
  }

  /** A batch was rejected. Returns whether it was here. */
  take(batch: Batch): boolean {
    const at = this.#sent.indexOf(batch);
    if (at >= 0) this.#sent.splice(at, 1);
    return at >= 0;
  }

  /** The first `count` of the unsent messages are stored. */
  storedBefore(count: number): void {
    this.doubtful = 0;
    for (let left = count; left > 0;) {
      const batch = this.#unsent[0];
      if (batch.count > left) {
        this.bytes -= batch.drop(left);
        return;
      }
      left -= batch.count;
      this.settle(this.shift());
    }
  }

  /** The connection broke: what was sent will be sent again. */
  requeue(): void {
    this.doubtful += countOf(this.#sent);
    this.#unsent.unshift(...this.#sent.splice(0));
  }

  /** The receipts of what was sent will not come. Returns of how many messages no call learns that. */
  rejectSent(code: ParleyError["code"], reason: string): { inDoubt: number; unwatched: number } {
    const found = { inDoubt: 0, unwatched: 0 };
    for (const batch of this.#sent.splice(0)) {
      found.inDoubt += batch.count;
      if (!batch.outcome.promise.isWatched) found.unwatched += batch.count;
      this.bytes -= batch.length;
      batch.outcome.reject(inDoubt(code, this.#name, batch.count, reason));
    }
    return found;
  }

  /** What waits will not be sent. */
  rejectUnsent(error: ParleyError): void {
    this.#gathering = undefined;
    let doubtful = this.doubtful;
    this.doubtful = 0;
    for (const batch of this.#unsent.splice(0)) {
      const isSure = doubtful <= 0;
      doubtful -= batch.count;
      this.settle(batch, isSure ? error : inDoubt(error.code, this.#name, batch.count, error.message));
    }
  }

  /** A batch is stored, or it has failed. */
  settle(batch: Batch, error?: ParleyError): void {
    this.bytes -= batch.length;
    if (error === undefined) return batch.outcome.resolve();
    if (!batch.outcome.promise.isWatched && batch.count > 0) this.#unreported(error);
    batch.outcome.reject(error);
  }
}

function countOf(batches: readonly Batch[]): number {
  let count = 0;
  for (const batch of batches) count += batch.count;
  return count;
}
