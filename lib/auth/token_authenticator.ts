/**
 * Verifies the tokens of clients, and slows down guessing.
 *
 * @module
 */

import {
  FAILURES_FORGOTTEN_MS,
  FIRST_PENALTY_MS,
  MAX_PENALTY_MS,
  MAX_REMEMBERED_ADDRESSES,
} from "../limits.ts";
import type { Decision, Identity } from "./tokens.ts";
import type { Rejection } from "./rejections.ts";

/** The recent wrong tokens of one address. */
interface Failures {
  count: number;
  lastMs: number;
}

/** What knows the tokens: those of this server, or of another issuer, too. */
export interface TokenVerifier {
  /** Decides on the token of a HELLO. */
  verify(token: string | undefined): Promise<Decision>;
  /** Says why an accepted session may not stay, or returns undefined. Cheap. */
  check(identity: Identity): Rejection | undefined;
}

/** Verifies tokens by a {@linkcode TokenVerifier}. The more wrong tokens an address sent, the later it gets its rejection. */
export class TokenAuthenticator {
  readonly #tokens: TokenVerifier;
  readonly #now: () => number;
  readonly #delay: (ms: number) => Promise<void>;
  readonly #maxDelayMs: number;
  /** By address, the least recent failure first. */
  readonly #failures = new Map<string, Failures>();

  /**
   * `now` is a monotonic clock in milliseconds. `delay` waits for a number of milliseconds, at most `maxDelayMs`. That
   * must be less than the handshake time, or the connection is closed before it is sent the rejection.
   */
  constructor(
    tokens: TokenVerifier,
    now: () => number,
    delay: (ms: number) => Promise<void>,
    maxDelayMs: number = MAX_PENALTY_MS,
  ) {
    this.#tokens = tokens;
    this.#now = now;
    this.#delay = delay;
    this.#maxDelayMs = Math.min(maxDelayMs, MAX_PENALTY_MS);
  }

  /**
   * Verifies the token of a client at `address`. Only rejections are delayed: by 100 ms after the first wrong token of
   * an address, twice as long after each further one, up to 3.2 s. So wrong tokens never delay a valid one from the
   * same address.
   */
  async verify(token: string | undefined, address: string): Promise<Decision> {
    const startMs = this.#now();
    const decision = await this.#tokens.verify(token);
    // A missing token is no guess: the client does not know yet that one is needed.
    if ("rejected" in decision && decision.rejected.reason !== "missing") {
      // Less what verifying took: it may have waited for keys, and both together must end before the handshake does.
      const tookMs = this.#now() - startMs;
      await this.#delay(Math.max(0, this.#recordFailure(address) - tookMs));
    }
    return decision;
  }

  /** Says why an accepted session may not stay, or returns undefined; see `Tokens.check`. */
  check(identity: Identity): Rejection | undefined {
    return this.#tokens.check(identity);
  }

  /** Records a wrong token; returns how many milliseconds to delay its rejection. */
  #recordFailure(address: string): number {
    const now = this.#now();
    const before = this.#failures.get(address);
    const count = before !== undefined && now - before.lastMs < FAILURES_FORGOTTEN_MS ? before.count + 1 : 1;
    this.#failures.delete(address);
    this.#failures.set(address, { count, lastMs: now });
    if (this.#failures.size > MAX_REMEMBERED_ADDRESSES) {
      for (const oldest of this.#failures.keys()) {
        this.#failures.delete(oldest);
        break;
      }
    }
    return Math.min(FIRST_PENALTY_MS * 2 ** (count - 1), this.#maxDelayMs);
  }
}
