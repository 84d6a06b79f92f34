/**
 * The buffer into which one connection reads: large while much comes, small while it waits.
 *
 * A read that waits on a silent socket holds its buffer, and cannot be cancelled to change it. So a buffer grows only
 * after a read that filled it, and shrinks as soon as a read brings little: a peer that makes the server hold a large
 * buffer has sent at least an eighth of it just before.
 *
 * @module
 */

import { BUFFER_BYTES, IDLE_READ_TICKS, MIN_SHARED_BYTES } from "../limits.ts";
import type { Buffer, BufferPool } from "./buffers.ts";

const SMALLEST = BUFFER_BYTES[0];
/** A buffer becomes smaller if a quarter of it is enough: buffers grow by this factor, too. */
const STEP = 4;

/** See the module's comment. */
export class ReadBuffer {
  readonly #pool: BufferPool;
  #bytes: Buffer;
  /** `#bytes[0, #filled)` was read, and has not been taken yet. */
  #filled = 0;
  /** How large the space of the next read should be, estimated from the last one. */
  #wanted = SMALLEST;
  /** Ticks since something came. */
  #silentTicks = 0;

  constructor(pool: BufferPool) {
    this.#pool = pool;
    this.#bytes = pool.takeForRead(SMALLEST);
  }

  /** The buffer itself; what has come is at its front. */
  get bytes(): Buffer {
    return this.#bytes;
  }

  /** How many bytes have come and were not taken yet. */
  get filled(): number {
    return this.#filled;
  }

  /** Whether the last read brought so little that the next one needs no shared buffer. */
  get isSmall(): boolean {
    return this.#wanted < MIN_SHARED_BYTES;
  }

  /** Where the next read may write. */
  space(): Uint8Array {
    this.#fit();
    return this.#filled === 0 ? this.#bytes : this.#bytes.subarray(this.#filled);
  }

  /** A read has brought `count` bytes. */
  arrived(count: number): void {
    if (this.#silentTicks > IDLE_READ_TICKS) this.#pool.markBusy(this.#bytes);
    this.#silentTicks = 0;
    const size = this.#bytes.length;
    this.#wanted = count === size - this.#filled ? size * STEP : Math.min(count * 2, size);
    this.#filled += count;
  }

  /** Called once a second: the buffer of a connection that is silent does not make those of the others smaller. */
  tick(): void {
    if (this.#silentTicks <= IDLE_READ_TICKS && ++this.#silentTicks > IDLE_READ_TICKS) {
      this.#pool.markIdle(this.#bytes);
    }
  }

  /** Begins an offer of what has come; see `BufferPool`. `keepRest` ends it. */
  offer(): void {
    this.#pool.offer(this.#bytes);
  }

  /** Moves what was not taken to the front, or to another buffer if outboxes retain this one. */
  keepRest(taken: number): void {
    const rest = this.#filled - taken;
    if (this.#pool.withdraw(this.#bytes)) {
      const size = this.#bytes.length;
      let next = this.#pool.takeForRead(size);
      if (next.length < rest) {
        this.#pool.give(next);
        next = this.#pool.take(rest);
      }
      next.set(this.#bytes.subarray(taken, this.#filled));
      this.#bytes = next;
    } else if (taken > 0 && rest > 0) {
      this.#bytes.copyWithin(0, taken, this.#filled);
    }
    this.#filled = rest;
  }

  /** Throws away what has come; returns how much it was. */
  discard(): number {
    const count = this.#filled;
    this.#filled = 0;
    return count;
  }

  /** Returns the buffer to the pool. No operation refers to it any more. */
  release(): void {
    this.#pool.give(this.#bytes);
  }

  /** Replaces the buffer by one that fits the next read. */
  #fit(): void {
    const size = this.#bytes.length;
    const needed = this.#filled + this.#wanted;
    let next: Buffer;
    if (this.#filled === size) {
      // A frame longer than the buffer. Grows with the bytes received, not with the length that the header claims.
      next = this.#pool.take(size * 2);
    } else if (this.#wanted > size || (needed * STEP <= size && size > SMALLEST)) {
      next = this.#pool.takeForRead(needed);
      if (next.length <= this.#filled || next.length === size) {
        this.#pool.give(next);
        return;
      }
    } else {
      return;
    }
    next.set(this.#bytes.subarray(0, this.#filled));
    this.#pool.give(this.#bytes);
    this.#bytes = next;
  }
}
