/**
 * Accepts TLS connections: handshakes have a deadline, their failures are explained, the certificate is replaceable.
 *
 * @module
 */

import { Deadline } from "../../deadline.ts";
import { ParleyError } from "../../errors.ts";
import { BufferPool } from "../buffers.ts";
import { type Accepted, Listener, type ListenerEvents } from "../listener.ts";
import { readFirstRecord, TruncatedFirstRecord } from "./first_record.ts";
import { describeClientFailure } from "./reasons.ts";
import type { TlsAcceptor, TlsConnection, TlsIdentity, TlsImplementation } from "./acceptor.ts";
import { bestImplementation } from "./implementation.ts";

export type { TlsIdentity } from "./acceptor.ts";

/** What a TLS listener reports to its owner. Each connection not turned away is `accepted` or `refused` later. */
export interface TlsListenerEvents extends ListenerEvents {
  /** A client connected, before its handshake. Returning `false` closes the connection unread. Optional. */
  arrived?(address: string): boolean;
  /**
   * The handshake failed. `reason` is for the log, after the address; it quotes nothing that the client sent. `isSilent`:
   * the client closed the connection without having sent anything, as a health check does.
   */
  refused(address: string, reason: string, isSilent: boolean): void;
}

/** Accepts connections on one address until it is closed, and passes on those that complete the TLS handshake. */
export class TlsListener {
  /** The address listened on, with the port that the system chose if 0 was requested. */
  readonly address: Deno.NetAddr;
  /** Settles when the accept loop has ended and every connection is closed, including those passed on. */
  readonly closed: Promise<void>;

  readonly #listener: Listener;
  readonly #handshakeMs: number;
  readonly #events: TlsListenerEvents;
  readonly #pool: BufferPool;
  /** Aborts each handshake in progress, with a reason. */
  readonly #handshakes = new Set<(reason: string) => void>();
  /** Handshakes and connections that have not ended. */
  readonly #unfinished = new Set<Promise<void>>();
  readonly #implementation: TlsImplementation;
  #acceptor: TlsAcceptor;

  /**
   * @param handshakeMs time from accepting a connection to the end of its handshake, in milliseconds
   * @param pool lends the buffers
   * @param implementation how TLS is done; the best one for this runtime, unless given
   * @throws {ParleyError} `bad_argument` if the certificate and key cannot be used
   * @throws {Deno.errors.AddrInUse} and the other errors of `Deno.listen`
   */
  constructor(
    hostname: string,
    port: number,
    identity: TlsIdentity,
    handshakeMs: number,
    events: TlsListenerEvents,
    pool: BufferPool = new BufferPool(),
    implementation: TlsImplementation = bestImplementation(),
  ) {
    this.#implementation = implementation;
    this.#acceptor = this.#acceptorFor(identity);
    this.#handshakeMs = handshakeMs;
    this.#events = events;
    this.#pool = pool;
    this.#listener = new Listener(hostname, port, {
      accepted: (accepted) => this.#arrived(accepted),
      acceptFailed: (error, waitMs) => events.acceptFailed(error, waitMs),
    });
    this.address = this.#listener.address;
    this.closed = this.#listener.closed.then(() => this.#allEnded());
  }

  /**
   * Uses another certificate for new connections. Existing connections are not affected.
   *
   * @throws {ParleyError} `bad_argument` if it cannot be used; the previous one stays in use
   */
  renew(identity: TlsIdentity): void {
    this.#acceptor = this.#acceptorFor(identity);
  }

  /** Stops accepting and aborts the handshakes in progress. Connections that were passed on stay open. */
  close(): void {
    this.#listener.close();
    for (const abort of [...this.#handshakes]) abort("this server stopped listening");
  }

  #arrived(accepted: Accepted): void {
    if (this.#events.arrived?.(accepted.address) === false) accepted.socket.close();
    else this.#track(this.#handshake(accepted));
  }

  async #handshake({ socket: front, address, port }: Accepted): Promise<void> {
    let connection: TlsConnection | undefined;
    let failure: string | undefined;
    let isSilent = false;
    const abort = (reason: string) => {
      if (failure !== undefined) return;
      failure = reason;
      if (connection === undefined) front.close();
      else connection.abort();
    };
    const deadline = new Deadline(this.#handshakeMs, () => {
      const what = connection === undefined
        ? "it sent no complete TLS ClientHello"
        : "it did not finish the TLS handshake";
      abort(`${what} within ${this.#handshakeMs / 1000} s`);
    });
    this.#handshakes.add(abort);
    try {
      const firstRecord = await readFirstRecord(front);
      connection = await this.#acceptor.open(front, firstRecord, this.#pool);
      this.#track(connection.closed);
      if (failure !== undefined) connection.abort();
      await connection.handshake();
    } catch (error) {
      if (failure === undefined) {
        failure = describeClientFailure(error);
        isSilent = error instanceof TruncatedFirstRecord && error.isEmpty;
        // Closed, not aborted: the alert that tells the client the reason may still be on its way.
        if (connection === undefined) front.close();
        else connection.close();
      }
    } finally {
      deadline.stop();
      this.#handshakes.delete(abort);
    }
    if (connection === undefined || failure !== undefined) this.#events.refused(address, failure!, isSilent);
    else {
      this.#events.accepted({ socket: connection, address, port, agoMs: deadline.spentMs, transport: "tls" });
    }
  }

  #track(ended: Promise<void>): void {
    this.#unfinished.add(ended);
    ended.then(() => this.#unfinished.delete(ended));
  }

  async #allEnded(): Promise<void> {
    while (this.#unfinished.size > 0) await Promise.all(this.#unfinished);
  }

  #acceptorFor(identity: TlsIdentity): TlsAcceptor {
    try {
      return this.#implementation(identity);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      const text = `cannot serve TLS with this certificate and key: ${reason}; ` +
        "both must be PEM, and the key the one the certificate was made for";
      throw new ParleyError("bad_argument", text, { cause: error });
    }
  }
}
