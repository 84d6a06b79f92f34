/**
 * A clock that moves only when it is told to, in place of the timers of the runtime.
 *
 * @module
 */

interface Timer {
  readonly id: number;
  readonly at: number;
  readonly callback: () => void;
}

/** Replaces `setTimeout`, `clearTimeout` and `performance.now` until it is disposed. */
export class VirtualClock implements Disposable {
  /** Milliseconds since the clock was made. */
  now = 0;
  #timers: Timer[] = [];
  #lastId = 0;
  readonly #original = {
    setTimeout: globalThis.setTimeout,
    clearTimeout: globalThis.clearTimeout,
    now: performance.now,
  };

  constructor() {
    const set = (callback: (...args: unknown[]) => void, ms = 0, ...args: unknown[]): number => {
      const timer = { id: ++this.#lastId, at: this.now + Math.max(0, ms), callback: () => callback(...args) };
      // After all timers that are due at the same time, as the runtime does it.
      const index = this.#timers.findIndex(({ at }) => at > timer.at);
      this.#timers.splice(index < 0 ? this.#timers.length : index, 0, timer);
      return timer.id;
    };
    globalThis.setTimeout = set as unknown as typeof setTimeout;
    globalThis.clearTimeout = (id) => {
      if (id !== undefined) this.#timers = this.#timers.filter((timer) => timer.id !== id);
    };
    performance.now = () => this.now;
  }

  [Symbol.dispose](): void {
    globalThis.setTimeout = this.#original.setTimeout;
    globalThis.clearTimeout = this.#original.clearTimeout;
    performance.now = this.#original.now;
  }

  /** When the next timer is due. */
  get nextAt(): number {
    return this.#timers[0]?.at ?? Infinity;
  }

  /** Moves on to the next timer that is due by `time` and returns its callback; moves to `time` if none is. */
  next(time: number): (() => void) | undefined {
    const [timer] = this.#timers;
    if (timer === undefined || timer.at > time) {
      this.now = Math.max(this.now, time);
      return undefined;
    }
    this.#timers.shift();
    this.now = Math.max(this.now, timer.at);
    return timer.callback;
  }
}
