/**
 * Samples the memory, descriptors and throughput of a server.
 *
 * @module
 */

import type { ObservedServer } from "../fuzz/server_log.ts";
import type { Counters } from "./counters.ts";
import type { Point } from "./trend.ts";

/** One sample. */
export interface Sample {
  /** Seconds since the load began. */
  readonly seconds: number;
  readonly residentBytes: number;
  /** V8's heap after its last collection; `undefined` if the server does not report it. */
  readonly heapBytes?: number;
  readonly descriptors: number;
  /** Messages delivered per second since the previous sample. */
  readonly deliveredPerSecond: number;
  /** How late this sample was, in milliseconds: how long the soak process itself was delayed. */
  readonly lateMs: number;
}

/** One value over time, without the samples that lack it. */
export function pointsOf(samples: readonly Sample[], pick: (sample: Sample) => number | undefined): Point[] {
  return samples.flatMap((sample) => {
    const value = pick(sample);
    return value === undefined ? [] : [{ seconds: sample.seconds, value }];
  });
}

/** The most samples in a run, and the shortest interval between two. */
const MAX_SAMPLES = 1200;
const LEAST_MS = 250;

/** What V8 prints with --trace-gc: `... Scavenge 7.2 (8.9) -> 6.7 (9.9) MB, ...`. */
const COLLECTION = /\b(?:Scavenge|Mark-Compact)\b.*? -> ([\d.]+) \(/;

/** The heap size in bytes that `line` of the server's output reports; `undefined` if it reports none. */
export function heapAfter(line: string): number | undefined {
  const megabytes = COLLECTION.exec(line)?.[1];
  return megabytes === undefined ? undefined : Number(megabytes) * 1024 * 1024;
}

/** Takes samples until stopped. */
export class Sampler {
  readonly samples: Sample[] = [];
  readonly #server: ObservedServer;
  readonly #counters: Counters;
  readonly #heap: () => number | undefined;
  readonly #start = performance.now();
  readonly #everyMs: number;
  readonly #timer: ReturnType<typeof setInterval>;
  #last = { seconds: 0, delivered: 0 };

  /**
   * @param seconds the planned length of the run
   * @param heap returns the last known heap size
   * @param onSample receives each sample
   */
  constructor(
    server: ObservedServer,
    counters: Counters,
    seconds: number,
    heap: () => number | undefined,
    onSample: (sample: Sample) => void,
  ) {
    this.#server = server;
    this.#counters = counters;
    this.#heap = heap;
    this.#everyMs = Math.max(LEAST_MS, seconds * 1000 / MAX_SAMPLES);
    this.#timer = setInterval(() => onSample(this.#sample()), this.#everyMs);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #sample(): Sample {
    const seconds = (performance.now() - this.#start) / 1000;
    const { delivered } = this.#counters;
    const sample: Sample = {
      seconds,
      residentBytes: this.#server.residentBytes(),
      heapBytes: this.#heap(),
      descriptors: this.#server.descriptors(),
      deliveredPerSecond: (delivered - this.#last.delivered) / (seconds - this.#last.seconds),
      lateMs: Math.max(0, (seconds - this.#last.seconds) * 1000 - this.#everyMs),
    };
    this.#last = { seconds, delivered };
    this.samples.push(sample);
    return sample;
  }
}
