/**
 * The one timer of a consumer, for the next time at which something is to be done.
 *
 * @module
 */

import { MAX_TIMER_MS } from "../../deadline.ts";
import { DEADLINE_CONFIRM_MS, REDELIVERY_GRAIN_MS } from "../../limits.ts";
import type { Timers } from "./timers.ts";

/** A consumer is looked at once a second. If it was not for so long, the process was stopped, in milliseconds. */
const STOPPED_MS = 3000;

/** See the module's comment. */
export class ConsumerTimer {
  readonly #timers: Timers;
  readonly #tick: (now: number) => void;
  #at = Infinity;
  #cancel: (() => void) | undefined;
  #isStopped = false;
  #checkedAt: number;
  /** Until then nothing is done: ACKs that came while the process was stopped are read first. */
  #notBefore = 0;

  /** @param tick is called when a time has come, and must arm the timer again for those that are left */
  constructor(timers: Timers, tick: (now: number) => void) {
    this.#timers = timers;
    this.#tick = tick;
    this.#checkedAt = timers.now();
  }

  /** The time in `ms` milliseconds, or a little later, so that many messages have it in common. */
  timeAfter(ms: number): number {
    return Math.ceil((this.#timers.now() + ms) / REDELIVERY_GRAIN_MS) * REDELIVERY_GRAIN_MS;
  }

  /** Sees to it that `tick` is called at `at`, or before. */
  arm(at: number): void {
    if (at >= this.#at || this.#isStopped) return;
    this.#cancel?.();
    this.#at = at;
    const ms = Math.min(Math.max(0, at - this.#timers.now()), MAX_TIMER_MS);
    this.#cancel = this.#timers.after(ms, this.#fire);
  }

  /** Notices whether the process was stopped. To be called once a second. */
  check(now: number): void {
    if (now - this.#checkedAt > STOPPED_MS) this.#notBefore = now + DEADLINE_CONFIRM_MS;
    this.#checkedAt = now;
  }

  /** Ends it. */
  stop(): void {
    this.#isStopped = true;
    this.#cancel?.();
  }

  readonly #fire = () => {
    this.#at = Infinity;
    this.#cancel = undefined;
    const now = this.#timers.now();
    this.check(now);
    if (now < this.#notBefore) this.arm(this.#notBefore);
    else this.#tick(now);
  };
}
