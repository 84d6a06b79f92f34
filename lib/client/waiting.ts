/**
 * Limits on how long a call may take: a signal, a time, or both; and promises that need no care.
 *
 * @module
 */

import { MAX_TIMER_MS } from "../deadline.ts";
import { ParleyError } from "../errors.ts";
import type { WaitOptions } from "./options.ts";

/** A timer of any length; Infinity never fires. */
export class Timer {
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** Calls `late` in `ms` milliseconds. */
  constructor(ms: number, late: () => void) {
    this.#start(ms, late);
  }

  /** Stops it. */
  stop(): void {
    clearTimeout(this.#timer);
  }

  #start(ms: number, late: () => void): void {
    if (ms === Infinity) return;
    this.#timer = ms <= MAX_TIMER_MS
      ? setTimeout(late, ms)
      : setTimeout(() => this.#start(ms - MAX_TIMER_MS, late), MAX_TIMER_MS);
  }
}

/** The limits of one call, which count from their creation and cover all that it waits for. */
export class Wait {
  readonly #signal: AbortSignal | undefined;
  readonly #what: string;
  readonly #timeoutMs: number;
  readonly #start = performance.now();

  /** `what` names the call in the error; `defaultMs` counts unless `options` say otherwise. */
  constructor(what: string, options: WaitOptions | undefined, defaultMs: number = Infinity) {
    this.#what = what;
    this.#signal = options?.signal;
    this.#timeoutMs = options?.timeoutMs ?? defaultMs;
    this.#signal?.throwIfAborted();
  }

  /** How much time is left, in milliseconds; at least 1. */
  get leftMs(): number {
    return Math.max(1, this.#timeoutMs - (performance.now() - this.#start));
  }

  /**
   * `promise`, or what ends the wait for it. Then `abandon` is called.
   *
   * @throws {ParleyError} `timed_out`; or the signal's reason
   */
  for<T>(promise: Promise<T>, abandon?: () => void): Promise<T> {
    const signal = this.#signal;
    if (signal === undefined && this.#timeoutMs === Infinity) return promise;
    return new Promise((resolve, reject) => {
      const end = () => {
        timer.stop();
        signal?.removeEventListener("abort", aborted);
      };
      const giveUp = (reason: unknown) => {
        end();
        reject(reason);
        abandon?.();
      };
      const aborted = () => giveUp(signal!.reason);
      const timer = new Timer(this.leftMs, () => giveUp(this.#late()));
      if (signal?.aborted) return aborted();
      signal?.addEventListener("abort", aborted);
      promise.then((value) => {
        end();
        resolve(value);
      }, (error) => {
        end();
        reject(error);
      });
    });
  }

  #late(): ParleyError {
    return new ParleyError("timed_out", `${this.#what} took longer than ${this.#timeoutMs / 1000} s`);
  }
}

/**
 * A promise that knows whether the program has looked at it. If it has not, its rejection must be reported in another
 * way. It never counts as an unhandled rejection.
 */
export class WatchedPromise extends Promise<void> {
  /** Whether anything waits for it. */
  isWatched = false;

  /** What `then` returns needs no watching. */
  static override get [Symbol.species](): PromiseConstructor {
    return Promise;
  }

  /** See `Promise.withResolvers`. */
  static pending(): Settleable {
    let resolve!: () => void;
    let reject!: (error: unknown) => void;
    const promise = new WatchedPromise((onResolved, onRejected) => {
      resolve = onResolved;
      reject = onRejected;
    });
    Promise.prototype.then.call(promise, undefined, () => {});
    return { promise, resolve, reject };
  }

  // deno-lint-ignore no-explicit-any -- as in the standard library
  override then(...callbacks: any[]): Promise<any> {
    this.isWatched = true;
    return super.then(...callbacks);
  }
}

/** A promise, and what settles it. */
export interface Settleable {
  readonly promise: WatchedPromise;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** `sent`, or what ends the wait for it. The message is sent all the same. */
export function bounded(
  what: string,
  options: WaitOptions | undefined,
  sent: Promise<void>,
): Promise<void> {
  if (options?.signal === undefined && options?.timeoutMs === undefined) return sent;
  return handled(new Wait(what, options).for(sent));
}

/** One resolved promise for all: `publish` allocates nothing if it need not wait. */
export const RESOLVED = Promise.resolve();

/**
 * Marks a rejection as handled: a program that does not await each message must not crash when the connection ends.
 * `closed` reports that.
 */
export function handled(promise: Promise<void>): Promise<void> {
  promise.catch(() => {});
  return promise;
}
