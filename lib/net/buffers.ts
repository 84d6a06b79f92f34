/**
 * Read and write buffers, lent and taken back, so that busy connections have large ones and idle ones cost little.
 *
 * @module
 */

import { BUFFER_BYTES, MAX_FREE_BUFFERS, MAX_LENT_BYTES, MIN_SHARED_BYTES } from "../limits.ts";

const LARGEST = BUFFER_BYTES[BUFFER_BYTES.length - 1];

/** A buffer as the pool lends it. */
export type Buffer = Uint8Array<ArrayBuffer>;

/** Who was sent parts of a buffer on offer, and has neither kept nor copied them yet. */
export interface Follower {
  /** The offer ends: the last occasion to keep the buffer or to copy from it. */
  offerEnds(): void;
}

/**
 * Lends buffers in a few sizes. One pool serves a whole server, or one client.
 *
 * What was read into a buffer can be shared instead of copied: its connection offers the buffer while its receiver looks
 * at it. Outboxes that are sent parts of it follow the offer, and when it ends they know how much it has become: a large
 * part they keep, and the last of them to have written its part gives the buffer back; a small one they copy.
 */
export class BufferPool {
  readonly #free: Buffer[][] = BUFFER_BYTES.map(() => []);
  readonly #offered = new Set<Uint8Array>();
  readonly #followers: Follower[] = [];
  /** How many outboxes keep a buffer. */
  readonly #kept = new Map<Uint8Array, number>();
  /** Large buffers that were lent for reading, and how many bytes they are. */
  readonly #forReading = new Set<Uint8Array>();
  #forReadingBytes = 0;

  /** Lends a buffer of at least `bytes`; above the largest size it is made to measure and not kept afterwards. */
  take(bytes: number): Buffer {
    const size = BUFFER_BYTES.findIndex((size) => size >= bytes);
    return this.#free[size]?.pop() ?? new Uint8Array(size < 0 ? bytes : BUFFER_BYTES[size]);
  }

  /**
   * Lends a buffer to read into: of about `bytes`, but of the smallest size once many large ones are lent. A read
   * that waits on a silent socket cannot be called back to swap its buffer, so the large ones must not all end up
   * there.
   */
  takeForRead(bytes: number): Buffer {
    const isScarce = this.#forReadingBytes >= MAX_LENT_BYTES;
    const buffer = this.take(isScarce ? BUFFER_BYTES[0] : Math.min(bytes, LARGEST));
    if (buffer.length >= MIN_SHARED_BYTES) {
      this.#forReading.add(buffer);
      this.#forReadingBytes += buffer.length;
    }
    return buffer;
  }

  /** Takes back a buffer that nothing refers to any more. */
  give(buffer: Buffer): void {
    if (this.#forReading.delete(buffer)) this.#forReadingBytes -= buffer.length;
    const free = this.#free[BUFFER_BYTES.indexOf(buffer.length)];
    if (free !== undefined && free.length < MAX_FREE_BUFFERS) free.push(buffer);
  }

  /** Lets outboxes keep `buffer` until `withdraw`: what is in it will not change. */
  offer(buffer: Buffer): void {
    if (buffer.length >= MIN_SHARED_BYTES) this.#offered.add(buffer);
  }

  /** Whether `bytes` are on offer, so that `follower` need not copy from them before it is told that the offer ends. */
  follow(bytes: Uint8Array, follower: Follower): boolean {
    if (!this.#offered.has(bytes)) return false;
    this.#followers.push(follower);
    return true;
  }

  /** Ends the offer. Whether somebody keeps the buffer: then it is no longer the caller's. */
  withdraw(buffer: Buffer): boolean {
    // Also those of other offers, of which there are none as a rule: what they are sent next, they follow anew.
    for (let i = 0; i < this.#followers.length; i++) this.#followers[i].offerEnds();
    this.#followers.length = 0;
    if (!this.#offered.delete(buffer) || !this.#kept.has(buffer)) return false;
    if (this.#forReading.delete(buffer)) this.#forReadingBytes -= buffer.length;
    return true;
  }

  /** Keeps `bytes`, if they are a buffer on offer. To be followed by one `release`. */
  keep(bytes: Uint8Array): bytes is Buffer {
    if (!this.#offered.has(bytes)) return false;
    this.#kept.set(bytes, (this.#kept.get(bytes) ?? 0) + 1);
    return true;
  }

  /** Ends one `keep`. */
  release(buffer: Buffer): void {
    const left = (this.#kept.get(buffer) ?? 1) - 1;
    if (left > 0) {
      this.#kept.set(buffer, left);
      return;
    }
    this.#kept.delete(buffer);
    if (!this.#offered.has(buffer)) this.give(buffer);
  }
}
