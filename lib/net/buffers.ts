/**
 * A pool of read and write buffers, so that busy connections have large ones and idle connections cost little.
 *
 * @module
 */

import {
  BUFFER_BYTES,
  MAX_FREE_BUFFERS,
  MAX_LENT_BYTES,
  MIN_SHARED_BYTES,
  SCARCE_READ_BYTES,
} from "../limits.ts";

const LARGEST = BUFFER_BYTES[BUFFER_BYTES.length - 1];

/** A buffer of the pool. */
export type Buffer = Uint8Array<ArrayBuffer>;

/** An outbox that was sent slices of a buffer on offer, and has neither retained the buffer nor copied them yet. */
export interface Follower {
  /** The offer ends: the last chance to retain the buffer or to copy from it. */
  offerEnds(): void;
}

/**
 * Lends buffers in a few sizes. One pool serves a whole server, or one client.
 *
 * Received bytes can be shared instead of copied. A connection offers its read buffer while its receiver processes it.
 * Outboxes that are sent slices of the buffer follow the offer; when it ends, each knows how large its slice has
 * become. It copies a small slice. For a large one it retains the buffer, which returns to the pool when the last
 * outbox has released it.
 */
export class BufferPool {
  readonly #free: Buffer[][] = BUFFER_BYTES.map(() => []);
  readonly #offered = new Set<Uint8Array>();
  readonly #followers: Follower[] = [];
  /** How many outboxes retain a buffer. */
  readonly #retained = new Map<Uint8Array, number>();
  readonly #maxLentBytes: number;
  readonly #onExceeded: () => void;
  #lentBytes = 0;
  /** Large buffers lent for reading to connections that are not silent, and their total size in bytes. */
  readonly #forReading = new Set<Uint8Array>();
  #forReadingBytes = 0;

  /**
   * @param maxLentBytes above it, `onExceeded` is called with every buffer that is lent: from within whatever needs one,
   * so it must not return buffers at once
   */
  constructor(maxLentBytes: number = Infinity, onExceeded: () => void = () => {}) {
    this.#maxLentBytes = maxLentBytes;
    this.#onExceeded = onExceeded;
  }

  /** Lends a buffer of at least `bytes`. Above the largest size it is allocated to fit and not pooled afterwards. */
  take(bytes: number): Buffer {
    const size = BUFFER_BYTES.findIndex((size) => size >= bytes);
    const buffer = this.#free[size]?.pop() ?? new Uint8Array(size < 0 ? bytes : BUFFER_BYTES[size]);
    this.#lentBytes += buffer.length;
    if (this.#lentBytes > this.#maxLentBytes) this.#onExceeded();
    return buffer;
  }

  /** Bytes of all buffers that are lent: what waits to be written, what has come of frames that are not whole, the rest. */
  get lentBytes(): number {
    return this.#lentBytes;
  }

  /**
   * Lends a buffer to read into, of about `bytes`, but of `SCARCE_READ_BYTES` at most once `MAX_LENT_BYTES` are lent to
   * connections that are not silent.
   */
  takeForRead(bytes: number): Buffer {
    const isScarce = this.#forReadingBytes >= MAX_LENT_BYTES;
    const buffer = this.take(Math.min(bytes, isScarce ? SCARCE_READ_BYTES : LARGEST));
    this.markBusy(buffer);
    return buffer;
  }

  /** A buffer lent for reading counts again, because something has come. */
  markBusy(buffer: Buffer): void {
    if (buffer.length < MIN_SHARED_BYTES || this.#forReading.has(buffer)) return;
    this.#forReading.add(buffer);
    this.#forReadingBytes += buffer.length;
  }

  /** A buffer lent for reading counts no longer, because nothing has come for a while. It stays lent. */
  markIdle(buffer: Buffer): void {
    if (this.#forReading.delete(buffer)) this.#forReadingBytes -= buffer.length;
  }

  /** Returns a buffer that nothing refers to any more. */
  give(buffer: Buffer): void {
    this.#lentBytes -= buffer.length;
    if (this.#forReading.delete(buffer)) this.#forReadingBytes -= buffer.length;
    const free = this.#free[BUFFER_BYTES.indexOf(buffer.length)];
    if (free !== undefined && free.length < MAX_FREE_BUFFERS) free.push(buffer);
  }

  /** Allows outboxes to retain `buffer`, until `withdraw`. Its content must not change until then. */
  offer(buffer: Buffer): void {
    if (buffer.length >= MIN_SHARED_BYTES) this.#offered.add(buffer);
  }

  /** Whether `bytes` are on offer. If so, `follower` need not copy from them before its `offerEnds` is called. */
  follow(bytes: Uint8Array, follower: Follower): boolean {
    if (this.#offered.size === 0 || !this.#offered.has(bytes)) return false;
    this.#followers.push(follower);
    return true;
  }

  /** Ends the offer. Returns whether an outbox retains the buffer; it then no longer belongs to the caller. */
  withdraw(buffer: Buffer): boolean {
    // Includes followers of other offers, which are rare: they follow again with the next slice they are sent.
    for (let i = 0; i < this.#followers.length; i++) this.#followers[i].offerEnds();
    this.#followers.length = 0;
    if (!this.#offered.delete(buffer) || !this.#retained.has(buffer)) return false;
    if (this.#forReading.delete(buffer)) this.#forReadingBytes -= buffer.length;
    return true;
  }

  /** Retains `bytes` if they are a buffer on offer. Each `retain` needs one `release`. */
  retain(bytes: Uint8Array): bytes is Buffer {
    if (!this.#offered.has(bytes)) return false;
    this.#retained.set(bytes, (this.#retained.get(bytes) ?? 0) + 1);
    return true;
  }

  /** Ends one `retain`. */
  release(buffer: Buffer): void {
    const left = (this.#retained.get(buffer) ?? 1) - 1;
    if (left > 0) {
      this.#retained.set(buffer, left);
      return;
    }
    this.#retained.delete(buffer);
    if (!this.#offered.has(buffer)) this.give(buffer);
  }
}
