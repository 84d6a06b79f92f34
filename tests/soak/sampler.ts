/**
 * Looks at a server again and again: memory, descriptors, and what it delivers.
 *
 * @module
 */

import type { ServerProcess } from "../fuzz/server_process.ts";
import type { Tally } from "./tally.ts";
import type { Point } from "./trend.ts";

/** One look. */
export interface Sample {
  /** Since the load began. */
  readonly seconds: number;
  readonly residentBytes: number;
  /** V8's heap after its last collection; not there where the server does not tell. */
  readonly heapBytes?: number;
  readonly descriptors: number;
  /** Messages delivered a second since the look before. */
  readonly deliveredPerSecond: number;
  /** How late this look was, in milliseconds: how long the soak itself was kept from running. */
  readonly lateMs: number;
}

/** One of the values of each sample that has it, over time. */
export function pointsOf(samples: readonly Sample[], pick: (sample: Sample) => number | undefined): Point[] {
  return samples.flatMap((sample) => {
    const value = pick(sample);
    return value === undefined ? [] : [{ seconds: sample.seconds, value }];
  });
}

/** At most so many looks in a run, and no two closer than this. */
const MAX_SAMPLES = 1200;
const LEAST_MS = 250;

/** What V8 prints with --trace-gc: `... Scavenge 7.2 (8.9) -> 6.7 (9.9) MB, ...`. */
const COLLECTION = /\b(?:Scavenge|Mark-Compact)\b.*? -> ([\d.]+) \(/;

/** The heap after the collection that `line` of a server's output reports, in bytes; nothing if it reports none. */
export function heapAfter(line: string): number | undefined {
  const megabytes = COLLECTION.exec(line)?.[1];
  return megabytes === undefined ? undefined : Number(megabytes) * 1024 * 1024;
}

/** Takes samples until stopped. */
export class Sampler {
  readonly samples: Sample[] = [];
  readonly #server: ServerProcess;
  readonly #tally: Tally;
  readonly #heap: () => number | undefined;
  readonly #start = performance.now();
  readonly #everyMs: number;
  readonly #timer: ReturnType<typeof setInterval>;
  #last = { seconds: 0, delivered: 0 };

  /**
   * `seconds` is how long the run is to be; `heap` knows V8's heap, if anybody does; `onSample` hears of each look.
   */
  constructor(
    server: ServerProcess,
    tally: Tally,
    seconds: number,
    heap: () => number | undefined,
    onSample: (sample: Sample) => void,
  ) {
    this.#server = server;
    this.#tally = tally;
    this.#heap = heap;
    this.#everyMs = Math.max(LEAST_MS, seconds * 1000 / MAX_SAMPLES);
    this.#timer = setInterval(() => onSample(this.#look()), this.#everyMs);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #look(): Sample {
    const seconds = (performance.now() - this.#start) / 1000;
    const { delivered } = this.#tally;
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
