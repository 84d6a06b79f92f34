/**
 * One socket's read loop, and how the connection ends.
 *
 * Bytes go from the socket to a {@linkcode Receiver}, which takes whole frames; the rest stays at the front of the
 * buffer for the next read. The receiver may pause the connection. A paused connection does not read, so TCP slows
 * down the peer.
 *
 * @module
 */

import { Deadline } from "../deadline.ts";
import { type EndReason, ParleyError } from "../errors.ts";
import { LINGER_BYTES, LINGER_MS } from "../limits.ts";
import type { BufferPool } from "./buffers.ts";
import { Outbox, type OutboxOwner } from "./outbox.ts";
import { ReadBuffer } from "./read_buffer.ts";
import type { Socket } from "./socket.ts";
import type { Reader, ReadScheduler } from "./read_scheduler.ts";

/** Why a peer is closed as a slow consumer: too little progress, or too much waits for all peers together. */
export type SlowConsumerCause = "progress" | "total";

/** Consumes the bytes of a connection. */
export interface Receiver {
  /** Takes the whole frames of `bytes[0, end)` and returns how many bytes they are. The buffer is reused afterwards. */
  receive(bytes: Uint8Array, end: number): number;
  /** `receive` or a waiter of the outbox threw, which is a bug. The receiver decides what the peer learns of it. */
  failed(error: unknown): void;
  /**
   * A write failed. Returns whether to read on, because what the peer has sent may say why; otherwise, and by default,
   * the connection is closed at once.
   */
  writeFailed?(): boolean;
  /** The peer has read too little of what waits for it, or more waits for it than for others while memory is short. */
  onSlowConsumer(cause: SlowConsumerCause): void;
  /** Too much has come that `receive` does not take, on a connection that cannot hold its peer back. */
  overflowed?(): void;
  /** What came is nothing that this kind of connection may carry: `read` of the socket failed with a `ParleyError`. */
  readFailed?(error: ParleyError): void;
  /** The connection ends. Called once, before anything is torn down; `receive` is not called again. */
  ended(reason: EndReason): void;
}

/** The limits of one connection. */
export interface ConnectionLimits {
  /** See `Limits.pendingBytes`. */
  readonly pendingBytes: number;
  /** See `Limits.slowConsumerTimeoutMs`. */
  readonly slowConsumerTimeoutMs: number;
  /** How long {@linkcode Connection.finish} may take to write what is pending, in milliseconds. */
  readonly drainMs: number;
}

/** open: frames go both ways. finishing: pending bytes are written, received bytes discarded. closed: over. */
type State = "open" | "finishing" | "closed";

/** One connection; see the module's comment. */
export class Connection implements OutboxOwner, Reader {
  /** Queues frames for the peer. */
  readonly outbox: Outbox;
  /** Settles when the socket is closed and no operation on it is left. */
  readonly closed: Promise<void>;

  readonly #socket: Socket;
  readonly #receiver: Receiver;
  readonly #drainMs: number;
  readonly #scheduler: ReadScheduler | undefined;
  #state: State = "open";
  /** What was read from the socket, and the receiver has not taken yet. */
  readonly #buffer: ReadBuffer;
  #reading = false;
  #delivering = false;
  #paused = false;
  #ended = false;
  #sawEnd = false;
  #discarded = 0;
  #finishBy = 0;
  #deadline: Deadline | undefined;
  #settled!: () => void;

  /**
   * `receiver` is a factory because connection and receiver refer to each other. With a `scheduler`, many connections
   * read in a fair order.
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
    this.#drainMs = limits.drainMs;
    this.#buffer = new ReadBuffer(pool);
    this.closed = new Promise((resolve) => this.#settled = resolve);
    this.outbox = new Outbox(socket, pool, limits.pendingBytes, limits.slowConsumerTimeoutMs, this);
    this.#receiver = receiver(this);
  }

  /** Starts reading. */
  start(): void {
    this.read();
  }

  /** Stops reading until `resume`. To be called from within `receive`. */
  pause(): void {
    this.#paused = true;
  }

  /** Offers the bytes that were not taken again, then reads on. */
  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    if (!this.#reading && !this.#delivering && this.#state !== "closed") this.#deliver();
  }

  /** Whether frames go both ways still. */
  get isOpen(): boolean {
    return this.#state === "open";
  }

  /** How much memory its pending output and its read buffer take, in bytes; shared buffers count for each connection. */
  get heldBytes(): number {
    return this.outbox.pending + this.#buffer.bytes.length;
  }

  /** Ends the connection because too much waits for all peers together, and more for this one than for others. */
  shed(): void {
    if (this.#state === "open") this.#receiver.onSlowConsumer("total");
  }

  /** See {@linkcode Reader.isLight}. */
  get isLight(): boolean {
    return this.#buffer.isSmall;
  }

  /** Called once a second. */
  tick(): void {
    this.#buffer.tick();
  }

  /** Stops receiving, writes the pending bytes for at most `withinMs` milliseconds, then closes. */
  finish(reason: EndReason, withinMs: number = this.#drainMs): void {
    if (this.#state !== "open") return;
    this.#state = "finishing";
    this.#finishBy = performance.now() + withinMs;
    this.#deadline = new Deadline(withinMs, () => this.#abort(reason));
    this.#end(reason);
    this.outbox.seal();
    if (this.outbox.pending === 0) this.#linger();
    else this.resume();
  }

  /** Closes at once and drops the pending bytes. */
  destroy(reason: EndReason): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.#deadline?.stop();
    this.#end(reason);
    this.outbox.close();
    try {
      this.#socket.close();
    } catch {
      // Closed already.
    }
    if (!this.#reading && !this.#delivering) this.#release();
  }

  /** The peer did not take the written bytes in time: closes without waiting for it. */
  #abort(reason: EndReason): void {
    if (this.#state !== "closed") this.#socket.abort?.();
    this.destroy(reason);
  }

  #end(reason: EndReason): void {
    if (this.#ended) return;
    this.#ended = true;
    try {
      this.#receiver.ended(reason);
    } catch (error) {
      this.#receiver.failed(error);
    }
  }

  /**
   * Everything is written: sends the end of the stream and waits for the peer's. Closing while bytes of the peer are
   * unread would make TCP reset the connection, and the last frame, most likely the reason, could be lost.
   */
  #linger(): void {
    if (this.#sawEnd) {
      this.destroy("eof");
      return;
    }
    this.#deadline?.stop();
    const leftMs = Math.max(0, this.#finishBy - performance.now());
    this.#deadline = leftMs > LINGER_MS
      ? new Deadline(LINGER_MS, () => this.destroy("eof"))
      : new Deadline(leftMs, () => this.#abort("eof"));
    this.#socket.closeWrite().catch(() => this.destroy("reset"));
    this.resume();
  }

  /** See {@linkcode OutboxOwner.writeFailed}. */
  writeFailed(): void {
    if (this.#state === "open" && this.#receiver.writeFailed?.()) return;
    this.destroy("reset");
  }

  /** See {@linkcode OutboxOwner.written}. */
  written(): void {
    this.#scheduler?.operationFinished();
  }

  /** See {@linkcode OutboxOwner.drained}. */
  drained(): void {
    if (this.#state === "finishing") this.#linger();
  }

  /** See {@linkcode OutboxOwner.waiterFailed}. */
  waiterFailed(error: unknown): void {
    this.#receiver.failed(error);
  }

  /** See {@linkcode OutboxOwner.onSlowConsumer}. */
  onSlowConsumer(): void {
    this.#receiver.onSlowConsumer("progress");
  }

  /** See {@linkcode Reader.read}. */
  read(): void {
    if (this.#state === "closed") {
      this.#release();
      return;
    }
    this.#reading = true;
    this.#socket.read(this.#buffer.space()).then(this.#arrived, this.#broken);
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
      this.#buffer.arrived(count);
      this.#deliver();
    }
  };

  readonly #broken = (error: unknown) => {
    this.#reading = false;
    if (this.#state === "open" && error instanceof ParleyError) this.#receiver.readFailed?.(error);
    if (this.#state === "closed") this.#release();
    else if (this.#state === "finishing" && error instanceof ParleyError) this.read(); // until the peer has ended, too
    else this.destroy("reset");
  };

  /** Offers the received bytes to the receiver, keeps what it did not take, and reads on unless paused. */
  #deliver(): void {
    this.#delivering = true;
    try {
      if (this.#state === "open") this.#offer();
      else this.#discard();
    } catch {
      // Not even the receiver's `failed` has come to its end.
      this.destroy("internal");
    } finally {
      this.#delivering = false;
    }
    if (this.#state === "closed") {
      this.#release();
    } else if (!this.#paused && !this.#sawEnd) {
      this.#reading = true; // perhaps later, when the scheduler gets to it
      if (this.#scheduler === undefined) this.read();
      else this.#scheduler.readNext(this);
    }
  }

  #offer(): void {
    const buffer = this.#buffer;
    let taken = buffer.filled;
    buffer.offer();
    try {
      taken = this.#receiver.receive(buffer.bytes, buffer.filled);
    } catch (error) {
      this.#receiver.failed(error);
    } finally {
      buffer.keepRest(taken);
    }
  }

  #discard(): void {
    this.#discarded += this.#buffer.discard();
    if (this.#discarded > LINGER_BYTES) this.destroy("eof");
  }

  /** The socket is closed and no operation refers to the buffer any more. */
  #release(): void {
    this.#buffer.release();
    this.#settled();
  }
}
