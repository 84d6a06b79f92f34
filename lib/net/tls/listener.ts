/**
 * Accepting TLS connections: the handshake under a deadline, its failures explained, the certificate renewable.
 *
 * @module
 */

import { ParleyError } from "../../errors.ts";
import { BufferPool } from "../buffers.ts";
import { type Accepted, Listener, type ListenerEvents } from "../listener.ts";
import { readFirstRecord } from "./first_record.ts";
import { describeClientFailure } from "./reasons.ts";
import { type TlsIdentity, TlsRelay, tryIdentity } from "./relay.ts";

export type { TlsIdentity } from "./relay.ts";

/** What a TLS listener tells its owner. Every arrival let in is followed by one `accepted` or one `refused`. */
export interface TlsListenerEvents extends ListenerEvents {
  /** Somebody connected, handshake still to come. `false` turns it away unread; to be let in is the default. */
  arrived?(address: string): boolean;
  /** The handshake failed. `reason` is for the log, to be read after the address; it quotes nothing that was sent. */
  refused(address: string, reason: string): void;
}

/** Accepts connections on one address until closed, and hands on those that got through the TLS handshake. */
export class TlsListener {
  /** The address really listened on; its port is the one taken where 0 was asked for. */
  readonly address: Deno.NetAddr;
  /** Settles when the accept loop has ended and every connection it let in is gone, those handed on included. */
  readonly closed: Promise<void>;

  readonly #listener: Listener;
  readonly #handshakeMs: number;
  readonly #events: TlsListenerEvents;
  readonly #pool: BufferPool;
  /** What ends each handshake under way, with a reason. */
  readonly #greeting = new Set<(reason: string) => void>();
  /** What is not finished yet: handshakes and connections. */
  readonly #alive = new Set<Promise<void>>();
  #identity: TlsIdentity;

  /**
   * @param handshakeMs from accepting a connection to the end of its handshake, in milliseconds
   * @param pool where the buffers come from
   * @throws {ParleyError} `bad_argument` where the certificate and key cannot be used
   * @throws {Deno.errors.AddrInUse} and what else `Deno.listen` throws
   */
  constructor(
    hostname: string,
    port: number,
    identity: TlsIdentity,
    handshakeMs: number,
    events: TlsListenerEvents,
    pool: BufferPool = new BufferPool(),
  ) {
    this.#identity = usable(identity);
    this.#handshakeMs = handshakeMs;
    this.#events = events;
    this.#pool = pool;
    this.#listener = new Listener(hostname, port, {
      accepted: (accepted) => this.#arrived(accepted),
      acceptFailed: (error, waitMs) => events.acceptFailed(error, waitMs),
    });
    this.address = this.#listener.address;
    this.closed = this.#listener.closed.then(() => this.#emptied());
  }

  /**
   * Serves those who connect from now on with another certificate; whoever is connected does not notice.
   *
   * @throws {ParleyError} `bad_argument` where it cannot be used; the one before stays
   */
  renew(identity: TlsIdentity): void {
    this.#identity = usable(identity);
  }

  /** Stops accepting and ends the handshakes under way; connections already handed on are not touched. */
  close(): void {
    this.#listener.close();
    for (const giveUp of [...this.#greeting]) giveUp("this server stopped listening");
  }

  #arrived(accepted: Accepted): void {
    if (this.#events.arrived?.(accepted.address) === false) accepted.socket.close();
    else this.#keep(this.#greet(accepted));
  }

  async #greet({ socket: front, address, port }: Accepted): Promise<void> {
    const start = performance.now();
    let relay: TlsRelay | undefined;
    let given: string | undefined;
    const giveUp = (reason: string) => {
      if (given !== undefined) return;
      given = reason;
      if (relay === undefined) front.close();
      else relay.abort();
    };
    const timer = setTimeout(() => {
      const what = relay === undefined
        ? "it sent no whole TLS greeting"
        : "it did not finish the TLS handshake";
      giveUp(`${what} within ${this.#handshakeMs / 1000} s`);
    }, this.#handshakeMs);
    this.#greeting.add(giveUp);
    try {
      const greeting = await readFirstRecord(front);
      relay = await TlsRelay.open(front, greeting, this.#identity, this.#pool);
      this.#keep(relay.gone);
      if (given !== undefined) relay.abort();
      await relay.handshake();
    } catch (error) {
      if (given === undefined) {
        given = describeClientFailure(error);
        // Not aborted: the alert that tells the client why may still be on its way.
        if (relay === undefined) front.close();
        else relay.close();
      }
    } finally {
      clearTimeout(timer);
      this.#greeting.delete(giveUp);
    }
    if (relay === undefined || given !== undefined) this.#events.refused(address, given!);
    else this.#events.accepted({ socket: relay, address, port, agoMs: performance.now() - start });
  }

  #keep(alive: Promise<void>): void {
    this.#alive.add(alive);
    alive.then(() => this.#alive.delete(alive));
  }

  async #emptied(): Promise<void> {
    while (this.#alive.size > 0) await Promise.all(this.#alive);
  }
}

/** `identity`, if TLS can be served with it. */
function usable(identity: TlsIdentity): TlsIdentity {
  try {
    tryIdentity(identity);
    return identity;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const text = `cannot serve TLS with this certificate and key: ${reason}; ` +
      "both must be PEM, and the key the one the certificate was made for";
    throw new ParleyError("bad_argument", text, { cause: error });
  }
}
