/**
 * Decides which clients may begin a TLS handshake, and logs those that fail.
 *
 * @module
 */

import type { Limits } from "../limits.ts";
import type { Log } from "../logging/log.ts";
import { ConnectionLimiter } from "../net/connection_limiter.ts";
import type { Accepted, ListenerEvents } from "../net/listener.ts";
import { HANDSHAKE_BURST, HandshakeRateLimiter, HANDSHAKES_PER_SECOND } from "../net/tls/handshake_rate.ts";
import type { TlsListenerEvents } from "../net/tls/listener.ts";

const TOO_MANY =
  `an address may begin ${HANDSHAKES_PER_SECOND} handshakes a second, and ${HANDSHAKE_BURST} at once`;

/** The handshakes of one server, on all of its listeners. */
export class TlsHandshakes implements TlsListenerEvents {
  readonly #log: Log;
  readonly #events: ListenerEvents;
  readonly #unfinished: ConnectionLimiter;
  readonly #rate: HandshakeRateLimiter;
  /** Connections closed unread since the last `sweep`; address and reason are those of the latest. */
  #closedUnread = { connections: 0, remote: "", reason: "" };

  /** Handshakes that failed, and connections that were closed before theirs; without those of peers that sent nothing. */
  failed = 0;

  /** `events` receives the connections that complete the handshake. */
  constructor(limits: Readonly<Limits>, log: Log, now: () => number, events: ListenerEvents) {
    this.#log = log;
    this.#events = events;
    this.#unfinished = new ConnectionLimiter(limits.connections, limits.connectionsPerAddress);
    this.#rate = new HandshakeRateLimiter(HANDSHAKES_PER_SECOND, HANDSHAKE_BURST, now);
  }

  /** See {@linkcode TlsListenerEvents}. */
  arrived(address: string): boolean {
    const reason = this.#rate.take(address) ? this.#unfinished.acquire(address) : TOO_MANY;
    if (reason === undefined) return true;
    this.failed++;
    this.#closedUnread = { connections: this.#closedUnread.connections + 1, remote: address, reason };
    return false;
  }

  /** See {@linkcode TlsListenerEvents}. */
  accepted(accepted: Accepted): void {
    this.#unfinished.release(accepted.address);
    this.#events.accepted(accepted);
  }

  /** See {@linkcode TlsListenerEvents}. */
  refused(address: string, reason: string, isSilent: boolean): void {
    this.#unfinished.release(address);
    if (!isSilent) this.failed++;
    this.#log[isSilent ? "debug" : "warn"]("TLS handshake failed", { remote: address, reason });
  }

  /** See {@linkcode TlsListenerEvents}. */
  acceptFailed(error: unknown, waitMs: number): void {
    this.#events.acceptFailed(error, waitMs);
  }

  /** Called once a second: one line for all connections that were closed unread, because an attack makes many. */
  sweep(): void {
    if (this.#closedUnread.connections === 0) return;
    this.#log.warn("closed TLS connections before the handshake", this.#closedUnread);
    this.#closedUnread = { connections: 0, remote: "", reason: "" };
  }
}
