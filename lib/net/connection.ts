/**
 * One socket's read loop and its only way to end.
 *
 * Bytes go from the socket to a {@linkcode Receiver}, which takes what is whole; what is left stays at the front of
 * the buffer for the next read. The receiver may hold the connection: nothing is read while it does, and TCP passes
 * the pressure on to the peer.
 *
 * @module
 */

import type { EndReason } from "../errors.ts";
import { BUFFER_BYTES, LINGER_BYTES, LINGER_MS } from "../limits.ts";
import type { Buffer, BufferPool } from "./buffers.ts";
import { Outbox, type OutboxOwner } from "./outbox.ts";
import type { Socket } from "./socket.ts";
import type { Reader, ReadScheduler } from "./read_scheduler.ts";

/** Who the bytes are for. */
export interface Receiver {
  /** Takes what is whole of `bytes[0, end)` and returns how many bytes that was. The buffer is reused afterwards. */
  receive(bytes: Uint8Array, end: number): number;
  /** `receive` threw: a bug of ours. The receiver decides what the peer is told. */
  failed(error: unknown): void;
  /** The peer has not read what waits for it within the grace time. */
  onSlowConsumer(): void;
  /** The connection ends, said once and before anything else; nothing is received any more. */
  ended(reason: EndReason): void;
}

/** What a connection needs to know of its owner's limits. */
export interface ConnectionLimits {
  /** See `Limits.pendingBytes`. */
  readonly pendingBytes: number;
  /** See `Limits.slowConsumerTimeoutMs`. */
  readonly slowConsumerTimeoutMs: number;
  /** How long {@linkcode Connection.finish} may take to write what is left, in milliseconds. */
  readonly drainMs: number;
}

/** open: frames go both ways. finishing: what waits is written, what comes is thrown away. closed: over. */
type State = "open" | "finishing" | "closed";

/** One connection; see the module's comment. */
export class Connection implements OutboxOwner, Reader {
  /** Where frames to the peer go. */
  readonly outbox: Outbox;
  /** Settles when the socket is closed and no operation on it is left. */
  readonly closed: Promise<void>;

  readonly #socket: Socket;
  readonly #pool: BufferPool;
  readonly #receiver: Receiver;
  readonly #drainMs: number;
  readonly #scheduler: ReadScheduler | undefined;
  #state: State = "open";
  #buffer: Buffer;
  /** `#buffer[0, #filled)` came from the socket and has not been taken. */
  #filled = 0;
  /** How large the next read should be, from how much the last ones brought. */
  #wanted = BUFFER_BYTES[0];
  #reading = false;
  #delivering = false;
  #paused = false;
  #ended = false;
  #sawEnd = false;
  #discarded = 0;
  #finishBy = 0;
  #deadline: ReturnType<typeof setTimeout> | undefined;
  #settled!: () => void;

  /**
   * `receiver` is made from the connection, because each needs the other. Where many connections share a loop, `turns`
   * keeps the order among them fair.
   */
  constructor(
    socket: Socket,
    pool: BufferPool,
    limits: ConnectionLimits,
    receiver: (connection: Connection) => Receiver,
    scheduler?: ReadScheduler,
  ) {
    this.#scheduler = scheduler;
    this.#socket = socket;
    this.#pool = pool;
    this.#drainMs = limits.drainMs;
    this.#buffer = pool.takeForRead(BUFFER_BYTES[0]);
    this.closed = new Promise((resolve) => this.#settled = resolve);
    this.outbox = new Outbox(socket, pool, limits.pendingBytes, limits.slowConsumerTimeoutMs, this);
    this.#receiver = receiver(this);
  }

  /** Starts reading. */
  start(): void {
    this.read();
  }

  /** Stops reading until `resume`; called by the receiver from within `receive`. */
  pause(): void {
    this.#paused = true;
  }

  /** Offers what was not taken again, then reads on. */
  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    if (!this.#reading && !this.#delivering && this.#state !== "closed") this.#deliver();
  }

  /** Ends in order: nothing more is received, what waits is written (for at most `withinMs`), then closed. */
  finish(reason: EndReason, withinMs: number = this.#drainMs): void {
    if (this.#state !== "open") return;
    this.#state = "finishing";
    this.#finishBy = performance.now() + withinMs;
    this.#deadline = setTimeout(() => this.#giveUp(reason), withinMs);
    this.#end(reason);
    this.outbox.releaseWaiting();
    if (this.outbox.pending === 0) this.#linger();
    else this.resume();
  }

  /** Ends at once: what waits is dropped. */
  destroy(reason: EndReason): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    clearTimeout(this.#deadline);
    this.#end(reason);
    this.outbox.close();
    try {
      this.#socket.close();
    } catch {
      // Closed under us already; that is what we wanted.
    }
    if (!this.#reading && !this.#delivering) this.#release();
  }

  /** The peer has not taken what was written in the time it had: waits for it no longer. */
  #giveUp(reason: EndReason): void {
    if (this.#state !== "closed") this.#socket.abort?.();
    this.destroy(reason);
  }

  #end(reason: EndReason): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#receiver.ended(reason);
  }

  /**
   * Everything is written. Says so to the peer and waits for its end: closing while its bytes are still unread would
   * make TCP reset the connection, and what we wrote last, most likely why, could be lost on the way.
   */
  #linger(): void {
    if (this.#sawEnd) {
      this.destroy("eof");
      return;
    }
    clearTimeout(this.#deadline);
    const leftMs = Math.max(0, this.#finishBy - performance.now());
    this.#deadline = leftMs > LINGER_MS
      ? setTimeout(() => this.destroy("eof"), LINGER_MS)
      : setTimeout(() => this.#giveUp("eof"), leftMs);
    this.#socket.closeWrite().catch(() => this.destroy("reset"));
    this.resume();
  }

  /** The outbox could not write. */
  writeFailed(): void {
    this.destroy("reset");
  }

  /** The outbox has written something. */
  written(): void {
    this.#scheduler?.operationFinished();
  }

  /** The outbox has written everything. */
  drained(): void {
    if (this.#state === "finishing") this.#linger();
  }

  /** The peer does not read. */
  onSlowConsumer(): void {
    this.#receiver.onSlowConsumer();
  }

  /** Issues the next read, in its turn. */
  read(): void {
    if (this.#state === "closed") {
      this.#release();
      return;
    }
    this.#fit();
    this.#reading = true;
    const space = this.#filled === 0 ? this.#buffer : this.#buffer.subarray(this.#filled);
    this.#socket.read(space).then(this.#arrived, this.#broken);
  }

  readonly #arrived = (count: number | null) => {
    this.#reading = false;
    if (this.#state === "closed") {
      this.#release();
    } else if (count === null) {
      this.#sawEnd = true;
      if (this.#state === "open") this.finish("eof");
      else if (this.outbox.pending === 0) this.destroy("eof");
    } else {
      const space = this.#buffer.length - this.#filled;
      this.#wanted = count === space ? this.#buffer.length * 4 : count * 2;
      this.#filled += count;
      this.#deliver();
    }
  };

  readonly #broken = () => {
    this.#reading = false;
    if (this.#state === "closed") this.#release();
    else this.destroy("reset");
  };

  /** Offers what has come to the receiver, keeps what it did not take, and reads on unless held. */
  #deliver(): void {
    this.#delivering = true;
    if (this.#state === "open") {
      let taken = this.#filled;
      this.#pool.offer(this.#buffer);
      try {
        taken = this.#receiver.receive(this.#buffer, this.#filled);
      } catch (error) {
        this.#receiver.failed(error);
      }
      this.#keepRest(taken);
    } else {
      this.#discarded += this.#filled;
      this.#filled = 0;
      if (this.#discarded > LINGER_BYTES) this.destroy("eof");
    }
    this.#delivering = false;
    if (this.#state === "closed") {
      this.#release();
    } else if (!this.#paused && !this.#sawEnd) {
      this.#reading = true; // or will be, in its turn
      if (this.#scheduler === undefined) this.read();
      else this.#scheduler.readNext(this);
    }
  }

  /** Puts what was not taken to the front: of another buffer, where outboxes have kept this one. */
  #keepRest(taken: number): void {
    const rest = this.#filled - taken;
    if (this.#pool.withdraw(this.#buffer)) {
      const size = this.#buffer.length;
      let next = this.#pool.takeForRead(size);
      if (next.length < rest) {
        this.#pool.give(next);
        next = this.#pool.take(size);
      }
      next.set(this.#buffer.subarray(taken, this.#filled));
      this.#buffer = next;
    } else if (taken > 0 && rest > 0) {
      this.#buffer.copyWithin(0, taken, this.#filled);
    }
    this.#filled = rest;
  }

  /** Trades the buffer for one that suits the next read: larger where the last was filled, smaller where it was not. */
  #fit(): void {
    const size = this.#buffer.length;
    let next: Buffer;
    if (this.#filled === size) {
      // A frame longer than the buffer. Grows by what has really come, not by what the header promises.
      next = this.#pool.take(size * 2);
    } else if (
      this.#wanted > size || (this.#filled === 0 && this.#wanted * 4 <= size && size > BUFFER_BYTES[0])
    ) {
      next = this.#pool.takeForRead(this.#wanted);
      if (next.length <= this.#filled || next.length === size) {
        this.#pool.give(next);
        return;
      }
    } else {
      return;
    }
    next.set(this.#buffer.subarray(0, this.#filled));
    this.#pool.give(this.#buffer);
    this.#buffer = next;
  }

  /** No operation refers to the buffer any more. */
  #release(): void {
    this.#pool.give(this.#buffer);
    this.#settled();
  }
}
