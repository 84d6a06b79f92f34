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
  readonly #sliceMs: number;
  #left = SLICES;
  #sliceBegan = performance.now();
  #timer: ReturnType<typeof setTimeout>;

  /**
   * Calls `late` when the process has had `ms` milliseconds and has read what arrived.
   *
   * @param ms at most `MAX_TIMER_MS`; of a time that is over already, what arrived is read
   */
  constructor(ms: number, late: () => void) {
    this.#sliceMs = Math.max(0, Math.min(ms, MAX_TIMER_MS)) / SLICES;
    const slice = () => {
      this.#left--;
      this.#sliceBegan = performance.now();
      this.#timer = this.#left > 0 ? setTimeout(slice, this.#sliceMs) : setTimeout(late, DEADLINE_CONFIRM_MS);
    };
    this.#timer = setTimeout(slice, this.#sliceMs);
  }

  /** How much of its time the process has had, in milliseconds. */
  get spentMs(): number {
    if (this.#left === 0) return SLICES * this.#sliceMs;
    return (SLICES - this.#left) * this.#sliceMs +
      Math.min(performance.now() - this.#sliceBegan, this.#sliceMs);
  }

  /** The time is no longer counted. */
  stop(): void {
    clearTimeout(this.#timer);
  }
}
