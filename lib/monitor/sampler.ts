/**
 * Samples of the last fifteen minutes, one a second, whether or not anybody looks at them.
 *
 * @module
 */

import type { Traffic } from "../broker/counters.ts";
import { HISTORY_SECONDS, SWEEP_MS } from "../limits.ts";
import type { HistoryColumn, StatsHistory } from "../wire/stats.ts";

/** What is sampled; the first four are counts, of which a sample has the rate. */
export const HISTORY_COLUMNS: readonly HistoryColumn[] = Object.freeze(
  [
    "messagesIn",
    "messagesOut",
    "bytesIn",
    "bytesOut",
    "memoryBytes",
    "loopDelayMs",
    "pendingBytes",
    "sessions",
  ] as const,
);

const COLUMNS = HISTORY_COLUMNS.length;
const COUNTS = 4;

/** The values at the end of a second. */
export interface SampledValues {
  readonly traffic: Readonly<Traffic>;
  readonly memoryBytes: number;
  readonly loopDelayMs: number;
  readonly pendingBytes: number;
  readonly sessions: number;
}

/**
 * The samples of one server, in a ring that is never made larger or smaller.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { Sampler } from "./sampler.ts";
 *
 * let now = 0;
 * const sampler = new Sampler(() => now);
 * const traffic = { messagesIn: 500, messagesOut: 0, bytesIn: 0, bytesOut: 0 };
 * now += 1000;
 * sampler.sample({ traffic, memoryBytes: 1, loopDelayMs: 2, pendingBytes: 3, sessions: 4 });
 * assertEquals(sampler.history(new Date(0)).samples, [[500, 0, 0, 0, 1, 2, 3, 4]]);
 * ```
 */
export class Sampler {
  readonly #now: () => number;
  readonly #ring = new Float64Array(HISTORY_SECONDS * COLUMNS);
  readonly #before = new Float64Array(COUNTS);
  readonly #row = new Float64Array(COLUMNS);
  /** How many samples there were, ever. */
  #count = 0;
  #sampledAt: number;

  /** @param now a clock in milliseconds that never goes back */
  constructor(now: () => number) {
    this.#now = now;
    this.#sampledAt = now();
  }

  /** Takes a sample. To be called about once a second; after a longer time it stands for each of the seconds. */
  sample(values: SampledValues): void {
    const now = this.#now();
    const ms = Math.max(1, now - this.#sampledAt);
    const row = this.#row;
    const { traffic, memoryBytes, loopDelayMs, pendingBytes, sessions } = values;
    row[0] = traffic.messagesIn;
    row[1] = traffic.messagesOut;
    row[2] = traffic.bytesIn;
    row[3] = traffic.bytesOut;
    for (let i = 0; i < COUNTS; i++) {
      const rate = (row[i] - this.#before[i]) * 1000 / ms;
      this.#before[i] = row[i];
      row[i] = Math.round(rate);
    }
    row[4] = memoryBytes;
    row[5] = Math.round(loopDelayMs * 10) / 10;
    row[6] = pendingBytes;
    row[7] = sessions;
    const seconds = Math.min(Math.max(1, Math.round(ms / SWEEP_MS)), HISTORY_SECONDS);
    for (let i = 0; i < seconds; i++) this.#ring.set(row, this.#count++ % HISTORY_SECONDS * COLUMNS);
    this.#sampledAt = now;
  }

  /** All samples; `time` is the time of day now. */
  history(time: Date): StatsHistory {
    const samples: number[][] = [];
    for (let i = Math.max(0, this.#count - HISTORY_SECONDS); i < this.#count; i++) {
      const at = i % HISTORY_SECONDS * COLUMNS;
      samples.push(Array.from(this.#ring.subarray(at, at + COLUMNS)));
    }
    const until = new Date(time.getTime() - (this.#now() - this.#sampledAt));
    return { stepSeconds: SWEEP_MS / 1000, until: until.toISOString(), columns: HISTORY_COLUMNS, samples };
  }
}
