/**
 * A deadline that a process which was stopped for a while does not miss.
 *
 * After SIGSTOP and SIGCONT, or a machine that slept, every timer is overdue at once: before the event loop has read
 * what arrived in the meantime, let alone the answers to what it sends now. So an overdue deadline is confirmed later:
 * by as much as it is overdue, at most its whole time again, and at least the moment that reading takes.
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

  /** Calls `late` in `ms` milliseconds, `MAX_TIMER_MS` at most, and once that is confirmed. */
  constructor(ms: number, late: () => void) {
    const allowedMs = Math.min(ms, MAX_TIMER_MS);
    const due = performance.now() + allowedMs;
    this.#timer = setTimeout(() => {
      const overdueMs = Math.min(performance.now() - due, allowedMs);
      this.#timer = setTimeout(late, Math.max(overdueMs, DEADLINE_CONFIRM_MS));
    }, allowedMs);
  }

  /** The time is no longer counted. */
  stop(): void {
    clearTimeout(this.#timer);
  }
}
