/**
 * The listeners of one server: one for each address that its hostname stands for, all on one port.
 *
 * @module
 */

import { ParleyError } from "../errors.ts";

/** What a server needs of a listener, with or without TLS. */
interface Closable {
  readonly address: Deno.NetAddr;
  close(): void;
}

/** How often another free port is tried if the one the system chose is taken on the other address. */
const PORT_ATTEMPTS = 10;

/**
 * Opens a listener on each address that `hostname` stands for. `localhost` is both loopback addresses, because a client
 * may try either; one of them may be missing, as on a machine without IPv6.
 *
 * @param port the port of all listeners; 0 takes one that is free on each address
 * @throws {ParleyError} `cannot_listen`, with the reason and what to do
 */
export function listenAll<L extends Closable>(
  hostname: string,
  port: number,
  open: (hostname: string, port: number) => L,
): [L, ...L[]] {
  if (hostname !== "localhost") return [explained(hostname, port, () => open(hostname, port))];
  for (let attempt = 1;; attempt++) {
    const listeners: L[] = [];
    const missing: unknown[] = [];
    try {
      for (const address of ["127.0.0.1", "::1"]) {
        const wanted = listeners[0]?.address.port ?? port;
        try {
          listeners.push(explained(address, wanted, () => open(address, wanted)));
        } catch (error) {
          if (!isMissing(error)) throw error;
          missing.push(error);
        }
      }
    } catch (error) {
      for (const listener of listeners) listener.close();
      const isTaken = error instanceof ParleyError && error.cause instanceof Deno.errors.AddrInUse;
      if (port === 0 && isTaken && attempt < PORT_ATTEMPTS) continue;
      throw error;
    }
    const [first, ...others] = listeners;
    if (first === undefined) throw missing[0];
    return [first, ...others];
  }
}

/** Whether this machine does not have the address, or none of its family (EAFNOSUPPORT). */
function isMissing(error: unknown): boolean {
  const { cause } = error as ParleyError;
  return cause instanceof Deno.errors.AddrNotAvailable ||
    (cause instanceof Error && /\(os error (97|47|10047)\)/.test(cause.message));
}

/** Adds to the error of `listen` what to do. */
function explained<T>(hostname: string, port: number, listen: () => T): T {
  try {
    return listen();
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable || error instanceof ParleyError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    const hint = error instanceof Deno.errors.AddrInUse
      ? "another program listens there; stop it, or choose another port (0 takes a free one)"
      : "choose an address of this machine, and a port it lets you have";
    throw new ParleyError("cannot_listen", `cannot listen on ${hostname}:${port}: ${reason}; ${hint}`, {
      cause: error,
    });
  }
}
