/**
 * A histogram of times. Each bucket is 2% wider than the one before it.
 *
 * @module
 */

import type { Latency } from "./job.ts";

const PER_DOUBLING = 32;
/** The first bucket ends at a microsecond, the last one holds everything from a quarter of an hour. */
const BUCKETS = 30 * PER_DOUBLING;

/** Times in milliseconds. */
export class Histogram {
  readonly #counts = new Float64Array(BUCKETS);
  #total = 0;

  /** How many times were added. */
  get total(): number {
    return this.#total;
  }

  /** Adds one time, in milliseconds. */
  add(ms: number): void {
    const bucket = Math.floor(Math.log2(ms * 1000) * PER_DOUBLING);
    this.#counts[Math.max(0, Math.min(BUCKETS - 1, bucket))]++;
    this.#total++;
  }

  /** The `q` quantile in milliseconds, for `q` from 0 to 1; NaN if nothing was added. */
  quantile(q: number): number {
    const rank = Math.max(1, Math.ceil(q * this.#total));
    let seen = 0;
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      seen += this.#counts[bucket];
      if (seen >= rank) return 2 ** ((bucket + 0.5) / PER_DOUBLING) / 1000;
    }
    return NaN;
  }

  /** The quantiles of the report. */
  latency(): Latency {
    return { p50: this.quantile(0.5), p99: this.quantile(0.99), p999: this.quantile(0.999) };
  }
}
