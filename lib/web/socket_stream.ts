/**
 * A connection of Parley as a stream of Node, for `node:http`.
 *
 * Its bytes are read only while the stream is read: a paused stream reads at most one buffer ahead. Ending it delivers
 * what was written, also to a peer that is still sending.
 *
 * @module
 */

import { Duplex } from "node:stream";
import { concat } from "@std/bytes";
import { LINGER_BYTES, LINGER_MS, MAX_HTTP_READ_BYTES, MIN_HTTP_READ_BYTES } from "../limits.ts";
import type { Accepted } from "../net/listener.ts";
import type { Reader, ReadScheduler } from "../net/read_scheduler.ts";
import type { Socket } from "../net/socket.ts";

/** Several small writes become one if they are no longer than this: copying them costs less than another packet. */
const JOINED_BYTES = 16 * 1024;

/** What a stream reads before it is asked: with less, one that is read without a pause would wait for each read. */
const READ_AHEAD_BYTES = 16 * 1024;

/** What `writev` takes. */
type Chunk = { readonly chunk: Uint8Array };
type Done = (error?: Error | null) => void;

/** See the module's comment. */
export class SocketStream extends Duplex {
  /** The peer's IP address, as on a `net.Socket`. */
  readonly remoteAddress: string;
  /** The peer's port. */
  readonly remotePort: number;
  readonly #socket: Socket;
  /** Settles when the connection is closed. */
  readonly ended: Promise<void>;
  #reading: Promise<number | null> | undefined;
  /** A read is under way, or waits for its turn. */
  #isReading = false;
  readonly #reader: Reader = { isLight: true, read: () => this.#readNow() };
  readonly #scheduler: ReadScheduler | undefined;
  #sawEnd = false;
  #isClosed = false;
  #settled!: () => void;
  #readBytes = MIN_HTTP_READ_BYTES;
  /** Bytes received and sent, ever. */
  received = 0;
  sent = 0;

  /** @param scheduler decides when it is read, among many connections; without it, at once */
  constructor({ socket, address, port }: Accepted, scheduler?: ReadScheduler) {
    super({
      allowHalfOpen: true,
      emitClose: true,
      readableHighWaterMark: READ_AHEAD_BYTES,
      writableHighWaterMark: MAX_HTTP_READ_BYTES,
    });
    this.#socket = socket;
    this.#scheduler = scheduler;
    this.remoteAddress = address;
    this.remotePort = port;
    this.ended = new Promise((resolve) => this.#settled = resolve);
  }

  /** Ends the connection once everything is written, as on a `net.Socket`. */
  destroySoon(): void {
    if (this.writable) this.end();
    if (this.writableFinished) this.destroy();
    else this.once("finish", () => this.destroy());
  }

  /** `node:http` and `ws` set these on what they think is a `net.Socket`. Deadlines are those of `connections.ts`. */
  setTimeout(): this {
    return this;
  }

  /** See `setTimeout`. The socket has it already. */
  setNoDelay(): this {
    return this;
  }

  /** See `setTimeout`. */
  setKeepAlive(): this {
    return this;
  }

  /** Closes the connection of a peer that sends nothing more. */
  closeNow(): void {
    this.#close(false);
    this.destroy();
  }

  override _read(): void {
    if (this.#isReading || this.#sawEnd) return;
    this.#isReading = true;
    if (this.received > 0 && this.#scheduler !== undefined) this.#scheduler.readNext(this.#reader);
    else this.#readNow();
  }

  #readNow(): void {
    if (this.destroyed) return;
    const bytes = new Uint8Array(this.#readBytes);
    this.#reading = this.#socket.read(bytes);
    this.#reading.then((count) => this.#arrived(bytes, count), this.#failed);
  }

  #arrived(bytes: Uint8Array, count: number | null): void {
    this.#reading = undefined;
    this.#isReading = false;
    if (count === null) this.#sawEnd = true;
    if (this.destroyed) return;
    if (count === null) {
      this.push(null);
      return;
    }
    this.received += count;
    // An idle connection waits with a small buffer.
    if (count === bytes.length) this.#readBytes = Math.min(count * 4, MAX_HTTP_READ_BYTES);
    else if (count * 4 < bytes.length) this.#readBytes = Math.max(count, MIN_HTTP_READ_BYTES);
    // A reader that keeps a few bytes must not keep the whole buffer.
    this.push(count * 4 < bytes.length ? bytes.slice(0, count) : bytes.subarray(0, count));
  }

  readonly #failed = (error: Error) => {
    this.#reading = undefined;
    this.#sawEnd = true;
    this.destroy(error);
  };

  override _write(chunk: Uint8Array, _encoding: string, done: Done): void {
    this.#writeAll(chunk).then(() => done(), done);
  }

  override _writev(chunks: Chunk[], done: Done): void {
    this.#writeChunks(chunks.map(({ chunk }) => chunk)).then(() => done(), done);
  }

  async #writeChunks(chunks: readonly Uint8Array[]): Promise<void> {
    const length = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
    if (length > JOINED_BYTES) {
      for (const chunk of chunks) await this.#writeAll(chunk);
      return;
    }
    await this.#writeAll(concat([...chunks]));
  }

  async #writeAll(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length;) {
      const count = await this.#socket.write(at === 0 ? bytes : bytes.subarray(at));
      at += count;
      this.sent += count;
      this.#scheduler?.operationFinished();
    }
  }

  override _final(done: Done): void {
    this.#socket.closeWrite().then(() => done(), () => done()); // the peer is gone, and that is what was wanted
  }

  override _destroy(error: Error | null, done: Done): void {
    if (error === null && this.writableFinished && !this.#sawEnd) this.#linger();
    else this.#close(error !== null || !this.writableFinished);
    done(error);
  }

  /**
   * Everything is written, and the peer may still be sending: reads and throws away a bounded part of it. Closing while
   * there is something to be read makes TCP reset the connection, and the peer would not see the response.
   */
  async #linger(): Promise<void> {
    if (this.#isClosed) return;
    const deadline = setTimeout(() => this.#close(true), LINGER_MS);
    try {
      const bytes = new Uint8Array(MIN_HTTP_READ_BYTES);
      for (let read = 0; read < LINGER_BYTES && !this.#sawEnd;) {
        const count = await (this.#reading ?? this.#socket.read(bytes));
        if (count === null) break;
        read += count;
      }
    } catch {
      // Closed, or the peer is gone.
    } finally {
      clearTimeout(deadline);
      this.#close(false);
    }
  }

  #close(aborts: boolean): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    try {
      if (aborts && this.#socket.abort !== undefined) this.#socket.abort();
      else this.#socket.close();
    } catch {
      // Closed already.
    }
    this.#settled();
  }
}
