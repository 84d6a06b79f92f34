/**
 * A deadline that a process which was stopped for a while does not miss.
 *
 * After SIGSTOP and SIGCONT, or on a machine that slept or stood still, the time that a timer waited for has passed, but
 * nothing could be done in it: neither was read what arrived meanwhile, let alone the answers to what is sent now. So the
 * time is counted in slices, one timer after the other, and a stop of any length takes one slice. Then what has arrived
 * is read, before the deadline counts as missed.
 *
 * @module
 */

import { DEADLINE_CONFIRM_MS } from "./limits.ts";

/** The longest time that `setTimeout` takes, in milliseconds; it fires at once for more. */
export const MAX_TIMER_MS = 0x7fff_ffff;

/** How many timers one deadline takes: a stop costs what waits a quarter of its time at most. */
const SLICES = 4;

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

  /** Calls `late` when the process has had `ms` milliseconds, `MAX_TIMER_MS` at most, and has read what arrived. */
  constructor(ms: number, late: () => void) {
    const sliceMs = Math.min(ms, MAX_TIMER_MS) / SLICES;
    let left = SLICES;
    const slice = () => {
      left--;
      this.#timer = left > 0 ? setTimeout(slice, sliceMs) : setTimeout(late, DEADLINE_CONFIRM_MS);
    };
    this.#timer = setTimeout(slice, sliceMs);
  }

  /** The time is no longer counted. */
  stop(): void {
    clearTimeout(this.#timer);
  }
}
