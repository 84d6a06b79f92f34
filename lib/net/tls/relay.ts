/**
 * A TLS connection whose file descriptors can be freed at any time.
 *
 * `Deno.TlsConn.close()` keeps its descriptor until the peer answers, so a client that stays silent keeps it for ever.
 * Only the peer can free it, so here the server is the peer of its own `TlsConn`. The client's TCP connection (`front`)
 * can be closed at any time. Its bytes are relayed, still encrypted, over the loopback (`back`) to the `TlsConn`
 * (`tls`), which decrypts them. Closing `back` frees `tls`.
 *
 *     client ⇄ front ⇄ (relay) ⇄ back ⇄ tls ⇄ Connection
 *
 * Costs: three descriptors per connection, some 20 µs per round trip, and 2.0 s of processor time per gigabyte, of
 * which TLS itself takes 1.1. Rejected, after tests on Deno 2.6.10 and 2.9.6: `Deno.listenTls` alone leaks 1,000 of
 * 1,000 descriptors on both. The servers of `node:tls` do the same on 2.6.10. On 2.9.6 they free them, but buffer
 * without limit what a paused connection receives, never accept again once descriptors have run out, and cost as much.
 *
 * Runtimes from Deno 2.9.5 on need none of this; see `direct.ts`.
 *
 * Known limit: `Deno.TlsConn` has no `setNoDelay`, so while bytes go both ways, a small message may wait up to 40 ms
 * for the next packet of the peer.
 *
 * @module
 */

import { BUFFER_BYTES, CANCEL_MS, LINGER_MS } from "../../limits.ts";
import type { BufferPool } from "../buffers.ts";
import type { Socket } from "../socket.ts";
import { checkIdentity, type TlsAcceptor, type TlsConnection, type TlsIdentity } from "./acceptor.ts";

/** The address of the inner connections. Other machines cannot reach it. */
const LOOPBACK = "127.0.0.1";

/** Discards what is written to it. */
const DISCARD: Pick<Socket, "write"> = { write: (bytes) => Promise.resolve(bytes.length) };

/**
 * Serves TLS with `identity`.
 *
 * @throws {Error} Deno's description of what is wrong with it
 */
export function relayAcceptor(identity: TlsIdentity): TlsAcceptor {
  checkIdentity(identity);
  return { open: (front, firstRecord, pool) => TlsRelay.open(front, firstRecord, identity, pool) };
}

/** One connection; see the module's comment. A {@linkcode Socket} once `handshake` has resolved. */
class TlsRelay implements TlsConnection {
  /** Settles when all three descriptors are free and no operation on them is left. */
  readonly closed: Promise<void>;

  readonly #front: Socket;
  readonly #back: Socket;
  readonly #tls: Deno.TlsConn;
  readonly #pool: BufferPool;
  #isClosed = false;
  #isFlushed = false;
  #isFreed = false;
  #flush: ReturnType<typeof setTimeout> | undefined;
  #onFreed!: () => void;

  /**
   * Opens the inner connection to the server side of TLS.
   *
   * Each relay has an inner listener of its own. It takes 0.1 ms, is open only until the connection is made, and makes
   * replacing the certificate trivial. If another program on this machine connects to it first, the relay fails.
   *
   * @param firstRecord the bytes already read from `front`
   * @throws {Error} if the inner connection cannot be made
   */
  static async open(
    front: Socket,
    firstRecord: Uint8Array,
    identity: TlsIdentity,
    pool: BufferPool,
  ): Promise<TlsRelay> {
    const inner = listenInside(identity);
    let back: Deno.TcpConn | undefined;
    try {
      back = await Deno.connect({ hostname: LOOPBACK, port: (inner.addr as Deno.NetAddr).port });
      const tls = await inner.accept();
      if (tls.remoteAddr.port !== back.localAddr.port) {
        tls.close();
        throw new Error("another program on this machine connected to the inner listener");
      }
      back.setNoDelay(true);
      return new TlsRelay(front, back, tls, pool, firstRecord);
    } catch (error) {
      back?.close();
      throw error;
    } finally {
      inner.close();
    }
  }

  private constructor(
    front: Socket,
    back: Socket,
    tls: Deno.TlsConn,
    pool: BufferPool,
    firstRecord: Uint8Array,
  ) {
    this.#front = front;
    this.#back = back;
    this.#tls = tls;
    this.#pool = pool;
    const freed = new Promise<void>((resolve) => this.#onFreed = resolve);
    const ended = Promise.all([this.#relayIn(firstRecord), this.#relayOut()]);
    this.closed = freed.then(() => settledWithin(ended, CANCEL_MS));
  }

  /** Resolves when the TLS handshake is complete; rejects if it fails. */
  async handshake(): Promise<void> {
    await this.#tls.handshake();
  }

  /** See {@linkcode Socket.read}. */
  read(bytes: Uint8Array): Promise<number | null> {
    return this.#tls.read(bytes);
  }

  /** See {@linkcode Socket.write}. */
  write(bytes: Uint8Array): Promise<number> {
    return this.#tls.write(bytes);
  }

  /** See {@linkcode Socket.closeWrite}. */
  closeWrite(): Promise<void> {
    return this.#tls.closeWrite();
  }

  /**
   * Closes both directions. As with TCP, what was written before is still sent if the peer reads it, for at most
   * `LINGER_MS`.
   */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#tls.close();
    if (this.#isFlushed) this.#free();
    else this.#flush = setTimeout(() => this.#free(), LINGER_MS);
  }

  /** Closes both directions and frees the descriptors at once. What was written last may be lost. */
  abort(): void {
    this.close();
    this.#free();
  }

  /** Relays from the client to TLS, until the client ends its direction or `back` is closed. */
  async #relayIn(firstRecord: Uint8Array): Promise<void> {
    try {
      await writeAll(this.#back, firstRecord);
      await relay(this.#front, this.#back, this.#pool);
    } catch {
      // Front or back failed. If it is front, TLS sees an end of the stream without close_notify.
    }
    await this.#back.closeWrite().catch(() => {});
  }

  /** Relays from TLS to the client, until TLS has sent its last record. */
  async #relayOut(): Promise<void> {
    try {
      await relay(this.#back, this.#front, this.#pool);
      await this.#front.closeWrite();
    } catch {
      // The client is gone. TLS notices it by reading; until then its writes must not block.
      await relay(this.#back, DISCARD, this.#pool).catch(() => {});
    }
    this.#isFlushed = true;
    if (this.#isClosed) this.#free();
  }

  #free(): void {
    if (this.#isFreed) return;
    this.#isFreed = true;
    clearTimeout(this.#flush);
    for (const socket of [this.#front, this.#back]) {
      try {
        socket.close();
      } catch {
        // Closed already, at the handshake deadline.
      }
    }
    this.#onFreed();
  }
}

function listenInside({ cert, key }: TlsIdentity): Deno.TlsListener {
  return Deno.listenTls({ hostname: LOOPBACK, port: 0, cert, key });
}

/** Copies `from` to `to` until the end of the stream, buffering no more than one read. */
async function relay(
  from: Pick<Socket, "read">,
  to: Pick<Socket, "write">,
  pool: BufferPool,
): Promise<void> {
  let buffer = pool.takeForRead(BUFFER_BYTES[0]);
  try {
    for (let count = await from.read(buffer); count !== null; count = await from.read(buffer)) {
      await writeAll(to, count === buffer.length ? buffer : buffer.subarray(0, count));
      const wanted = count === buffer.length ? count * 4 : count * 2;
      if (wanted > buffer.length || wanted * 4 <= buffer.length) {
        pool.give(buffer);
        buffer = pool.takeForRead(wanted);
      }
    }
  } finally {
    pool.give(buffer);
  }
}

async function writeAll(to: Pick<Socket, "write">, bytes: Uint8Array): Promise<void> {
  let at = await to.write(bytes);
  while (at < bytes.length) at += await to.write(bytes.subarray(at));
}

/** Waits for `ended`, but at most `ms`: before Deno 2.9 a write to a peer that does not read never settles. */
async function settledWithin(ended: Promise<unknown>, ms: number): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  await Promise.race([ended, new Promise((resolve) => timer = setTimeout(resolve, ms))]);
  clearTimeout(timer);
}
