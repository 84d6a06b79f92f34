/**
 * Read and write buffers, lent and taken back, so that busy connections have large ones and idle ones cost little.
 *
 * @module
 */

import { BUFFER_BYTES, MAX_FREE_BUFFERS, MAX_LENT_BYTES } from "../limits.ts";

const LARGEST = BUFFER_BYTES[BUFFER_BYTES.length - 1];

/** Lends buffers in a few sizes. One pool serves a whole server, or one client. */
export class BufferPool {
  readonly #free: Uint8Array<ArrayBuffer>[][] = BUFFER_BYTES.map(() => []);
  #lent = 0;

  /** Lends a buffer of at least `bytes`; above the largest size it is made to measure and not kept afterwards. */
  take(bytes: number): Uint8Array<ArrayBuffer> {
    const size = BUFFER_BYTES.findIndex((size) => size >= bytes);
    const buffer = this.#free[size]?.pop() ?? new Uint8Array(size < 0 ? bytes : BUFFER_BYTES[size]);
    this.#lent += buffer.length;
    return buffer;
  }

  /**
   * Lends a buffer to read into: of about `bytes`, but of the smallest size once much is lent. A read that waits on a
   * silent socket cannot be called back to swap its buffer, so the large ones must not all end up there.
   */
  takeForRead(bytes: number): Uint8Array<ArrayBuffer> {
    return this.take(this.#lent < MAX_LENT_BYTES ? Math.min(bytes, LARGEST) : BUFFER_BYTES[0]);
  }

  /** Takes back a buffer that nothing refers to any more. */
  give(buffer: Uint8Array<ArrayBuffer>): void {
    this.#lent -= buffer.length;
    const free = this.#free[BUFFER_BYTES.indexOf(buffer.length)];
    if (free !== undefined && free.length < MAX_FREE_BUFFERS) free.push(buffer);
  }
}
