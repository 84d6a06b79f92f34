/**
 * Cuts a stream into writes, so that frame boundaries and read boundaries differ.
 *
 * @module
 */

import type { Random } from "../harness/seeded.ts";

/** One write, and how long to wait after it. */
export interface Chunk {
  readonly bytes: Uint8Array;
  /** In milliseconds; usually 0. */
  readonly pauseMs: number;
}

/** More writes take time and find no more. */
const MAX_CHUNKS = 200;

/** Cuts `bytes` into one to 200 writes, in order and with nothing lost. */
export function inChunks(random: Random, bytes: Uint8Array): Chunk[] {
  const largest = random.pick([1, 15, 17, 100, 1460, 20_000, Infinity]);
  const chunks: Chunk[] = [];
  for (let at = 0; at < bytes.length;) {
    const isLast = largest === Infinity || chunks.length === MAX_CHUNKS - 1;
    const to = isLast ? bytes.length : Math.min(bytes.length, at + 1 + random.int(largest));
    chunks.push({ bytes: bytes.subarray(at, to), pauseMs: random.int(25) === 0 ? random.int(8) : 0 });
    at = to;
  }
  return chunks;
}
