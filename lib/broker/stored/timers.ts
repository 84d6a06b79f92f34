/**
 * The clock and the timers of stored channels; a simulation has its own.
 *
 * @module
 */

/** Clock and timers. */
export interface Timers {
  /** Milliseconds of a clock that never goes back. */
  now(): number;
  /** Calls `call` after `ms` milliseconds, at most `MAX_TIMER_MS`. Returns a function that cancels it. */
  after(ms: number, call: () => void): () => void;
}

/** See {@linkcode Timers.after}. */
export function after(ms: number, call: () => void): () => void {
  const timer = setTimeout(call, ms);
  return () => clearTimeout(timer);
}
