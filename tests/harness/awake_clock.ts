/**
 * Time as this process has had it.
 *
 * @module
 */

const TICK_MS = 20;

/**
 * A clock that stands still while the machine does, or while this process is stopped: for bounds on what a program waits
 * for with an idle event loop. Work that holds up the loop is not counted either.
 */
export class AwakeClock implements Disposable {
  #ms = 0;
  #tickedAt = performance.now();
  readonly #timer = setInterval(() => this.#tick(), TICK_MS);

  /** The time, in milliseconds since this was made, to a tick of 20. */
  now(): number {
    return this.#ms;
  }

  #tick(): void {
    const now = performance.now();
    this.#ms += Math.min(now - this.#tickedAt, 2 * TICK_MS);
    this.#tickedAt = now;
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}
