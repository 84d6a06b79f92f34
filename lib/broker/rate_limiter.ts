/**
 * How much one session may send: a bucket of messages and one of bytes, filled evenly, each at most a second full.
 *
 * @module
 */

const ROUNDING_MS = 1e-6;

/** What a session may send a second; 0 is as much as it likes. */
export interface RateLimits {
  readonly messagesPerSecond: number;
  readonly bytesPerSecond: number;
}

/**
 * A session's rate. What goes beyond it is not refused: the session is told how long to wait before it reads on.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { RateLimiter } from "./rate_limiter.ts";
 *
 * let now = 0;
 * const limiter = new RateLimiter({ messagesPerSecond: 10, bytesPerSecond: 0 }, () => now);
 * assertEquals(limiter.waitMs(), 0);
 * limiter.spend(15, 1500); // a run may take more than there is; then the session waits
 * assertEquals(limiter.waitMs(), 500);
 * now += 500;
 * assertEquals(limiter.waitMs(), 0);
 * ```
 */
export class RateLimiter {
  readonly #limits: RateLimits;
  readonly #now: () => number;
  #messages: number;
  #bytes: number;
  #filledAt: number;

  /** @param now a clock in milliseconds that never goes back */
  constructor(limits: RateLimits, now: () => number) {
    this.#limits = limits;
    this.#now = now;
    this.#messages = limits.messagesPerSecond;
    this.#bytes = limits.bytesPerSecond;
    this.#filledAt = now();
  }

  /** How long until something may be sent again, in milliseconds; 0: now. */
  waitMs(): number {
    const { messagesPerSecond, bytesPerSecond } = this.#limits;
    const now = this.#now();
    const seconds = (now - this.#filledAt) / 1000;
    this.#filledAt = now;
    this.#messages = Math.min(this.#messages + seconds * messagesPerSecond, messagesPerSecond);
    this.#bytes = Math.min(this.#bytes + seconds * bytesPerSecond, bytesPerSecond);
    const waits = [
      messagesPerSecond > 0 ? -this.#messages / messagesPerSecond * 1000 : 0,
      bytesPerSecond > 0 ? -this.#bytes / bytesPerSecond * 1000 : 0,
    ];
    // A remainder of rounding is nothing to wait a whole millisecond for.
    return Math.max(0, Math.ceil(Math.max(...waits) - ROUNDING_MS));
  }

  /** Takes what was sent out of the buckets. */
  spend(messages: number, bytes: number): void {
    this.#messages -= messages;
    this.#bytes -= bytes;
  }
}
