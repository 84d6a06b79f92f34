/**
 * What a TLS listener needs of an implementation of TLS; there are two, `direct.ts` and `relay.ts`.
 *
 * @module
 */

import type { BufferPool } from "../buffers.ts";
import type { Socket } from "../socket.ts";

/** Certificate and private key of a server, both PEM. */
export interface TlsIdentity {
  /** The certificate, followed by the intermediate ones. */
  readonly cert: string;
  /** The certificate's private key. */
  readonly key: string;
}

/** The server side of one TLS connection. A {@linkcode Socket} once `handshake` has resolved. */
export interface TlsConnection extends Socket {
  /** Settles when every descriptor is free and no operation on them is left. */
  readonly closed: Promise<void>;
  /** Resolves when the TLS handshake is complete; rejects if it fails. */
  handshake(): Promise<void>;
  /**
   * Closes both directions. As with TCP, what was written before is still sent if the peer reads it, for at most
   * `LINGER_MS`.
   */
  close(): void;
  /** Closes both directions and frees the descriptors at once. What was written last may be lost. */
  abort(): void;
}

/** Serves TLS connections with one identity. */
export interface TlsAcceptor {
  /**
   * Begins the handshake of a client.
   *
   * @param tcp the client's TCP connection
   * @param firstRecord the bytes already read from `tcp`
   * @throws {Error} if the connection cannot be set up; `tcp` is then left open
   */
  open(tcp: Socket, firstRecord: Uint8Array, pool: BufferPool): Promise<TlsConnection>;
}

/** Makes the acceptor for an identity. Throws Deno's description of what is wrong with it. */
export type TlsImplementation = (identity: TlsIdentity) => TlsAcceptor;

/**
 * Checks that TLS can be served with `identity`.
 *
 * @throws {Error} Deno's description of what is wrong
 */
export function checkIdentity({ cert, key }: TlsIdentity): void {
  Deno.listenTls({ hostname: "127.0.0.1", port: 0, cert, key }).close();
}
