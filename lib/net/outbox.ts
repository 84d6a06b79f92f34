/**
 * The outgoing bytes of one connection: bounded, combined into large writes by a single writer, and the place that
 * detects slow consumers.
 *
 * @module
 */

import { BUFFER_BYTES, CONTROL_RESERVE_BYTES, HEADER_BYTES } from "../limits.ts";
import { u32 } from "../wire/header.ts";
import type { Buffer, BufferPool, Follower } from "./buffers.ts";
import { SlowConsumerDetector } from "./slow_consumer.ts";
import type { Socket } from "./socket.ts";

/** Up to this many bytes a loop is faster than `set`, which needs a view. Measured with `deno task bench:core`. */
const LOOP_BYTES = 48;
const LARGEST = BUFFER_BYTES[BUFFER_BYTES.length - 1];

/** A buffer of which `[start, end)` is still to be written. */
interface Segment {
  readonly bytes: Buffer;
  /** Whether other outboxes retain the buffer too, so that nothing may be appended to it. */
  readonly isShared: boolean;
  start: number;
  end: number;
  /** The first frame that does not begin before this segment begins here; past `end` if it begins in a later one. */
  readonly firstFrame: number;
}

/** What an outbox reports to the connection that owns it. */
export interface OutboxOwner {
  /** The socket failed; nothing more can be written. */
  writeFailed(error: unknown): void;
  /** One write has finished. */
  written(): void;
  /** Everything that was sent has been written. */
  drained(): void;
  /** A waiter threw, which is a bug. All others have been called. */
  waiterFailed(error: unknown): void;
  /** The outbox stayed full for the slow consumer timeout, or unconditional sends exceeded its reserve. */
  onSlowConsumer(): void;
}

/**
 * The outgoing side of one connection.
 *
 * `send` never waits, and its bytes may be reused afterwards: they are copied, or their buffer is retained. While that
 * buffer is on offer, adjacent slices of it are merged into one, at next to no cost.
 *
 * A sender that can wait calls `hasRoom` first and `whenRoom` if there is none. From then on the outbox counts as full
 * until it has drained to half, so that the waiters resume in batches rather than one by one. Whether the peer takes too
 * long over it is decided in `slow_consumer.ts`.
 */
export class Outbox implements Follower {
  readonly #socket: Socket;
  readonly #pool: BufferPool;
  readonly #owner: OutboxOwner;
  readonly #limit: number;
  readonly #slowConsumer: SlowConsumerDetector;
  #segments: Segment[] = [];
  #pending = 0;
  /** A buffer on offer. `[#sliceFrom, #sliceTo)` of it comes after all segments, and may still grow. */
  #followed: Uint8Array | undefined;
  #sliceFrom = 0;
  #sliceTo = 0;
  /** Bytes copied since the outbox was last empty, and in the burst before that: they size the next segment. */
  #sinceEmpty = 0;
  #lastBurst = 0;
  #writing = false;
  #closed = false;
  #isOverfull = false;
  /** Whether a waiter was told to wait; until it is called, there is no room. */
  #isFull = false;
  /** Callbacks that wait for room; created with the first one. */
  #waiters: Set<() => void> | undefined;
  /** Bytes written, ever. */
  #taken = 0;
  /** Whether anything but requests was sent since the outbox was last empty. */
  #isOwed = false;

  /**
   * @param limit pending bytes allowed; sends without `hasRoom` may exceed it by `CONTROL_RESERVE_BYTES`
   * @param slowConsumerTimeoutMs see {@linkcode SlowConsumerDetector}
   */
  constructor(
    socket: Socket,
    pool: BufferPool,
    limit: number,
    slowConsumerTimeoutMs: number,
    owner: OutboxOwner,
  ) {
    this.#socket = socket;
    this.#pool = pool;
    this.#limit = limit;
    this.#slowConsumer = new SlowConsumerDetector(limit, slowConsumerTimeoutMs, () => owner.onSlowConsumer());
    this.#owner = owner;
  }

  /** Bytes sent and not yet written. */
  get pending(): number {
    return this.#pending;
  }

  /** Whether `bytes` more may be sent. An empty outbox has room for a frame of any length. */
  hasRoom(bytes: number): boolean {
    return !this.#isFull && (this.#pending + bytes <= this.#limit || this.#pending === 0);
  }

  /**
   * Calls `waiter` once, when there is room again or the outbox is closed. It may be called from within whatever closes
   * the outbox, so it must not deliver or end anything itself, only see to it that this happens later.
   *
   * Has the peer watched as a slow consumer, unless the waiter is patient: it may wait for as long as the peer likes.
   */
  whenRoom(waiter: () => void, isPatient: boolean = false): void {
    this.#waiters ??= new Set();
    this.#waiters.add(waiter);
    this.#isFull = true;
    if (!isPatient) this.#slowConsumer.senderWaits(this.#takenSoFar);
  }

  /** Called once a second: reports a peer that takes nothing of what is pending. */
  tick(): void {
    this.#slowConsumer.tick(this.#taken, this.#pending > 0 && this.#isOwed);
  }

  /**
   * Queues `bytes[from, to)`, which may be reused afterwards. A closed outbox drops them.
   *
   * @param isRequest whether they are a request, which alone makes no slow consumer
   */
  send(bytes: Uint8Array, from: number, to: number, isRequest: boolean = false): void {
    if (this.#closed) return;
    if (!isRequest) this.#isOwed = true;
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
      // Deferred, so that everything sent in this turn of the event loop goes out in one write.
      this.#writing = true;
      queueMicrotask(this.#write);
    }
    // Deferred, because the sender may be iterating over its receivers, and the owner removes this one.
    if (this.#pending > this.#limit + CONTROL_RESERVE_BYTES && !this.#isOverfull) {
      this.#isOverfull = true;
      queueMicrotask(this.#overfull);
    }
  }

  /** See {@linkcode Follower.offerEnds}. */
  offerEnds(): void {
    this.#endSlice();
    this.#followed = undefined;
  }

  /** Turns the slice, which can grow no more, into a segment or a part of one. */
  #endSlice(): void {
    const bytes = this.#followed;
    const start = this.#sliceFrom;
    const end = this.#sliceTo;
    if (bytes === undefined || start === end) return;
    this.#sliceFrom = end;
    // A slice that fills at least half of its buffer is not copied. A smaller one is, or it would pin too much memory.
    if ((end - start) * 2 >= bytes.length && this.#pool.retain(bytes)) {
      this.#segments.push({ bytes, isShared: true, start, end, firstFrame: start });
    } else {
      this.#append(bytes, start, end);
    }
  }

  #append(bytes: Uint8Array, from: number, to: number): void {
    this.#sinceEmpty += to - from;
    const begin = from;
    let tail = this.#segments[this.#segments.length - 1];
    while (from < to) {
      if (tail === undefined || tail.isShared || tail.end === tail.bytes.length) {
        tail = this.#addSegment(to - from, from === begin ? 0 : frameEnd(bytes, begin, from) - from);
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

  /**
   * Drops every whole frame that is not yet part of a write, so that what is sent next comes next.
   *
   * Needs every `send` to have been of whole frames. The largest buffer and the rest of one frame may stay.
   */
  dropFrames(): void {
    this.#pending -= this.#sliceTo - this.#sliceFrom;
    this.#sliceFrom = this.#sliceTo;
    let kept = 1; // the first segment may be in a write
    for (; kept < this.#segments.length; kept++) {
      const segment = this.#segments[kept];
      if (segment.firstFrame === segment.start) break; // the frame before it was whole
      if (segment.firstFrame > segment.end) continue;
      this.#pending -= segment.end - segment.firstFrame;
      segment.end = segment.firstFrame;
      kept++;
      break;
    }
    for (const segment of this.#segments.splice(kept)) {
      this.#pending -= segment.end - segment.start;
      this.#giveBack(segment);
    }
  }

  /** Drops the bytes that were not written and calls all waiters. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#sliceFrom = this.#sliceTo;
    // A write in progress still reads from the first segment, which is given back when the write settles.
    for (const segment of this.#segments.splice(this.#writing ? 1 : 0)) this.#giveBack(segment);
    this.#pending = 0;
    this.releaseWaiters();
  }

  /** Calls all waiters, whether or not there is room: the peer no longer holds them back. */
  releaseWaiters(): void {
    this.#slowConsumer.stop();
    this.#isFull = false;
    const waiters = this.#waiters;
    if (waiters === undefined) return;
    this.#waiters = undefined; // a waiter may register again from within its call
    const errors: unknown[] = [];
    for (const waiter of waiters) {
      try {
        waiter();
      } catch (error) {
        errors.push(error);
      }
    }
    for (const error of errors) this.#owner.waiterFailed(error);
  }

  readonly #overfull = () => this.#owner.onSlowConsumer();
  readonly #takenSoFar = () => this.#taken;

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
    this.#taken += count;
    if (head.start === head.end) {
      this.#segments.shift();
      this.#giveBack(head);
    }
    if (this.#isFull && this.#pending <= this.#limit / 2) this.releaseWaiters();
    if (this.#segments.length > 0) {
      this.#write();
      return;
    }
    this.#writing = false;
    this.#isOwed = false;
    this.#lastBurst = this.#sinceEmpty;
    this.#sinceEmpty = 0;
    this.#owner.drained();
  };

  readonly #failed = (error: unknown) => {
    this.#settle();
    if (!this.#closed) this.#owner.writeFailed(error);
  };

  /** The writer has stopped for good: gives the buffers back. */
  #settle(): void {
    this.#writing = false;
    for (const segment of this.#segments.splice(0)) this.#giveBack(segment);
  }

  #giveBack({ bytes, isShared }: Segment): void {
    if (isShared) this.#pool.release(bytes);
    else this.#pool.give(bytes);
  }

  /** Adds a segment for at least `atLeast` bytes; larger if this burst or the last one was. */
  #addSegment(atLeast: number, firstFrame: number): Segment {
    const wanted = Math.max(atLeast, this.#sinceEmpty, this.#lastBurst);
    const bytes = this.#pool.take(Math.min(wanted, LARGEST));
    const segment = { bytes, isShared: false, start: 0, end: 0, firstFrame };
    this.#segments.push(segment);
    return segment;
  }
}

/** The end of the frame that `at` is in, or `at` if it is between two. `bytes` hold whole frames from `begin` on. */
function frameEnd(bytes: Uint8Array, begin: number, at: number): number {
  let end = begin;
  while (end < at) end += HEADER_BYTES + u32(bytes, end + 4);
  return end;
}
