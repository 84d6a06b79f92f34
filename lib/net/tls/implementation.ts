/**
 * Chooses how TLS is served on this runtime.
 *
 * @module
 */

import { checkIdentity, type TlsImplementation } from "./acceptor.ts";
import { relayAcceptor } from "./relay.ts";

/**
 * On 2.6.10 the handshake of `direct.ts` never completes, on 2.8.0 it does. Before 2.9.5 closing a TCP connection does
 * not end a write to a peer that stopped reading.
 */
const FIRST_VERSION = [2, 9, 5] as const;

/** Whether this runtime, of `version`, can serve TLS without the relay. */
export function canServeDirectly(version: string = Deno.version.deno): boolean {
  const parts = version.split(/[.+-]/).map(Number);
  const differing = FIRST_VERSION.findIndex((part, index) => parts[index] !== part);
  return differing < 0 || parts[differing] > FIRST_VERSION[differing];
}

/** Serves TLS as in `direct.ts`. Needs {@linkcode canServeDirectly}. */
export const directAcceptor: TlsImplementation = (identity) => {
  checkIdentity(identity); // `node:tls` accepts a key that does not match the certificate
  // Loaded only if TLS is served, and beside the start: `node:tls` takes 30 ms to load.
  const loading = import("./direct.ts").then(({ directOpener }) => directOpener(identity));
  loading.catch(() => {}); // `open` reports it
  return { open: async (tcp, firstRecord, pool) => await (await loading)(tcp, firstRecord, pool) };
};

/** The best implementation for this runtime. */
export function bestImplementation(): TlsImplementation {
  return canServeDirectly() ? directAcceptor : relayAcceptor;
}
