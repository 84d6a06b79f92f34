/**
 * The disk without a server: one message appended to a file, and `fdatasync`. No server that syncs before its receipt can
 * give one sooner.
 *
 * @module
 */

import { Histogram } from "../histogram.ts";

/**
 * How long the disk is measured at once, and the server between two of these times, in milliseconds. The first message
 * after a pause takes longer, because threads wake up: it must be less than one in a hundred.
 */
const SLICE_MS = 100;

/** Measures the disk in turn with a server, so that whatever else uses the disk slows down both. */
export class BareDisk {
  times = new Histogram();
  /** Time spent here, in milliseconds. */
  spentMs = 0;
  readonly #file: Deno.FsFile;
  readonly #payload: Uint8Array;
  #next = 0;

  /** @param dir a directory on the disk of the server */
  constructor(dir: string, payload: Uint8Array) {
    this.#file = Deno.openSync(`${dir}/bare-${crypto.randomUUID()}`, { write: true, createNew: true });
    this.#payload = payload;
  }

  /** Has its turn, if it is due. To be called when nothing is under way at the server. */
  take(): void {
    const start = performance.now();
    if (start < this.#next) return;
    let now = start;
    while (now < start + SLICE_MS) {
      const before = now;
      this.#file.writeSync(this.#payload);
      this.#file.syncDataSync();
      now = performance.now();
      this.times.add(now - before);
    }
    this.spentMs += now - start;
    this.#next = now + SLICE_MS;
  }

  /** Forgets the times so far. */
  restart(): void {
    this.times = new Histogram();
    this.spentMs = 0;
  }
}
