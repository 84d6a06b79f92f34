/**
 * A deadline that a process which was stopped for a while does not miss.
 *
 * After SIGSTOP and SIGCONT, or a machine that slept, every timer is overdue at once: before the event loop has read
 * what arrived in the meantime. So an overdue deadline is confirmed a moment later, when that has been read.
 *
 * @module
 */

import { DEADLINE_CONFIRM_MS } from "./limits.ts";

/** The longest time that `setTimeout` takes, in milliseconds; it fires at once for more. */
export const MAX_TIMER_MS = 0x7fff_ffff;

/**
 * Calls back once a time is over, unless it is stopped before.
 *
 * @example
 * ```ts
 * import { Deadline } from "./deadline.ts";
 *
 * const deadline = new Deadline(5_000, () => console.log("too late"));
 * deadline.stop(); // in time
 * ```
 */
export class Deadline {
  #timer: ReturnType<typeof setTimeout>;

  /** Calls `late` in `ms` milliseconds, `MAX_TIMER_MS` at most, and `DEADLINE_CONFIRM_MS` more. */
  constructor(ms: number, late: () => void) {
    this.#timer = setTimeout(() => {
      this.#timer = setTimeout(late, DEADLINE_CONFIRM_MS);
    }, Math.min(ms, MAX_TIMER_MS));
  }

  /** The time is no longer counted. */
  stop(): void {
    clearTimeout(this.#timer);
  }
}
