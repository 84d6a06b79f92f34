/**
 * The server side of TLS, directly on the client's TCP connection.
 *
 * A `TLSSocket` of `node:tls` encrypts and decrypts; it reads from and writes to a `Duplex` of ours, which moves the bytes
 * from and to the TCP connection. So the TCP connection stays ours: its descriptor is freed at once, whatever the peer
 * does, and `setNoDelay` applies. It is one descriptor per connection, where the relay of `relay.ts` needs three.
 *
 * What must hold:
 * - A `TLSSocket` decrypts everything it is given, without limit, even while it is paused. So TCP is read only while a
 *   `read` waits for plaintext, or during the handshake. That is the back-pressure.
 * - TLS itself answers some messages of the peer (KeyUpdate). A peer that sends those and reads no answers is not read
 *   on; see `MAX_UNSENT_ANSWERS`.
 * - Buffers that come from `node:tls` are freed at once; see `node_buffers.ts`.
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
import { EncryptedOutput } from "./encrypted_output.ts";
import { asNode, reuseFreed } from "./node_buffers.ts";
import { Plaintext } from "./plaintext.ts";
import { alertFor } from "./reasons.ts";

/** Above this many encrypted bytes that no `write` asked for and TCP has not taken, the peer is not read. */
const MAX_UNSENT_ANSWERS = 64 * 1024;

/** The largest read from TCP. */
const MAX_RAW_BYTES = BUFFER_BYTES[BUFFER_BYTES.length - 1];

/** Returns what opens connections with `identity`. */
export function directOpener({ cert, key }: TlsIdentity): TlsAcceptor["open"] {
  const context = createSecureContext({ cert, key, minVersion: "TLSv1.2" });
  reuseFreed();
  return async (tcp, firstRecord, pool) => {
    const connection = new DirectTls(tcp, context, pool);
    // A TLSSocket starts in the next tick, and must not be destroyed before.
    await new Promise<void>((resolve) => nextTick(resolve));
    connection.start(firstRecord);
    return connection;
  };
}

/** One connection; see the module's comment. */
class DirectTls implements TlsConnection {
  readonly closed: Promise<void>;

  readonly #tcp: Socket;
  readonly #pool: BufferPool;
  readonly #output: EncryptedOutput;
  readonly #duplex: Duplex;
  readonly #tls: TLSSocket;
  readonly #handshake = Promise.withResolvers<void>();
  #isHandshaking = true;
  readonly #plaintext = new Plaintext();
  /** The buffer that is being read into from TCP. */
  #raw: PoolBuffer | undefined;
  #rawSize = BUFFER_BYTES[0];
  #isReadingRaw = false;
  /** Bytes are being decrypted. */
  #isPushing = false;
  /** The peer's close_notify has been received. */
  #sawEnd = false;
  #eofCheck: ReturnType<typeof setImmediate> | undefined;
  #writer: PromiseWithResolvers<number> | undefined;
  /** How many bytes `#writer` writes. */
  #writing = 0;
  /** The end of this side's direction, once it has begun. */
  #ending: Promise<void> | undefined;
  #error: unknown;
  #isClosed = false;
  #isFreed = false;
  #linger: ReturnType<typeof setTimeout> | undefined;
  #settled!: () => void;

  constructor(tcp: Socket, context: SecureContext, pool: BufferPool) {
    this.#tcp = tcp;
    this.#pool = pool;
    this.closed = new Promise((resolve) => this.#settled = resolve);
    this.#handshake.promise.catch(() => {}); // no unhandled rejection if it is closed before `handshake` is called
    this.#output = new EncryptedOutput(tcp, () => this.#readRaw(), this.#fail);
    this.#duplex = new Duplex({
      allowHalfOpen: true,
      read: () => {}, // bytes are pushed as they arrive
      write: (chunk, _encoding, done) => this.#output.write([chunk], done),
      writev: (chunks, done) => this.#output.write(chunks.map(({ chunk }) => chunk), done),
    });
    this.#duplex.on("error", this.#fail);
    // The types lack `allowHalfOpen`. Without it the end of one direction would end the other.
    const options = { isServer: true, secureContext: context, allowHalfOpen: true };
    this.#tls = new TLSSocket(this.#duplex as unknown as ConstructorParameters<typeof TLSSocket>[0], options);
    this.#output.comesFrom(this.#tls);
    this.#tls.on("secure", this.#secured);
    this.#tls.on("data", this.#deliver);
    this.#tls.on("end", this.#ended);
    this.#tls.on("error", this.#fail);
  }

  /** Begins the handshake with the bytes already read. */
  start(firstRecord: Uint8Array): void {
    this.#push(firstRecord);
    this.#readRaw();
  }

  handshake(): Promise<void> {
    return this.#handshake.promise;
  }

  read(bytes: Uint8Array): Promise<number | null> {
    if (this.#isClosed) return Promise.reject(closedError());
    const count = this.#plaintext.take(bytes);
    if (count > 0) return Promise.resolve(count);
    if (this.#sawEnd) return Promise.resolve(null);
    if (this.#error !== undefined) return Promise.reject(this.#error);
    const read = this.#plaintext.wait(bytes);
    this.#readRaw();
    return read;
  }

  write(bytes: Uint8Array): Promise<number> {
    if (this.#isClosed) return Promise.reject(closedError());
    if (this.#error !== undefined) return Promise.reject(this.#error);
    this.#writer = Promise.withResolvers();
    this.#writing = bytes.length;
    const { promise } = this.#writer;
    this.#tls.write(asNode(bytes), this.#written);
    return promise;
  }

  closeWrite(): Promise<void> {
    if (this.#isClosed) return Promise.reject(closedError());
    if (this.#error !== undefined) return Promise.reject(this.#error);
    return this.#ending ??= this.#writeEnd();
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    const isBlocked = this.#writer !== undefined;
    this.#settleAll(closedError());
    if (isBlocked || (this.#error !== undefined && !this.#isHandshaking)) {
      this.#free();
      return;
    }
    this.#linger = setTimeout(this.#free, LINGER_MS);
    const last = this.#isHandshaking ? this.#sendAlert() : this.#ending ??= this.#writeEnd();
    last.then(this.#free, this.#free);
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
    // Encryption adds much less than doubles what `write` was given.
    if (this.#duplex.writableLength > 2 * this.#writing + MAX_UNSENT_ANSWERS) return;
    this.#isReadingRaw = true;
    this.#raw = this.#pool.take(this.#nextRawSize());
    this.#tcp.read(this.#raw).then(this.#arrived, this.#rawFailed);
  }

  /**
   * As large as what the reader has room for, because the pool decides that; at most twice as large, because the reader's
   * buffer grows only if it is filled, and encrypted bytes are more than plaintext.
   */
  #nextRawSize(): number {
    const { wanted } = this.#plaintext;
    const most = Math.max(2 * wanted, BUFFER_BYTES[1]);
    return Math.min(Math.max(wanted, Math.min(this.#rawSize, most)), MAX_RAW_BYTES);
  }

  readonly #arrived = (count: number | null) => {
    const raw = this.#raw!;
    if (count === null) {
      // Later: a close_notify that arrived before is reported after some ticks.
      if (!this.#isClosed) this.#eofCheck = setImmediate(this.#eof);
    } else if (!this.#isClosed) {
      this.#rawSize = count === raw.length ? count * 4 : count;
      this.#push(raw.subarray(0, count));
    }
    this.#rawEnded();
    this.#plaintext.settle();
    if (count !== null) this.#readRaw();
  };

  readonly #rawFailed = (error: unknown) => {
    this.#rawEnded();
    this.#fail(error);
  };

  #rawEnded(): void {
    this.#pool.give(this.#raw!);
    this.#raw = undefined;
    this.#isReadingRaw = false;
    if (this.#isFreed) this.#output.settled.then(this.#settled);
  }

  /** Decrypts `bytes`, which may be reused afterwards. */
  #push(bytes: Uint8Array): void {
    // Only then the stream passes the bytes on at once instead of keeping them.
    const isPassedOn = this.#duplex.readableFlowing && this.#duplex.readableLength === 0;
    this.#isPushing = true;
    this.#duplex.push(asNode(isPassedOn ? bytes : bytes.slice()));
    this.#isPushing = false;
  }

  readonly #eof = () => {
    if (!this.#sawEnd || this.#isHandshaking) {
      this.#fail(new Deno.errors.UnexpectedEof("the connection ended without a TLS close_notify"));
    }
  };

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
    this.#writing = 0;
  };

  /** Sends close_notify and the end of the TCP stream. */
  async #writeEnd(): Promise<void> {
    await new Promise<void>((resolve) => this.#tls.end(resolve));
    await this.#output.settled;
    await this.#tcp.closeWrite();
  }

  /** Sends the alert that says why a ClientHello was refused. `node:tls` sends none. */
  async #sendAlert(): Promise<void> {
    // After the first write to TCP an alert in plain text would not be understood.
    if (this.#output.hasBegun || this.#error === undefined) return;
    const alert = alertFor(this.#error);
    if (alert === undefined) return;
    await this.#tcp.write(Uint8Array.of(0x15, 3, 3, 0, 2, 2, alert));
    await this.#tcp.closeWrite();
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

  readonly #free = () => {
    if (this.#isFreed) return;
    this.#isFreed = true;
    clearTimeout(this.#linger);
    if (this.#eofCheck !== undefined) clearImmediate(this.#eofCheck);
    try {
      this.#tcp.close();
    } catch {
      // Closed already.
    }
    this.#tls.destroy();
    this.#duplex.destroy();
    if (!this.#isReadingRaw) this.#output.settled.then(this.#settled);
  };
}

function closedError(): Error {
  return new Deno.errors.Interrupted("closed");
}
