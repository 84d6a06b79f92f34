/**
 * How many may be connected, in all and from one address.
 *
 * @module
 */

/**
 * The places of one server. Of IPv6 the first 64 bits count as the address: a whole network of that size is what one
 * household or machine is given, to take as many addresses from as it likes.
 */
export class ConnectionLimiter {
  readonly #most: number;
  readonly #mostPerAddress: number;
  readonly #byNetwork = new Map<string, number>();
  #taken = 0;

  /** `most` connections in all, `mostPerAddress` of each address. */
  constructor(most: number, mostPerAddress: number) {
    this.#most = most;
    this.#mostPerAddress = mostPerAddress;
  }

  /** How many are connected. */
  get taken(): number {
    return this.#taken;
  }

  /**
   * Takes a place for a connection from `address`, or says why there is none.
   *
   * @example
   * ```ts
   * import { assertEquals } from "@std/assert";
   * import { Places } from "./connection_limiter.ts";
   *
   * const places = new Places(2, 1);
   * assertEquals(places.take("192.0.2.1"), undefined);
   * assertEquals(places.take("192.0.2.1"), "192.0.2.1 has 1 connection open, the most that one address may");
   * places.leave("192.0.2.1");
   * assertEquals(places.take("192.0.2.1"), undefined);
   * ```
   */
  take(address: string): string | undefined {
    const network = networkOf(address);
    const ofNetwork = this.#byNetwork.get(network) ?? 0;
    if (this.#taken >= this.#most) {
      return `this server has ${connections(this.#taken)} open, the most that it takes`;
    }
    if (ofNetwork >= this.#mostPerAddress) {
      return `${network} has ${connections(ofNetwork)} open, the most that one address may`;
    }
    this.#taken++;
    this.#byNetwork.set(network, ofNetwork + 1);
    return undefined;
  }

  /** Gives back a place that was taken for `address`. */
  leave(address: string): void {
    const network = networkOf(address);
    const before = this.#byNetwork.get(network);
    if (before === undefined) throw new Error(`${address} has no place to give back`);
    this.#taken--;
    if (before > 1) this.#byNetwork.set(network, before - 1);
    else this.#byNetwork.delete(network);
  }
}

function connections(count: number): string {
  return count === 1 ? "1 connection" : `${count} connections`;
}

/** An IPv4 address as it is, also where a socket for IPv6 shows it as `::ffff:192.0.2.1`; of IPv6 the network. */
function networkOf(address: string): string {
  if (!address.includes(":")) return address;
  if (address.includes(".")) return address.slice(address.lastIndexOf(":") + 1);
  const [head, tail] = address.split("::").map((part) => part.split(":").filter((group) => group !== ""));
  const groups = tail === undefined
    ? head
    : [...head, ...Array(8 - head.length - tail.length).fill("0"), ...tail];
  return `${groups.slice(0, 4).join(":")}::/64`;
}
