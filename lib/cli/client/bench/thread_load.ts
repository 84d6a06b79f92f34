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

/** How the load of a thread is measured. */
export interface ThreadLoadOptions {
  /** Whether the thread tells how long it waits; false by default. */
  readonly countsWaits?: boolean;
}

/**
 * Measures one thread by its processor time, and if it counts its waits, by the time in which it did not wait. On a
 * machine that has too few processors for all that runs, the first alone would be too low.
 */
export class ThreadLoad {
  readonly #countsWaits: boolean;
  #waitedMs = 0;
  #startMs = performance.now();
  #startUs = threadMicroseconds();

  constructor({ countsWaits = false }: ThreadLoadOptions = {}) {
    this.#countsWaits = countsWaits;
  }

  /** Begins anew. */
  restart(): void {
    this.#waitedMs = 0;
    this.#startMs = performance.now();
    this.#startUs = threadMicroseconds();
  }

  /** The thread has waited, for the other side or for the server. */
  waited(ms: number): void {
    this.#waitedMs += ms;
  }

  /** Milliseconds since the start. */
  get ms(): number {
    return performance.now() - this.#startMs;
  }

  /** The share of the time in which the thread was busy, 0 to 1; undefined if that is not known. */
  get busy(): number | undefined {
    const { ms } = this;
    const us = threadMicroseconds();
    const shares: number[] = [];
    if (us !== undefined && this.#startUs !== undefined) shares.push((us - this.#startUs) / 1000 / ms);
    if (this.#countsWaits) shares.push(1 - this.#waitedMs / ms);
    return shares.length === 0 ? undefined : Math.max(0, Math.min(1, Math.max(...shares)));
  }
}
