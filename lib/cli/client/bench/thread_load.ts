/**
 * How busy a thread is: if it is busy all the time, it is the limit of what is measured.
 *
 * @module
 */

import process from "node:process";

/** Processor time of this thread in microseconds; undefined in older runtimes. */
function threadMicroseconds(): number | undefined {
  const { threadCpuUsage } = process as unknown as {
    threadCpuUsage?: () => { user: number; system: number };
  };
  if (threadCpuUsage === undefined) return undefined;
  const { user, system } = threadCpuUsage.call(process);
  return user + system;
}

/**
 * Measures one thread by two means. Its processor time is too low on a machine that has too few processors for all that
 * runs; the time in which it did not wait, if it has told its waits, is then right.
 */
export class ThreadLoad {
  /** Milliseconds in which the thread waited for the other side or for the server; undefined if nobody counts them. */
  waitedMs: number | undefined;

  readonly #hasWaits: boolean;
  #startMs = performance.now();
  #startUs = threadMicroseconds();

  /** `hasWaits` says that `waitedMs` is kept. */
  constructor(hasWaits: boolean) {
    this.#hasWaits = hasWaits;
    this.waitedMs = hasWaits ? 0 : undefined;
  }

  /** Begins anew. */
  restart(): void {
    this.#startMs = performance.now();
    this.#startUs = threadMicroseconds();
    this.waitedMs = this.#hasWaits ? 0 : undefined;
  }

  /** Milliseconds since the start. */
  get ms(): number {
    return performance.now() - this.#startMs;
  }

  /** The share of the time in which the thread was busy, 0 to 1; undefined if that is not known. */
  get busy(): number | undefined {
    const { ms, waitedMs } = this;
    const us = threadMicroseconds();
    const shares: number[] = [];
    if (us !== undefined && this.#startUs !== undefined) shares.push((us - this.#startUs) / 1000 / ms);
    if (waitedMs !== undefined) shares.push(1 - waitedMs / ms);
    return shares.length === 0 ? undefined : Math.max(0, Math.min(1, Math.max(...shares)));
  }
}
