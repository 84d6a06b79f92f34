/**
 * The outgoing bytes of one connection: bounded, combined into large writes by a single writer, and the place that
 * detects slow consumers.
 *
 * @module
 */

import { ANSWERS_SHARE, CONTROL_RESERVE_BYTES } from "../limits.ts";
import type { BufferPool, Follower } from "./buffers.ts";
import { Segments } from "./segments.ts";
import { SlowConsumerDetector } from "./slow_consumer.ts";
import type { Socket } from "./socket.ts";

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
  readonly #slowConsumerTimeoutMs: number;
  /** Made when the peer is first watched: most of many sessions are idle, and each should cost little. */
  #slowConsumer: SlowConsumerDetector | undefined;
  readonly #segments: Segments;
  #pending = 0;
  /** A buffer on offer. `[#sliceFrom, #sliceTo)` of it comes after all segments, and may still grow. */
  #followed: Uint8Array | undefined;
  #sliceFrom = 0;
  #sliceTo = 0;
  #writing = false;
  #closed = false;
  /** Whether what is sent from now on is dropped, because the end of the stream comes next. */
  #isSealed = false;
  #isOverfull = false;
  /** Whether a waiter was told to wait; until it is called, there is no room. */
  #isFull = false;
  /** Callbacks that wait for room; created with the first one. */
  #waiters: Set<() => void> | undefined;
  /** Bytes written, ever. */
  #taken = 0;
  /** Whether anything impatient was sent since the outbox was last empty. */
  #isOwed = false;
  /** Answers to the peer's own frames that may still be pending; none is once `#answersEnd` bytes are taken. */
  #answers = 0;
  #answersEnd = 0;
  #answersWaiter: (() => void) | undefined;

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
    this.#segments = new Segments(pool);
    this.#limit = limit;
    this.#slowConsumerTimeoutMs = slowConsumerTimeoutMs;
    this.#owner = owner;
  }

  /** Bytes sent and not yet written. */
  get pending(): number {
    return this.#pending;
  }

  /** Bytes written, ever. */
  get taken(): number {
    return this.#taken;
  }

  /** Whether `bytes` more may be sent. An empty outbox has room for a frame of any length. */
  hasRoom(bytes: number): boolean {
    return (!this.#isFull && (this.#pending + bytes <= this.#limit || this.#pending === 0)) || this.#isSealed;
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
    if (!isPatient) this.#watch().senderWaits();
  }

  /**
   * Whether another answer of `bytes` to a frame of the peer may be sent. Answers may fill a part of the outbox only: a
   * peer that has it full of them would hold up the sessions that publish to it, for as long as it likes.
   */
  hasRoomForAnswer(bytes: number): boolean {
    return this.hasRoom(bytes) &&
      (this.#answers + bytes <= this.#limit / ANSWERS_SHARE || this.#taken >= this.#answersEnd);
  }

  /** Calls `waiter` once there may be room for an answer. Its peer alone waits, so it is in no hurry. */
  whenRoomForAnswer(waiter: () => void): void {
    if (this.#taken < this.#answersEnd) this.#answersWaiter = waiter;
    else this.whenRoom(waiter, true);
  }

  /** The last `bytes` that were sent are answers to a frame of the peer. */
  answered(bytes: number): void {
    if (bytes <= 0) return;
    if (this.#taken >= this.#answersEnd) this.#answers = 0;
    this.#answers += bytes;
    this.#answersEnd = this.#taken + this.#pending;
  }

  /** Called once a second: reports a peer that takes nothing of what is pending. */
  tick(): void {
    const isOwed = this.#pending > 0 && this.#isOwed;
    if (isOwed || this.#slowConsumer !== undefined) this.#watch().tick(isOwed);
  }

  #watch(): SlowConsumerDetector {
    return this.#slowConsumer ??= new SlowConsumerDetector(this.#limit, this.#slowConsumerTimeoutMs, {
      taken: () => this.#taken,
      onSlow: () => this.#owner.onSlowConsumer(),
    });
  }

  /**
   * Queues `bytes[from, to)`, which may be reused afterwards. A closed outbox drops them.
   *
   * @param isPatient whether they may wait for as long as the peer likes: a request, or what is stored anyway
   */
  send(bytes: Uint8Array, from: number, to: number, isPatient: boolean = false): void {
    if (this.#closed || this.#isSealed) return;
    if (!isPatient) this.#isOwed = true;
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
        this.#segments.append(bytes, from, to);
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
      queueMicrotask(() => this.#owner.onSlowConsumer());
    }
  }

  /** Room for a whole frame of `count` bytes, which the caller writes into `tail` at once; -1 if it must `send` it. */
  reserve(count: number): number {
    const isOpen = this.#writing && !this.#closed && !this.#isSealed && this.#followed === undefined;
    const at = isOpen && this.#pending + count <= this.#limit ? this.#segments.reserve(count) : -1;
    if (at < 0) return -1;
    this.#isOwed = true;
    this.#pending += count;
    return at;
  }

  /** The buffer to write a reserved frame into. */
  get tail(): Uint8Array {
    return this.#segments.tail;
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
      this.#segments.appendShared(bytes, start, end);
    } else {
      this.#segments.append(bytes, start, end);
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
    this.#pending -= this.#segments.dropFrames();
  }

  /** The end of the stream comes next: what is sent from now on is dropped, and no sender waits for room. */
  seal(): void {
    this.#isSealed = true;
    this.releaseWaiters();
  }

  /** Drops the bytes that were not written and calls all waiters. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#sliceFrom = this.#sliceTo;
    // A write in progress still reads from the first segment, which is given back when the write settles.
    this.#segments.clear(this.#writing);
    this.#pending = 0;
    this.releaseWaiters();
  }

  /** Calls all waiters, whether or not there is room: the peer no longer holds them back. */
  releaseWaiters(): void {
    this.#slowConsumer?.stop();
    this.#isFull = false;
    this.#releaseAnswersWaiter();
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

  #releaseAnswersWaiter(): void {
    const waiter = this.#answersWaiter;
    this.#answersWaiter = undefined;
    waiter?.();
  }

  readonly #write = () => {
    const first = this.#segments.first;
    if (first === undefined || this.#closed) this.#settle();
    else this.#socket.write(first).then(this.#written, this.#failed);
  };

  readonly #written = (count: number) => {
    if (this.#closed) {
      this.#settle();
      return;
    }
    this.#owner.written();
    this.#segments.written(count);
    this.#pending -= count;
    this.#taken += count;
    if (this.#isFull && this.#pending <= this.#limit / 2) this.releaseWaiters();
    else if (this.#answersWaiter !== undefined && this.#taken >= this.#answersEnd) {
      this.#releaseAnswersWaiter();
    }
    if (!this.#segments.isEmpty) {
      this.#write();
      return;
    }
    this.#writing = false;
    this.#isOwed = false;
    this.#owner.drained();
  };

  readonly #failed = (error: unknown) => {
    this.#settle();
    if (!this.#closed) this.#owner.writeFailed(error);
  };

  /** The writer has stopped for good: gives the buffers back. */
  #settle(): void {
    this.#writing = false;
    this.#segments.clear(false);
  }
}
