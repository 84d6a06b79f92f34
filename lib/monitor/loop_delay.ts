/**
 * How late the event loop is: a session's bytes wait that much longer before they are read.
 *
 * @module
 */

import { LOOP_PROBE_MS } from "../limits.ts";

/** In milliseconds. */
export interface LoopDelays {
  readonly mean: number;
  readonly max: number;
}

/** Measures it with a timer, while a session asks for it. */
export class LoopDelay {
  readonly #now: () => number;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #expected = 0;
  #sum = 0;
  #count = 0;
  #max = 0;

  /** @param now a clock in milliseconds that never goes back */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** Whether it measures. */
  get isRunning(): boolean {
    return this.#timer !== undefined;
  }

  /** Measures from now on. */
  start(): void {
    if (!this.isRunning) this.#arm();
  }

  /** Measures no more. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** A timer was `ms` late. */
  add(ms: number): void {
    this.#sum += ms;
    this.#count++;
    if (ms > this.#max) this.#max = ms;
  }

  /** What was measured since the last call. */
  take(): LoopDelays {
    const delays = { mean: this.#count === 0 ? 0 : this.#sum / this.#count, max: this.#max };
    this.#sum = this.#count = this.#max = 0;
    return delays;
  }

  #arm(): void {
    this.#expected = this.#now() + LOOP_PROBE_MS;
    this.#timer = setTimeout(this.#fired, LOOP_PROBE_MS);
  }

  readonly #fired = () => {
    this.add(Math.max(0, this.#now() - this.#expected));
    this.#arm();
  };
}
