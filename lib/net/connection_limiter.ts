/**
 * Limits how many connections are open at once, in total and per address.
 *
 * @module
 */

/**
 * Counts the open connections of one server. An IPv6 address counts as its /64 network, because one household or
 * machine is usually given a whole /64 and can use any address in it.
 */
export class ConnectionLimiter {
  readonly #max: number;
  readonly #maxPerAddress: number;
  readonly #byNetwork = new Map<string, number>();
  #open = 0;

  /** Allows `max` connections in total and `maxPerAddress` from each address. */
  constructor(max: number, maxPerAddress: number) {
    this.#max = max;
    this.#maxPerAddress = maxPerAddress;
  }

  /** Connections that were acquired and not yet released. */
  get open(): number {
    return this.#open;
  }

  /**
   * Counts one more connection from `address`. At a limit it counts nothing and returns the reason, as text for the
   * client.
   *
   * @example
   * ```ts
   * import { assertEquals } from "@std/assert";
   * import { ConnectionLimiter } from "./connection_limiter.ts";
   *
   * const limiter = new ConnectionLimiter(2, 1);
   * assertEquals(limiter.acquire("192.0.2.1"), undefined);
   * assertEquals(limiter.acquire("192.0.2.1"), "192.0.2.1 has 1 connection open, the most that one address may");
   * limiter.release("192.0.2.1");
   * assertEquals(limiter.acquire("192.0.2.1"), undefined);
   * ```
   */
  acquire(address: string): string | undefined {
    const network = networkOf(address);
    const ofNetwork = this.#byNetwork.get(network) ?? 0;
    if (this.#open >= this.#max) {
      return `this server has ${connections(this.#open)} open, the most that it takes`;
    }
    if (ofNetwork >= this.#maxPerAddress) {
      return `${network} has ${connections(ofNetwork)} open, the most that one address may`;
    }
    this.#open++;
    this.#byNetwork.set(network, ofNetwork + 1);
    return undefined;
  }

  /**
   * Counts one connection from `address` less.
   *
   * @throws {Error} if no connection from `address` is counted, which is a bug of the caller
   */
  release(address: string): void {
    const network = networkOf(address);
    const before = this.#byNetwork.get(network);
    if (before === undefined) throw new Error(`Cannot release a connection of ${address}: none is open`);
    this.#open--;
    if (before > 1) this.#byNetwork.set(network, before - 1);
    else this.#byNetwork.delete(network);
  }
}

function connections(count: number): string {
  return count === 1 ? "1 connection" : `${count} connections`;
}

/** IPv4 unchanged, also if an IPv6 socket reports it as `::ffff:192.0.2.1`; for IPv6 the /64 network. */
export function networkOf(address: string): string {
  if (!address.includes(":")) return address;
  if (address.includes(".")) return address.slice(address.lastIndexOf(":") + 1);
  const [head, tail] = address.split("::").map((part) => part.split(":").filter((group) => group !== ""));
  const groups = tail === undefined
    ? head
    : [...head, ...Array(8 - head.length - tail.length).fill("0"), ...tail];
  return `${groups.slice(0, 4).join(":")}::/64`;
}
