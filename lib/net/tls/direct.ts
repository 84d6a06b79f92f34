/**
 * The server side of TLS, directly on the client's TCP connection.
 *
 * A `TLSSocket` of `node:tls` encrypts and decrypts; it reads from and writes to a `Duplex` of ours, which moves the bytes
 * from and to the TCP connection. So the TCP connection stays ours: its descriptor is freed at once, whatever the peer
 * does, and `setNoDelay` applies. It is one descriptor per connection, where the relay of `relay.ts` needs three.
 *
 * What must hold:
 * - A `TLSSocket` decrypts everything it is given, without limit, even while it is paused. So TCP is read only while a
 *   `read` waits for plaintext, or during the handshake; that is the back-pressure.
 * - Every buffer that the `TLSSocket` hands over is freed at once; see `node_buffers.ts`.
 *
 * `implementation.ts` says which runtimes can do this; the others use the relay.
 *
 * @module
 */

import { nextTick } from "node:process";
import { Duplex } from "node:stream";
import { clearImmediate, setImmediate } from "node:timers";
import { createSecureContext, type SecureContext, TLSSocket } from "node:tls";
import { BUFFER_BYTES, LINGER_MS } from "../../limits.ts";
import type { Buffer as PoolBuffer, BufferPool } from "../buffers.ts";
import type { Socket } from "../socket.ts";
import type { TlsAcceptor, TlsConnection, TlsIdentity } from "./acceptor.ts";
import { asNode, free, freeDrained } from "./node_buffers.ts";
import { Plaintext } from "./plaintext.ts";
import { alertFor } from "./reasons.ts";

/** Returns what opens connections with `identity`. */
export function directOpener({ cert, key }: TlsIdentity): TlsAcceptor["open"] {
  const context = createSecureContext({ cert, key, minVersion: "TLSv1.2" });
  return async (front, firstRecord, pool) => {
    const connection = new DirectTls(front, context, pool);
    // A TLSSocket starts in the next tick, and must not be destroyed before.
    await new Promise<void>((resolve) => nextTick(resolve));
    connection.start(firstRecord);
    return connection;
  };
}

/** One connection; see the module's comment. */
class DirectTls implements TlsConnection {
  readonly closed: Promise<void>;

  readonly #front: Socket;
  readonly #pool: BufferPool;
  readonly #duplex: Duplex;
  readonly #tls: TLSSocket;
  readonly #handshake = Promise.withResolvers<void>();
  #isHandshaking = true;
  /** Whether anything was sent, after which an alert in plain text would not be understood. */
  #hasSent = false;
  #writer: PromiseWithResolvers<number> | undefined;
  #writing = 0;
  #isWritingRaw = false;
  readonly #freeDrained: (copy: Uint8Array) => void;
  /** The last write to TCP; never rejects. */
  #lastWrite = Promise.resolve();
  readonly #plaintext = new Plaintext();
  /** The buffer that is being read into from TCP. */
  #raw: PoolBuffer | undefined;
  #rawSize = BUFFER_BYTES[0];
  #isReadingRaw = false;
  /** Bytes are being decrypted. */
  #isPushing = false;
  /** The peer's close_notify has been received. */
  #sawEnd = false;
  #wroteEnd = false;
  #error: unknown;
  #isClosed = false;
  #isFreed = false;
  #eofCheck: ReturnType<typeof setImmediate> | undefined;
  #linger: ReturnType<typeof setTimeout> | undefined;
  #settled!: () => void;

  constructor(front: Socket, context: SecureContext, pool: BufferPool) {
    this.#front = front;
    this.#pool = pool;
    this.closed = new Promise((resolve) => this.#settled = resolve);
    this.#handshake.promise.catch(() => {}); // no unhandled rejection if it is closed before `handshake` is called
    this.#duplex = new Duplex({
      allowHalfOpen: true,
      read: () => {}, // bytes are pushed as they arrive
      write: (chunk, _encoding, done) => void (this.#lastWrite = this.#writeRaw([chunk], done)),
      writev: (chunks, done) => {
        this.#lastWrite = this.#writeRaw(chunks.map(({ chunk }) => chunk), done);
      },
    });
    this.#duplex.on("error", this.#fail);
    // The types lack `allowHalfOpen`. Without it the end of one direction would end the other.
    const options = { isServer: true, secureContext: context, allowHalfOpen: true };
    this.#tls = new TLSSocket(this.#duplex as unknown as ConstructorParameters<typeof TLSSocket>[0], options);
    this.#freeDrained = freeDrained(this.#tls);
    this.#tls.on("secure", this.#secured);
    this.#tls.on("data", this.#deliver);
    this.#tls.on("end", this.#ended);
    this.#tls.on("error", this.#fail);
  }

  /** Begins the handshake with the bytes already read. */
  start(firstRecord: Uint8Array): void {
    this.#duplex.push(asNode(firstRecord));
    this.#readRaw();
  }

  handshake(): Promise<void> {
    return this.#handshake.promise;
  }

  read(bytes: Uint8Array): Promise<number | null> {
    const count = this.#plaintext.take(bytes);
    if (count > 0) return Promise.resolve(count);
    if (this.#sawEnd) return Promise.resolve(null);
    if (this.#error !== undefined) return Promise.reject(this.#error);
    const read = this.#plaintext.wait(bytes);
    this.#readRaw();
    return read;
  }

  write(bytes: Uint8Array): Promise<number> {
    if (this.#error !== undefined) return Promise.reject(this.#error);
    this.#writer = Promise.withResolvers();
    this.#writing = bytes.length;
    const { promise } = this.#writer;
    this.#tls.write(asNode(bytes), this.#written);
    return promise;
  }

  closeWrite(): Promise<void> {
    if (this.#error !== undefined) return Promise.reject(this.#error);
    return this.#writeEnd();
  }

  /** Sends close_notify and the end of the TCP stream. */
  async #writeEnd(): Promise<void> {
    this.#wroteEnd = true;
    await new Promise<void>((resolve) => this.#tls.end(resolve));
    await this.#lastWrite;
    await this.#front.closeWrite();
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    const isBlocked = this.#writer !== undefined;
    this.#settleAll(new Deno.errors.Interrupted("closed"));
    this.#linger = setTimeout(this.#free, LINGER_MS);
    if (this.#isHandshaking) this.#sendAlert().then(this.#free, this.#free);
    else if (isBlocked || this.#wroteEnd || this.#error !== undefined) this.#free();
    else this.#writeEnd().then(this.#free, this.#free);
  }

  abort(): void {
    this.close();
    this.#free();
  }

  readonly #secured = () => {
    this.#isHandshaking = false;
    this.#handshake.resolve();
  };

  /** Reads from TCP if plaintext is wanted. */
  #readRaw(): void {
    if (this.#isReadingRaw || this.#isClosed || this.#error !== undefined || this.#sawEnd) return;
    if (!this.#isHandshaking && this.#plaintext.wanted === 0) return;
    // TLS itself answers some messages (KeyUpdate). A peer that sends those and reads no answers must not be read on.
    if (this.#isWritingRaw && this.#writer === undefined && !this.#isHandshaking) return;
    this.#isReadingRaw = true;
    this.#raw ??= this.#pool.takeForRead(Math.max(this.#rawSize, this.#plaintext.wanted));
    this.#front.read(this.#raw).then(this.#arrived, this.#rawFailed);
  }

  readonly #arrived = (count: number | null) => {
    this.#isReadingRaw = false;
    const raw = this.#raw!;
    if (this.#isClosed) {
      this.#giveRaw();
      if (this.#isFreed) this.#settled();
      return;
    }
    if (count === null) {
      this.#giveRaw();
      // Later: a close_notify that arrived before is reported after some ticks.
      this.#eofCheck = setImmediate(this.#eof);
      return;
    }
    this.#rawSize = count === raw.length ? count * 4 : count;
    this.#isPushing = true;
    this.#duplex.push(asNode(raw.subarray(0, count)));
    this.#isPushing = false;
    if (this.#duplex.readableLength > 0) this.#raw = undefined; // not decrypted yet, so the stream owns the buffer
    else this.#giveRaw();
    this.#plaintext.settle();
    this.#readRaw();
  };

  readonly #rawFailed = (error: unknown) => {
    this.#isReadingRaw = false;
    this.#giveRaw();
    this.#fail(error);
    if (this.#isFreed) this.#settled();
  };

  readonly #eof = () => {
    if (!this.#sawEnd || this.#isHandshaking) {
      this.#fail(new Deno.errors.UnexpectedEof("the connection ended without a TLS close_notify"));
    }
  };

  #giveRaw(): void {
    if (this.#raw !== undefined) this.#pool.give(this.#raw);
    this.#raw = undefined;
  }

  readonly #deliver = (plaintext: Uint8Array) => {
    if (this.#isClosed) return;
    this.#plaintext.deliver(plaintext);
    if (!this.#isPushing) queueMicrotask(this.#plaintext.settle); // decrypted after the push had returned
  };

  readonly #ended = () => {
    if (this.#isHandshaking) return; // `#eof` reports it
    this.#sawEnd = true;
    this.#plaintext.end();
  };

  readonly #written = (error?: Error | null) => {
    if (error) {
      this.#fail(error);
      return;
    }
    this.#writer?.resolve(this.#writing);
    this.#writer = undefined;
  };

  async #writeRaw(chunks: readonly Uint8Array[], done: (error?: Error | null) => void): Promise<void> {
    this.#hasSent = true;
    this.#isWritingRaw = true;
    this.#freeDrained(chunks[0]);
    try {
      for (const chunk of chunks) {
        for (let at = 0; at < chunk.length;) {
          at += await this.#front.write(at === 0 ? chunk : chunk.subarray(at));
        }
        free(chunk);
      }
    } catch (error) {
      done(error as Error);
      return;
    }
    this.#isWritingRaw = false;
    done();
    this.#readRaw();
  }

  readonly #fail = (error: unknown) => {
    if (this.#error !== undefined) return;
    this.#error = error;
    this.#settleAll(error);
  };

  #settleAll(error: unknown): void {
    this.#handshake.reject(error);
    this.#plaintext.fail(error);
    this.#writer?.reject(error);
    this.#writer = undefined;
  }

  /** Sends the alert that says why a ClientHello was refused. `node:tls` sends none. */
  async #sendAlert(): Promise<void> {
    if (this.#hasSent || this.#error === undefined) return;
    const alert = alertFor(this.#error);
    if (alert === undefined) return;
    await this.#front.write(Uint8Array.of(0x15, 3, 3, 0, 2, 2, alert));
    await this.#front.closeWrite();
  }

  readonly #free = () => {
    if (this.#isFreed) return;
    this.#isFreed = true;
    clearTimeout(this.#linger);
    if (this.#eofCheck !== undefined) clearImmediate(this.#eofCheck);
    try {
      this.#front.close();
    } catch {
      // Closed already.
    }
    this.#tls.destroy();
    this.#duplex.destroy();
    if (!this.#isReadingRaw) this.#settled();
  };
}
