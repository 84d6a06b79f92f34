/**
 * Limits how many TLS handshakes an address may begin a second: each takes the server 0.6 ms (measured,
 * P-256) before the client has shown any token.
 *
 * @module
 */

import { networkOf } from "../connection_limiter.ts";

/** Handshakes of one address a second: some 12% of a processor. */
export const HANDSHAKES_PER_SECOND = 200;

/** Handshakes of one address at once: two thousand clients behind a NAT that connect again. */
export const HANDSHAKE_BURST = 2000;

/** One bucket for each address; an IPv6 address counts as its /64 network. */
export class HandshakeRateLimiter {
  readonly #costMs: number;
  readonly #burstMs: number;
  readonly #now: () => number;
  /**
   * When the bucket of each network is full again. Those of `#older` have not been used since `#since`. A bucket is full
   * after `#burstMs` at the latest, so after that time it need not be remembered.
   */
  #recent = new Map<string, number>();
  #older = new Map<string, number>();
  #since: number;

  /**
   * @param perSecond handshakes of one address a second
   * @param burst handshakes of one address that may come at once after a pause
   * @param now the time, in milliseconds
   */
  constructor(perSecond: number, burst: number, now: () => number) {
    this.#costMs = 1000 / perSecond;
    this.#burstMs = burst * this.#costMs;
    this.#now = now;
    this.#since = now();
  }

  /** How many networks are remembered. */
  get size(): number {
    return this.#recent.size + this.#older.size;
  }

  /**
   * Takes a handshake from the bucket of `address`. Returns `false`, and takes nothing, if it is empty.
   *
   * @example
   * ```ts
   * import { assertEquals } from "@std/assert";
   * import { HandshakeRateLimiter } from "./handshake_rate.ts";
   *
   * let now = 0;
   * const limiter = new HandshakeRateLimiter(10, 2, () => now);
   * const take = () => limiter.take("192.0.2.1");
   * assertEquals([take(), take(), take()], [true, true, false]);
   * now += 100;
   * assertEquals([take(), take()], [true, false]);
   * ```
   */
  take(address: string): boolean {
    const now = this.#now();
    if (now - this.#since >= this.#burstMs) {
      this.#older = this.#recent;
      this.#recent = new Map();
      this.#since = now;
    }
    const network = networkOf(address);
    const fullAt = Math.max(now, this.#recent.get(network) ?? this.#older.get(network) ?? 0) + this.#costMs;
    if (fullAt - now > this.#burstMs) return false;
    this.#older.delete(network);
    this.#recent.set(network, fullAt);
    return true;
  }
}
