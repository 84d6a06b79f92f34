/**
 * The server's door: judges tokens, and makes whoever tries wrong ones wait.
 *
 * @module
 */

import {
  FAILURES_FORGOTTEN_MS,
  FIRST_PENALTY_MS,
  MAX_PENALTY_MS,
  MAX_REMEMBERED_ADDRESSES,
} from "../limits.ts";
import type { Identity, Tokens, Verdict } from "./tokens.ts";
import type { Rejection } from "./rejections.ts";

/** What an address did wrong lately. */
interface Failures {
  count: number;
  lastMs: number;
}

/** Judges tokens by {@linkcode Tokens}. A wrong token is answered later the more of them came from its address. */
export class TokenAuthenticator {
  readonly #tokens: Tokens;
  readonly #now: () => number;
  readonly #pause: (ms: number) => Promise<void>;
  readonly #longestMs: number;
  /** By address, the one that failed longest ago first. */
  readonly #failures = new Map<string, Failures>();

  /**
   * `now` is a clock in milliseconds that never goes back; `pause` waits for so many of them, at most `longestMs`: less
   * than a greeting may take, or nobody would be there any more to hear the refusal.
   */
  constructor(
    tokens: Tokens,
    now: () => number,
    pause: (ms: number) => Promise<void>,
    longestMs: number = MAX_PENALTY_MS,
  ) {
    this.#tokens = tokens;
    this.#now = now;
    this.#pause = pause;
    this.#longestMs = Math.min(longestMs, MAX_PENALTY_MS);
  }

  /**
   * Judges a token. The right one is never held up by what others at the same address do: only a refusal is delayed,
   * by 100 ms after the first wrong token, and twice as long after each further one, up to 3.2 s.
   */
  async verify(token: string | undefined, address: string): Promise<Verdict> {
    const verdict = await this.#tokens.verify(token);
    // A missing token is somebody who does not know yet that one is needed, and no guess.
    if ("rejection" in verdict && verdict.rejection.reason !== "missing") {
      await this.#pause(this.#failed(address));
    }
    return verdict;
  }

  /** Why somebody let in before may stay no longer, if so. */
  check(identity: Identity): Rejection | undefined {
    return this.#tokens.check(identity);
  }

  /** Notes a wrong token; how long its refusal is to wait. */
  #failed(address: string): number {
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
    return Math.min(FIRST_PENALTY_MS * 2 ** (count - 1), this.#longestMs);
  }
}
