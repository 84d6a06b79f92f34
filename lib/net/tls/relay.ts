/**
 * A TLS connection whose descriptors can always be had back.
 *
 * `Deno.TlsConn.close()` keeps its descriptor until the peer has had its say, and a stranger who never says anything
 * keeps it for ever. Only one side ever gives it up: the peer's. So the peer of our `TlsConn` is ourselves. What
 * comes from the stranger (`front`, plain TCP that can be closed at any time) is relayed, still encrypted, over the
 * loopback (`back`) to the `TlsConn` (`session`) that decrypts it; closing `back` is all it takes to free `session`.
 *
 *     stranger ⇄ front ⇄ (relay) ⇄ back ⇄ session ⇄ Connection
 *
 * It costs three descriptors a connection, some 20 µs a round trip, and about as much processor time a byte again as
 * TLS itself (2.0 s a gigabyte instead of 1.1). What was tried instead, on Deno 2.6.10 and 2.9.6: `Deno.listenTls`
 * alone leaks 1,000 of 1,000 descriptors on both. `node:tls` is the same thing on 2.6.10; on 2.9.6 it frees them, but
 * takes in everything that a paused connection is sent (gigabytes of it), never accepts again once descriptors have
 * run out, and costs as much.
 *
 * What it cannot cure: nobody can tell Deno's side of TLS not to wait for more to send (`setNoDelay`), so while bytes
 * go both ways at once, a small message may wait for the next one from the peer, 40 ms at most.
 *
 * @module
 */

import { BUFFER_BYTES, CANCEL_MS, LINGER_MS } from "../../limits.ts";
import type { BufferPool } from "../buffers.ts";
import type { Socket } from "../socket.ts";

/** Certificate and private key of a server, both PEM. */
export interface TlsIdentity {
  /** The certificate, followed by those between it and its CA. */
  readonly cert: string;
  /** The certificate's private key. */
  readonly key: string;
}

/** Where the two ends of a relay meet: nobody else can reach it. */
const LOOPBACK = "127.0.0.1";

/** Where what nobody wants any more goes. */
const NOWHERE: Pick<Socket, "write"> = { write: (bytes) => Promise.resolve(bytes.length) };

/**
 * Checks that TLS can be served with `identity`.
 *
 * @throws {Error} what is wrong with it, in Deno's words
 */
export function tryIdentity(identity: TlsIdentity): void {
  meetingPoint(identity).close();
}

/** One connection; see the module's comment. A {@linkcode Socket} once `handshake` has resolved. */
export class TlsRelay implements Socket {
  /** Settles when all three descriptors are freed and nothing refers to them any more. */
  readonly gone: Promise<void>;

  readonly #front: Socket;
  readonly #back: Socket;
  readonly #session: Deno.TlsConn;
  readonly #pool: BufferPool;
  #isClosed = false;
  #hasSaidAll = false;
  #isTorn = false;
  #flush: ReturnType<typeof setTimeout> | undefined;
  #torn!: () => void;

  /**
   * Opens the inner connection to the server side of TLS.
   *
   * A listener of its own for each takes 0.1 ms, and leaves strangers on this machine no port to knock on: nobody
   * else can connect between the call that opens it and the next one. It also makes renewing a certificate trivial.
   *
   * @param greeting what has been read from `front` already
   */
  static async open(
    front: Socket,
    greeting: Uint8Array,
    identity: TlsIdentity,
    pool: BufferPool,
  ): Promise<TlsRelay> {
    const meeting = meetingPoint(identity);
    let back: Deno.TcpConn | undefined;
    try {
      back = await Deno.connect({ hostname: LOOPBACK, port: (meeting.addr as Deno.NetAddr).port });
      const session = await meeting.accept();
      if (session.remoteAddr.port !== back.localAddr.port) {
        session.close();
        throw new Error("another program on this machine got in between");
      }
      back.setNoDelay(true);
      return new TlsRelay(front, back, session, pool, greeting);
    } catch (error) {
      back?.close();
      throw error;
    } finally {
      meeting.close();
    }
  }

  private constructor(
    front: Socket,
    back: Socket,
    session: Deno.TlsConn,
    pool: BufferPool,
    greeting: Uint8Array,
  ) {
    this.#front = front;
    this.#back = back;
    this.#session = session;
    this.#pool = pool;
    const torn = new Promise<void>((resolve) => this.#torn = resolve);
    const ended = Promise.all([this.#relayIn(greeting), this.#relayOut()]);
    this.gone = torn.then(() => settledWithin(ended, CANCEL_MS));
  }

  /** Resolves once the peer has proven to be one that TLS can be spoken with. */
  async handshake(): Promise<void> {
    await this.#session.handshake();
  }

  /** See {@linkcode Socket.read}. */
  read(bytes: Uint8Array): Promise<number | null> {
    return this.#session.read(bytes);
  }

  /** See {@linkcode Socket.write}. */
  write(bytes: Uint8Array): Promise<number> {
    return this.#session.write(bytes);
  }

  /** See {@linkcode Socket.closeWrite}. */
  closeWrite(): Promise<void> {
    return this.#session.closeWrite();
  }

  /**
   * Ends both directions. As with TCP, what was written before still goes out if the peer takes it; one that does not
   * has its descriptor taken away after `LINGER_MS`.
   */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#session.close();
    if (this.#hasSaidAll) this.#tear();
    else this.#flush = setTimeout(() => this.#tear(), LINGER_MS);
  }

  /** Ends both directions and frees the descriptors now; what was written last may be lost. */
  abort(): void {
    this.close();
    this.#tear();
  }

  /** From the stranger to the session. Ends with the stranger's end, or when the session wants no more. */
  async #relayIn(greeting: Uint8Array): Promise<void> {
    try {
      await writeAll(this.#back, greeting);
      await relay(this.#front, this.#back, this.#pool);
    } catch {
      // Front or back is gone. Where it is front, the session learns it from an end of the stream without goodbye.
    }
    await this.#back.closeWrite().catch(() => {});
  }

  /** From the session to the stranger. Ends when the session has said its last. */
  async #relayOut(): Promise<void> {
    try {
      await relay(this.#back, this.#front, this.#pool);
      await this.#front.closeWrite();
    } catch {
      // The stranger is gone. The session finds out by reading; until then it must be able to write on.
      await relay(this.#back, NOWHERE, this.#pool).catch(() => {});
    }
    this.#hasSaidAll = true;
    if (this.#isClosed) this.#tear();
  }

  #tear(): void {
    if (this.#isTorn) return;
    this.#isTorn = true;
    clearTimeout(this.#flush);
    for (const socket of [this.#front, this.#back]) {
      try {
        socket.close();
      } catch {
        // Closed already, by whoever lost patience before the relay began.
      }
    }
    this.#torn();
  }
}

function meetingPoint({ cert, key }: TlsIdentity): Deno.TlsListener {
  return Deno.listenTls({ hostname: LOOPBACK, port: 0, cert, key });
}

/** Hands on what comes until it ends, never holding more than one read of it. */
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

/** Waits for `ended`, but no longer than `ms`: before Deno 2.9 a write to a peer that does not read never ends. */
async function settledWithin(ended: Promise<unknown>, ms: number): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  await Promise.race([ended, new Promise((resolve) => timer = setTimeout(resolve, ms))]);
  clearTimeout(timer);
}
