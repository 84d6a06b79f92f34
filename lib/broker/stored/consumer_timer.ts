/**
 * The one timer of a consumer, for the next time at which something is to be done.
 *
 * @module
 */

import { MAX_TIMER_MS } from "../../deadline.ts";

/** Clock and timers. */
export interface TimerContext {
  /** Milliseconds of a clock that never goes back. */
  now(): number;
  /** Calls `call` after `ms` milliseconds, at most `MAX_TIMER_MS`. Returns a function that cancels it. */
  after(ms: number, call: () => void): () => void;
}

/** See the module's comment. */
export class ConsumerTimer {
  readonly #context: TimerContext;
  readonly #tick: (now: number) => void;
  #at = Infinity;
  #cancel: (() => void) | undefined;
  #isStopped = false;

  /** @param tick is called when a time has come, and must arm the timer again for those that are left */
  constructor(context: TimerContext, tick: (now: number) => void) {
    this.#context = context;
    this.#tick = tick;
  }

  /** Sees to it that `tick` is called at `at`, or before. */
  arm(at: number): void {
    if (at >= this.#at || this.#isStopped) return;
    this.#cancel?.();
    this.#at = at;
    const ms = Math.min(Math.max(0, at - this.#context.now()), MAX_TIMER_MS);
    this.#cancel = this.#context.after(ms, this.#fire);
  }

  /** Ends it. */
  stop(): void {
    this.#isStopped = true;
    this.#cancel?.();
  }

  readonly #fire = () => {
    this.#at = Infinity;
    this.#cancel = undefined;
    this.#tick(this.#context.now());
  };
}
