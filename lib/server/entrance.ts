/**
 * One place where connections come in: the listeners of one hostname and port, with or without TLS.
 *
 * @module
 */

import type { SourcedCertificate } from "../certificates/source.ts";
import type { Limits } from "../limits.ts";
import type { Log } from "../logging/log.ts";
import type { BufferPool } from "../net/buffers.ts";
import { formatTarget } from "../net/target.ts";
import { type Accepted, Listener } from "../net/listener.ts";
import { TlsListener } from "../net/tls/listener.ts";
import { listenAll } from "./listeners.ts";
import { TlsHandshakes } from "./tls_handshakes.ts";

/** What an entrance is made from. */
export interface EntranceOptions {
  readonly hostname: string;
  readonly port: number;
  /** Without it connections are plain TCP. */
  readonly certificate: SourcedCertificate | undefined;
  readonly limits: Readonly<Limits>;
  readonly log: Log;
  /** Lends the buffers of TLS. */
  readonly pool: BufferPool;
  /** Takes each connection, after its TLS handshake. */
  accepted(connection: Accepted): void;
}

/** Listens until it is closed. */
export class Entrance {
  /** The address listened on; the first one if there are several. */
  readonly address: Deno.NetAddr;
  /** All addresses. */
  readonly addresses: readonly string[];
  /** `host:port`, as in a URL. */
  readonly target: string;
  /** Settles when the accept loops have ended and every connection over TLS is closed. */
  readonly closed: Promise<unknown>;
  readonly #listeners: readonly (Listener | TlsListener)[];
  readonly #handshakes: TlsHandshakes | undefined;

  /** @throws {ParleyError} `cannot_listen`, with the reason and what to do */
  constructor({ hostname, port, certificate, limits, log, pool, accepted }: EntranceOptions) {
    const events = {
      accepted,
      acceptFailed: (error: unknown, waitMs: number) =>
        log.error("cannot accept connections; trying again", {
          waitMs,
          // Not the error itself: its stack is made when it is read, and without descriptors Deno 2.9.6 dies of that.
          reason: error instanceof Error ? error.message : String(error),
        }),
    };
    let open: (hostname: string, port: number) => Listener | TlsListener;
    if (certificate === undefined) {
      open = (hostname, port) => new Listener(hostname, port, events);
    } else {
      const handshakes = new TlsHandshakes(limits, log, () => performance.now(), events);
      const { certificate: cert, key } = certificate;
      this.#handshakes = handshakes;
      open = (hostname, port) =>
        new TlsListener(hostname, port, { cert, key }, limits.handshakeMs, handshakes, pool);
    }
    const listeners = listenAll(hostname, port, open);
    this.#listeners = listeners;
    this.address = listeners[0].address;
    this.addresses = listeners.map(({ address }) => address.hostname);
    this.target = formatTarget(this.address);
    this.closed = Promise.all(listeners.map(({ closed }) => closed));
  }

  /** Uses another certificate for new connections. */
  renew({ certificate, key }: SourcedCertificate): void {
    for (const listener of this.#listeners) {
      if (listener instanceof TlsListener) listener.renew({ cert: certificate, key });
    }
  }

  /** TLS handshakes that failed. */
  get failedHandshakes(): number {
    return this.#handshakes?.failed ?? 0;
  }

  /** To be called once a second. */
  sweep(): void {
    this.#handshakes?.sweep();
  }

  /** Stops accepting. Connections that were passed on stay open. */
  close(): void {
    for (const listener of this.#listeners) listener.close();
  }
}
