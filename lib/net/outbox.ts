/**
 * What waits to be written to one peer: bounded, gathered into large writes by a single writer, and the place where
 * it is decided what happens to a peer that does not read.
 *
 * @module
 */

import { BUFFER_BYTES, CONTROL_RESERVE_BYTES } from "../limits.ts";
import type { Buffer, BufferPool, Follower } from "./buffers.ts";
import type { Socket } from "./socket.ts";

/** Up to this many bytes a loop beats `set`, which must first make a view. Measured with `deno task bench:core`. */
const LOOP_BYTES = 48;
const LARGEST = BUFFER_BYTES[BUFFER_BYTES.length - 1];

/** A buffer of which `[start, end)` is still to be written. */
interface Segment {
  readonly bytes: Buffer;
  /** Whether it belongs to others as well, so that nothing may be appended to it. */
  readonly isShared: boolean;
  start: number;
  end: number;
}

/** What an outbox tells its connection, which is its owner. */
export interface OutboxOwner {
  /** The socket failed; nothing more can be written. */
  writeFailed(error: unknown): void;
  /** One write has been done. */
  written(): void;
  /** All that was sent has been written. */
  drained(): void;
  /** The outbox stayed full for the whole grace time, or was overfilled by what is sent without asking. */
  onSlowConsumer(): void;
}

/**
 * The outgoing side of one connection.
 *
 * `send` never waits, and what it is given may be reused afterwards: it is copied, or the buffer it is in is kept. As
 * long as that buffer is on offer, neighbouring slices of it are gathered into one, which costs next to nothing.
 * Whoever can wait asks `hasRoom` first and, where there is none, calls `whenRoom`; an outbox that had to refuse stays
 * full until it has drained to half, so that the waiting come in turns and not one by one, and its peer is slow if that
 * takes longer than the grace time.
 */
export class Outbox implements Follower {
  readonly #socket: Socket;
  readonly #pool: BufferPool;
  readonly #owner: OutboxOwner;
  readonly #bound: number;
  readonly #slowConsumerTimeoutMs: number;
  #segments: Segment[] = [];
  #pending = 0;
  /** A buffer whose offer has not ended. `[#sliceFrom, #sliceTo)` of it was sent after all segments, and may grow. */
  #followed: Uint8Array | undefined;
  #sliceFrom = 0;
  #sliceTo = 0;
  /** Copied since the outbox was last empty, and before that; how large the next segment should be follows from it. */
  #sinceEmpty = 0;
  #lastBurst = 0;
  #writing = false;
  #closed = false;
  #overfull = false;
  /** Who waits for room; made when somebody does. */
  #waiting: Set<() => void> | undefined;
  #grace: ReturnType<typeof setTimeout> | undefined;

  /**
   * @param bound what may wait, in bytes; what is sent without asking may exceed it by a small reserve
   * @param slowConsumerTimeoutMs how long the outbox may stay full, in milliseconds
   */
  constructor(
    socket: Socket,
    pool: BufferPool,
    bound: number,
    slowConsumerTimeoutMs: number,
    owner: OutboxOwner,
  ) {
    this.#socket = socket;
    this.#pool = pool;
    this.#bound = bound;
    this.#slowConsumerTimeoutMs = slowConsumerTimeoutMs;
    this.#owner = owner;
  }

  /** Bytes sent and not yet written. */
  get pending(): number {
    return this.#pending;
  }

  /** Whether `bytes` more may be sent. One frame always fits an empty outbox. */
  hasRoom(bytes: number): boolean {
    return this.#grace === undefined && (this.#pending + bytes <= this.#bound || this.#pending === 0);
  }

  /** Calls `waiter` once there is room again, or the outbox is closed; starts the grace time of the peer. */
  whenRoom(waiter: () => void): void {
    this.#waiting ??= new Set();
    this.#waiting.add(waiter);
    this.#grace ??= setTimeout(this.#graceOver, this.#slowConsumerTimeoutMs);
  }

  /** Queues `bytes[from, to)`, copied; a closed outbox drops it. */
  send(bytes: Uint8Array, from: number, to: number): void {
    if (this.#closed) return;
    this.#pending += to - from;
    if (bytes === this.#followed && from === this.#sliceTo) {
      this.#sliceTo = to;
    } else {
      this.#endSlice();
      if (bytes === this.#followed || this.#pool.follow(bytes, this)) {
        this.#followed = bytes;
        this.#sliceFrom = from;
        this.#sliceTo = to;
      } else {
        this.#append(bytes, from, to);
      }
    }
    if (!this.#writing) {
      // Not at once: what the rest of this turn sends goes out in the same write.
      this.#writing = true;
      queueMicrotask(this.#write);
    }
    // Later, not from within the sender's loop over its receivers, of which this one may be taken out.
    if (this.#pending > this.#bound + CONTROL_RESERVE_BYTES && !this.#overfull) {
      this.#overfull = true;
      queueMicrotask(this.#graceOver);
    }
  }

  /** See {@linkcode Follower.offerEnds}. */
  offerEnds(): void {
    this.#endSlice();
    this.#followed = undefined;
  }

  /** The slice grows no more: it becomes a segment, or a part of one. */
  #endSlice(): void {
    const bytes = this.#followed;
    const start = this.#sliceFrom;
    const end = this.#sliceTo;
    if (bytes === undefined || start === end) return;
    this.#sliceFrom = end;
    // What fills most of its buffer is not copied. What does not is: it would keep much more than it is.
    if ((end - start) * 2 >= bytes.length && this.#pool.keep(bytes)) {
      this.#segments.push({ bytes, isShared: true, start, end });
    } else {
      this.#append(bytes, start, end);
    }
  }

  #append(bytes: Uint8Array, from: number, to: number): void {
    this.#sinceEmpty += to - from;
    let tail = this.#segments[this.#segments.length - 1];
    while (from < to) {
      if (tail === undefined || tail.isShared || tail.end === tail.bytes.length) {
        tail = this.#addSegment(to - from);
      }
      const count = Math.min(to - from, tail.bytes.length - tail.end);
      if (count <= LOOP_BYTES) {
        const target = tail.bytes;
        for (let i = 0, at = tail.end; i < count; i++) target[at + i] = bytes[from + i];
      } else {
        tail.bytes.set(count === bytes.length ? bytes : bytes.subarray(from, from + count), tail.end);
      }
      tail.end += count;
      from += count;
    }
  }

  /** Drops what has not been written and lets everybody who waits go on. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#sliceFrom = this.#sliceTo;
    // The write under way still reads from the first segment; it gives that one back when it settles.
    for (const segment of this.#segments.splice(this.#writing ? 1 : 0)) this.#giveBack(segment);
    this.#pending = 0;
    this.releaseWaiting();
  }

  /** Lets everybody who waits for room go on, full or not: the peer no longer counts. */
  releaseWaiting(): void {
    clearTimeout(this.#grace);
    this.#grace = undefined;
    const waiting = this.#waiting;
    if (waiting === undefined) return;
    this.#waiting = undefined; // who finds no room again waits for the next time
    for (const waiter of waiting) waiter();
  }

  readonly #graceOver = () => this.#owner.onSlowConsumer();

  readonly #write = () => {
    const head = this.#segments[0];
    if (head === undefined || this.#closed) {
      this.#settle();
      return;
    }
    const view = head.bytes.subarray(head.start, head.end);
    this.#socket.write(view).then(this.#written, this.#failed);
  };

  readonly #written = (count: number) => {
    if (this.#closed) {
      this.#settle();
      return;
    }
    this.#owner.written();
    const head = this.#segments[0];
    head.start += count;
    this.#pending -= count;
    if (head.start === head.end) {
      this.#segments.shift();
      this.#giveBack(head);
    }
    if (this.#grace !== undefined && this.#pending <= this.#bound / 2) this.releaseWaiting();
    if (this.#segments.length > 0) {
      this.#write();
      return;
    }
    this.#writing = false;
    this.#lastBurst = this.#sinceEmpty;
    this.#sinceEmpty = 0;
    this.#owner.drained();
  };

  readonly #failed = (error: unknown) => {
    this.#settle();
    if (!this.#closed) this.#owner.writeFailed(error);
  };

  /** The writer has stopped for good. */
  #settle(): void {
    this.#writing = false;
    for (const segment of this.#segments.splice(0)) this.#giveBack(segment);
  }

  #giveBack({ bytes, isShared }: Segment): void {
    if (isShared) this.#pool.release(bytes);
    else this.#pool.give(bytes);
  }

  /** Large enough for what comes now, for what this burst has become, or for what the last one was. */
  #addSegment(atLeast: number): Segment {
    const wanted = Math.max(atLeast, this.#sinceEmpty, this.#lastBurst);
    const bytes = this.#pool.take(Math.min(wanted, LARGEST));
    const segment = { bytes, isShared: false, start: 0, end: 0 };
    this.#segments.push(segment);
    return segment;
  }
}
