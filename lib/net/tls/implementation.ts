/**
 * Chooses how TLS is served on this runtime.
 *
 * @module
 */

import { checkIdentity, type TlsImplementation } from "./acceptor.ts";
import { relayAcceptor } from "./relay.ts";

/** On 2.6.10 the handshake of `direct.ts` never completes, on 2.8.0 it does; tested from here on. */
const FIRST_VERSION = [2, 9] as const;

/** Whether this runtime, of `version`, can serve TLS without the relay. */
export function canServeDirectly(version: string = Deno.version.deno): boolean {
  const [major, minor] = version.split(".").map(Number);
  return major > FIRST_VERSION[0] || (major === FIRST_VERSION[0] && minor >= FIRST_VERSION[1]);
}

/** Serves TLS as in `direct.ts`. Needs {@linkcode canServeDirectly}. */
export const directAcceptor: TlsImplementation = (identity) => {
  checkIdentity(identity); // `node:tls` accepts a key that does not match the certificate
  // Loaded only if TLS is served, and beside the start: `node:tls` takes 30 ms to load.
  const loading = import("./direct.ts").then(({ directOpener }) => directOpener(identity));
  loading.catch(() => {}); // `open` reports it
  return { open: async (front, firstRecord, pool) => await (await loading)(front, firstRecord, pool) };
};

/** The best implementation for this runtime. */
export function bestImplementation(): TlsImplementation {
  return canServeDirectly() ? directAcceptor : relayAcceptor;
}
