/**
 * Buffers that go to and come from `node:tls`. Those that come are freed at once: the garbage collector notices them
 * late, so a busy connection would take hundreds of megabytes, and as much processor time for fresh memory as for TLS.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import type { TLSSocket } from "node:tls";

/** Smaller buffers are left to the garbage collector, which is cheaper. */
const MIN_FREED_BYTES = 4 * 1024;

/** Larger than any buffer of a connection, and as much memory as glibc keeps at most instead of giving it back. */
const REUSED_BYTES = 2 * 1024 * 1024;

/**
 * Has the C library reuse the memory of buffers that are freed. glibc takes memory for a large one from the kernel, and
 * gives it back, each time: a page fault for every 4 KiB, a fifth of the speed of TLS. What counts as large is what is
 * larger than the largest that was ever freed (mallopt(3), M_MMAP_THRESHOLD), so freeing one, which nothing has touched
 * and which thus costs nothing, is enough. Elsewhere this does nothing.
 */
export function reuseFreed(): void {
  new ArrayBuffer(REUSED_BYTES).transfer(0);
}

/** `bytes` as a `Buffer` of Node, not copied. */
export function asNode(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** Frees the memory of `bytes`, which nothing may use any more. A part of a larger buffer is left alone. */
export function free(bytes: Uint8Array): void {
  if (bytes.length >= MIN_FREED_BYTES && bytes.length === bytes.buffer.byteLength) {
    (bytes.buffer as ArrayBuffer).transfer(0);
  }
}

/**
 * Returns a function that frees encrypted bytes of `tls` inside the runtime, given the copy of them that was written.
 *
 * Deno 2.9 takes encrypted bytes from `TLSWrap.drainEncOut`, copies them, and writes the copy to the stream under the
 * `TLSSocket`. Left to the garbage collector, the originals double the memory of a busy connection (150 MB instead of
 * 78) and cost a quarter of its processor time; there is no public way to get at them. `drainEncOut` is private, so
 * nothing relies on it: what it returned is freed only if the copy is another buffer of the same length with the same
 * authentication tag at its end. In a runtime without such a method nothing is freed.
 */
export function drainedFreer(tls: TLSSocket): (copy: Uint8Array) => void {
  const handle = (tls as unknown as { _handle?: { drainEncOut?: () => unknown } })._handle;
  const drain = handle?.drainEncOut;
  if (handle === undefined || typeof drain !== "function") return () => {};
  let drained: unknown;
  handle.drainEncOut = function () {
    return drained = drain.call(this);
  };
  return (copy) => {
    if (drained instanceof Uint8Array && isCopy(drained, copy)) free(drained);
    drained = undefined;
  };
}

/** The bytes at the end of a TLS record that authenticate it; no two records have the same. */
const TAG_BYTES = 16;

function isCopy(original: Uint8Array, copy: Uint8Array): boolean {
  const { length } = copy;
  if (original.length !== length || original.buffer === copy.buffer) return false;
  for (let i = Math.max(0, length - TAG_BYTES); i < length; i++) if (original[i] !== copy[i]) return false;
  return true;
}
