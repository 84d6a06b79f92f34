/**
 * A histogram of times, exact to three digits.
 *
 * @module
 */

import {
  build,
  decodeFromCompressedBase64,
  encodeIntoCompressedBase64,
  type Histogram,
} from "hdr-histogram-js";

/** The longest time that is told apart from longer ones: an hour, in microseconds. */
const MAX_US = 3_600_000_000;

/** The percentiles that are reported, by their names. */
const PERCENTILES = { min: 0, p50: 50, p90: 90, p99: 99, p999: 99.9, max: 100 } as const;

/** Times in milliseconds, by the name of their percentile. */
export type Percentiles = Readonly<Record<keyof typeof PERCENTILES, number>>;

/** A row of a chart: times up to `ms` which are above those of the row before. */
export interface Bar {
  readonly ms: number;
  /** 0 to 1. */
  readonly share: number;
}

/** How many times a chart tells apart. */
const POINTS = 1_000;

/** Times. */
export class Latencies {
  #histogram: Histogram;

  /** No times, or those that `encode` has encoded. */
  constructor(encoded?: string) {
    this.#histogram = encoded === undefined ? empty() : decodeFromCompressedBase64(encoded, 32, false);
  }

  /** How many were recorded. */
  get count(): number {
    return this.#histogram.totalCount;
  }

  /** Records a time in milliseconds. */
  record(ms: number): void {
    const us = Math.round(ms * 1000);
    this.#histogram.recordValue(us < 1 ? 1 : us > MAX_US ? MAX_US : us);
  }

  /** Forgets what was recorded. */
  clear(): void {
    this.#histogram = empty();
  }

  /** As text, to be sent to another thread. */
  encode(): string {
    return encodeIntoCompressedBase64(this.#histogram);
  }

  /** In milliseconds; undefined if nothing was recorded. */
  percentiles(): Percentiles | undefined {
    if (this.count === 0) return undefined;
    const entries = Object.entries(PERCENTILES).map(([name, percent]) => [name, this.#at(percent)]);
    return Object.fromEntries(entries) as Percentiles;
  }

  /** The shares of times up to 1, 2, 5, 10 ... from the shortest to the longest. */
  bars(): Bar[] {
    if (this.count === 0) return [];
    const bars: { ms: number; share: number }[] = [];
    for (let point = 0; point < POINTS; point++) {
      const ms = roundUp(this.#at((100 * (point + 0.5)) / POINTS));
      while (bars.length > 0 && bars.at(-1)!.ms < ms) {
        bars.push({ ms: roundUp(bars.at(-1)!.ms * 1.01), share: 0 });
      }
      if (bars.length === 0) bars.push({ ms, share: 0 });
      bars.at(-1)!.share += 1 / POINTS;
    }
    return bars;
  }

  /** In milliseconds, to three digits: the rest is the width of the histogram's buckets. */
  #at(percent: number): number {
    return Number((this.#histogram.getValueAtPercentile(percent) / 1000).toPrecision(3));
  }
}

function empty(): Histogram {
  return build({
    bitBucketSize: 32,
    numberOfSignificantValueDigits: 3,
    highestTrackableValue: MAX_US,
    useWebAssembly: false,
  });
}

/** The lowest of 1, 2, 5, 10, 20 ... thousandths that is not below `ms`. */
function roundUp(ms: number): number {
  const us = ms * 1000;
  const power = 10 ** Math.floor(Math.log10(us) + 1e-9);
  const factor = [1, 2, 5, 10].find((factor) => us <= factor * power * (1 + 1e-9))!;
  return factor * power / 1000;
}
