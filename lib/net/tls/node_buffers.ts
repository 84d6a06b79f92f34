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
 * Deno takes encrypted bytes from `TLSWrap.drainEncOut`, copies them, and writes the copy to the stream under the
 * `TLSSocket`. Returns a function to call with the copy, which frees the original. If the runtime does it in another
 * way, the function frees nothing.
 */
export function freeDrained(tls: TLSSocket): (copy: Uint8Array) => void {
  const handle = (tls as unknown as { _handle?: { drainEncOut?: () => unknown } })._handle;
  const drain = handle?.drainEncOut;
  if (handle === undefined || typeof drain !== "function") return () => {};
  let drained: unknown;
  handle.drainEncOut = function () {
    return drained = drain.call(this);
  };
  return (copy) => {
    if (drained instanceof Uint8Array && drained.length === copy.length && drained.buffer !== copy.buffer) {
      free(drained);
    }
    drained = undefined;
  };
}
