/**
 * Two sockets in one process, joined: what is written to one is read from the other.
 *
 * Each direction holds a bounded number of bytes. When it is full, a write waits until the other side has read, as it
 * does on a socket of the system: back-pressure works across it.
 *
 * @module
 */

import { setImmediate } from "node:timers";
import { MEMORY_SOCKET_BYTES, MEMORY_SOCKET_BYTES_PER_TURN } from "../limits.ts";
import type { Socket } from "./socket.ts";

/**
 * Two sockets, joined.
 *
 * @param capacity how many bytes may have been written to each and not yet been read from the other
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { memorySocketPair } from "./memory_socket.ts";
 *
 * const [one, other] = memorySocketPair();
 * await one.write(new Uint8Array([1, 2, 3]));
 * one.close();
 * const bytes = new Uint8Array(8);
 * assertEquals([await other.read(bytes), await other.read(bytes)], [3, null]);
 * ```
 */
export function memorySocketPair(capacity: number = MEMORY_SOCKET_BYTES): [Socket, Socket] {
  const there = new Pipe(capacity);
  const back = new Pipe(capacity);
  return [new MemorySocket(back, there), new MemorySocket(there, back)];
}

/** One of the two. */
class MemorySocket implements Socket {
  readonly #incoming: Pipe;
  readonly #outgoing: Pipe;

  constructor(incoming: Pipe, outgoing: Pipe) {
    this.#incoming = incoming;
    this.#outgoing = outgoing;
  }

  read(bytes: Uint8Array): Promise<number | null> {
    return this.#incoming.read(bytes);
  }

  write(bytes: Uint8Array): Promise<number> {
    return this.#outgoing.write(bytes);
  }

  closeWrite(): Promise<void> {
    this.#outgoing.end();
    return Promise.resolve();
  }

  close(): void {
    this.#incoming.stopReading();
    this.#outgoing.stopWriting();
  }

  abort(): void {
    this.#incoming.stopReading();
    this.#outgoing.discard();
  }
}

/** A read that waits for bytes. */
interface PendingRead extends PromiseWithResolvers<number | null> {
  readonly bytes: Uint8Array;
}

/** A write that waits for room. */
interface PendingWrite extends PromiseWithResolvers<number> {
  readonly bytes: Uint8Array;
}

/** One direction. */
class Pipe {
  readonly #capacity: number;
  /** What was written and not read, in order; the first from `#taken` on. */
  #chunks: Uint8Array[] = [];
  #taken = 0;
  #held = 0;
  #reading: PendingRead | undefined;
  #writing: PendingWrite | undefined;
  #isEnded = false;
  #readError: Error | undefined;
  #writeError: Error | undefined;
  /** Bytes read in this turn of the event loop. */
  #turnBytes = 0;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  read(bytes: Uint8Array): Promise<number | null> {
    if (this.#readError !== undefined) return Promise.reject(this.#readError);
    // Both sides are one process: without a pause, a stream that never ends would keep everything else from running.
    if (this.#held > 0 && this.#turnBytes < MEMORY_SOCKET_BYTES_PER_TURN) {
      return Promise.resolve(this.#take(bytes));
    }
    if (this.#held === 0 && this.#isEnded) return Promise.resolve(null);
    this.#reading = { bytes, ...Promise.withResolvers<number | null>() };
    return this.#reading.promise;
  }

  write(bytes: Uint8Array): Promise<number> {
    if (this.#writeError !== undefined) return Promise.reject(this.#writeError);
    if (this.#isEnded) return Promise.reject(new Error("the end of the stream was written already"));
    if (this.#held < this.#capacity) return Promise.resolve(this.#put(bytes));
    this.#writing = { bytes, ...Promise.withResolvers<number>() };
    return this.#writing.promise;
  }

  /** The writer has sent the end of the stream. */
  end(): void {
    this.#isEnded = true;
    this.#serve();
  }

  /** The writer has closed: what it wrote before is read still. */
  stopWriting(): void {
    this.#failWrites(closed());
    this.end();
  }

  /** The writer has gone: what it wrote before is not read. */
  discard(): void {
    this.#failWrites(closed());
    if (!this.#isEnded || this.#held > 0) this.#failReads(new Error("the peer has dropped the connection"));
  }

  /** The reader has closed: nothing that is written from now on is read. */
  stopReading(): void {
    this.#failReads(closed());
    this.#failWrites(new Error("the peer has closed the connection"));
  }

  /** Takes what there is room for. */
  #put(bytes: Uint8Array): number {
    const count = Math.min(bytes.length, this.#capacity - this.#held);
    const reading = this.#reading;
    let from = 0;
    if (reading !== undefined && this.#held === 0 && this.#turnBytes < MEMORY_SOCKET_BYTES_PER_TURN) {
      from = Math.min(count, reading.bytes.length);
      reading.bytes.set(bytes.subarray(0, from));
      this.#reading = undefined;
      this.#countRead(from);
      reading.resolve(from);
    }
    if (from < count) {
      this.#chunks.push(bytes.slice(from, count));
      this.#held += count - from;
    }
    return count;
  }

  /** Moves what there is into `bytes`, and lets the writer go on. */
  #take(bytes: Uint8Array): number {
    let count = 0;
    while (count < bytes.length && this.#held > 0) {
      const [chunk] = this.#chunks;
      const part = chunk.subarray(this.#taken, this.#taken + bytes.length - count);
      bytes.set(part, count);
      count += part.length;
      this.#held -= part.length;
      this.#taken += part.length;
      if (this.#taken < chunk.length) continue;
      this.#taken = 0;
      this.#chunks.shift();
    }
    this.#countRead(count);
    const writing = this.#writing;
    this.#writing = undefined;
    writing?.resolve(this.#put(writing.bytes));
    return count;
  }

  #countRead(bytes: number): void {
    if (this.#turnBytes === 0) setImmediate(this.#turnOver);
    this.#turnBytes += bytes;
  }

  readonly #turnOver = () => {
    this.#turnBytes = 0;
    this.#serve();
  };

  /** Gives a read that waits what it waits for, if that is there. */
  #serve(): void {
    const reading = this.#reading;
    if (reading === undefined) return;
    if (this.#held > 0 && this.#turnBytes < MEMORY_SOCKET_BYTES_PER_TURN) {
      this.#reading = undefined;
      reading.resolve(this.#take(reading.bytes));
    } else if (this.#held === 0 && this.#isEnded) {
      this.#reading = undefined;
      reading.resolve(null);
    }
  }

  #failReads(error: Error): void {
    this.#readError ??= error;
    this.#chunks = [];
    this.#held = this.#taken = 0;
    this.#reading?.reject(this.#readError);
    this.#reading = undefined;
  }

  #failWrites(error: Error): void {
    this.#writeError ??= error;
    this.#writing?.reject(this.#writeError);
    this.#writing = undefined;
  }
}

function closed(): Error {
  return new Error("the connection is closed");
}
