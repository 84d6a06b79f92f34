/**
 * How many may be connected, in all and from one address.
 *
 * @module
 */

/** The places of one server. */
export class Places {
  readonly #most: number;
  readonly #mostPerAddress: number;
  readonly #byAddress = new Map<string, number>();
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
   * import { Places } from "./places.ts";
   *
   * const places = new Places(2, 1);
   * assertEquals(places.take("192.0.2.1"), undefined);
   * assertEquals(places.take("192.0.2.1"), "1 connections of 192.0.2.1 are open, which is the limit");
   * places.leave("192.0.2.1");
   * assertEquals(places.take("192.0.2.1"), undefined);
   * ```
   */
  take(address: string): string | undefined {
    const ofAddress = this.#byAddress.get(address) ?? 0;
    if (this.#taken >= this.#most) return `${this.#taken} connections are open, which is the limit`;
    if (ofAddress >= this.#mostPerAddress) {
      return `${ofAddress} connections of ${address} are open, which is the limit`;
    }
    this.#taken++;
    this.#byAddress.set(address, ofAddress + 1);
    return undefined;
  }

  /** Gives back a place that was taken for `address`. */
  leave(address: string): void {
    this.#taken--;
    const left = (this.#byAddress.get(address) ?? 1) - 1;
    if (left > 0) this.#byAddress.set(address, left);
    else this.#byAddress.delete(address);
  }
}
