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
 * - Every buffer that the `TLSSocket` hands over is freed at once, see {@linkcode free}.
 *
 * Runtimes without {@linkcode canServeDirectly} use the relay.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { nextTick } from "node:process";
import { Duplex } from "node:stream";
import { clearImmediate, setImmediate } from "node:timers";
import { createSecureContext, type SecureContext, TLSSocket } from "node:tls";
import { BUFFER_BYTES, LINGER_MS } from "../../limits.ts";
import type { Buffer as PoolBuffer, BufferPool } from "../buffers.ts";
import type { Socket } from "../socket.ts";
import { checkIdentity, type TlsAcceptor, type TlsConnection, type TlsIdentity } from "./acceptor.ts";

/** On 2.6.10 the handshake never completes, on 2.8.0 it does; tested from here on. */
const FIRST_VERSION = [2, 9] as const;

/** Whether this runtime can do without the relay. */
export function canServeDirectly(version: string = Deno.version.deno): boolean {
  const [major, minor] = version.split(".").map(Number);
  return major > FIRST_VERSION[0] || (major === FIRST_VERSION[0] && minor >= FIRST_VERSION[1]);
}

/**
 * Serves TLS with `identity`.
 *
 * @throws {Error} Deno's description of what is wrong with it
 */
export function directAcceptor(identity: TlsIdentity): TlsAcceptor {
  checkIdentity(identity); // `createSecureContext` accepts a key that does not match
  const { cert, key } = identity;
  const context = createSecureContext({ cert, key, minVersion: "TLSv1.2" });
  return {
    async open(front, firstRecord, pool) {
      const connection = new DirectTls(front, context, pool);
      // A TLSSocket starts in the next tick, and must not be destroyed before.
      await new Promise<void>((resolve) => nextTick(resolve));
      connection.start(firstRecord);
      return connection;
    },
  };
}

/** The alerts of RFC 8446, section 6.2, that answer a ClientHello. */
const ALERTS = { unexpectedMessage: 10, handshakeFailure: 40, decodeError: 50, protocolVersion: 70 } as const;

/** Smaller buffers are left to the garbage collector, which is cheaper. */
const MIN_FREED_BYTES = 4 * 1024;

/** Decrypted bytes, of which `[at, end)` have not been read. */
interface Plaintext {
  readonly bytes: Uint8Array;
  at: number;
}

/** A `read` that waits for plaintext. */
interface Reader {
  readonly bytes: Uint8Array;
  readonly settle: PromiseWithResolvers<number | null>;
  /** How much of `bytes` is filled. */
  count: number;
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
  #reader: Reader | undefined;
  #writer: PromiseWithResolvers<number> | undefined;
  #writing = 0;
  #isWritingRaw = false;
  readonly #freeDrained: (copy: Uint8Array) => void;
  /** The last write to TCP; never rejects. */
  #lastWrite = Promise.resolve();
  /** Plaintext that the last `read` had no room for; at most one read from TCP and one TLS record. */
  readonly #plaintext: Plaintext[] = [];
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
    const count = this.#takePlaintext(bytes);
    if (count > 0) return Promise.resolve(count);
    if (this.#sawEnd) return Promise.resolve(null);
    if (this.#error !== undefined) return Promise.reject(this.#error);
    this.#reader = { bytes, settle: Promise.withResolvers(), count: 0 };
    const { promise } = this.#reader.settle;
    this.#readRaw();
    return promise;
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
    if (!this.#isHandshaking && this.#reader === undefined) return;
    // TLS itself answers some messages (KeyUpdate). A peer that sends those and reads no answers must not be read on.
    if (this.#isWritingRaw && this.#writer === undefined && !this.#isHandshaking) return;
    this.#isReadingRaw = true;
    this.#raw ??= this.#pool.takeForRead(Math.max(this.#rawSize, this.#reader?.bytes.length ?? 0));
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
    this.#settleReader();
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
    const reader = this.#reader;
    let at = 0;
    if (reader !== undefined && this.#plaintext.length === 0) {
      at = Math.min(plaintext.length, reader.bytes.length - reader.count);
      reader.bytes.set(at === plaintext.length ? plaintext : plaintext.subarray(0, at), reader.count);
      reader.count += at;
    }
    if (at < plaintext.length) this.#plaintext.push({ bytes: plaintext, at });
    else free(plaintext);
    if (!this.#isPushing) queueMicrotask(this.#settleReader); // decrypted after the push had returned
  };

  readonly #settleReader = () => {
    const reader = this.#reader;
    if (reader === undefined || reader.count === 0) return;
    this.#reader = undefined;
    reader.settle.resolve(reader.count);
  };

  /** Moves plaintext into `bytes`; returns how many bytes. */
  #takePlaintext(bytes: Uint8Array): number {
    let count = 0;
    while (count < bytes.length && this.#plaintext.length > 0) {
      const first = this.#plaintext[0];
      const part = first.bytes.subarray(first.at, first.at + bytes.length - count);
      bytes.set(part, count);
      count += part.length;
      first.at += part.length;
      if (first.at < first.bytes.length) break;
      this.#plaintext.shift();
      free(first.bytes);
    }
    return count;
  }

  readonly #ended = () => {
    if (this.#isHandshaking) return; // `#eof` reports it
    this.#sawEnd = true;
    this.#settleReader();
    this.#reader?.settle.resolve(null);
    this.#reader = undefined;
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
    this.#reader?.settle.reject(error);
    this.#writer?.reject(error);
    this.#reader = this.#writer = undefined;
  }

  /** Sends the alert that says why a ClientHello was refused. `node:tls` sends none. */
  async #sendAlert(): Promise<void> {
    if (this.#hasSent || this.#error === undefined) return;
    const words = String(this.#error);
    const alert = words.includes("InvalidContentType")
      ? ALERTS.unexpectedMessage
      : words.includes("corrupt message")
      ? ALERTS.decodeError
      : words.includes("peer is incompatible")
      ? (words.includes("Version") ? ALERTS.protocolVersion : ALERTS.handshakeFailure)
      : undefined;
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

/** `bytes` as a `Buffer` of Node, not copied. */
function asNode(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}

/**
 * Frees the memory of `bytes`, which nothing uses any more, at once. The garbage collector notices buffers late: without
 * this a busy connection takes hundreds of megabytes, and as much time again for fresh memory as for TLS.
 */
function free(bytes: Uint8Array): void {
  if (bytes.length >= MIN_FREED_BYTES && bytes.length === bytes.buffer.byteLength) {
    (bytes.buffer as ArrayBuffer).transfer(0);
  }
}

/**
 * Deno takes encrypted bytes from `TLSWrap.drainEncOut`, copies them, and writes the copy to the `Duplex`. Returns a
 * function to call with the copy, which frees the original. Where the runtime does it in another way, nothing is freed.
 */
function freeDrained(tls: TLSSocket): (copy: Uint8Array) => void {
  const handle = (tls as unknown as { _handle?: { drainEncOut?: () => unknown } })._handle;
  const drain = handle?.drainEncOut;
  if (handle === undefined || typeof drain !== "function") return () => {};
  let drained: unknown;
  handle.drainEncOut = function () {
    return drained = drain.call(this);
  };
  return (copy) => {
    if (drained instanceof Uint8Array && drained.length === copy.length && drained.buffer !== copy.buffer) {
      free(drained);
    }
    drained = undefined;
  };
}
