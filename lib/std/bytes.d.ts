/**
 * The part of `@std/bytes` that Parley uses; see its documentation for each function.
 *
 * @module
 */

/** Returns all `buffers`, joined. */
export function concat(buffers: readonly Uint8Array[]): Uint8Array<ArrayBuffer>;
