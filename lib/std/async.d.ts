/**
 * The part of `@std/async` that Parley uses; see its documentation for each function.
 *
 * @module
 */

/** Resolves after `ms` milliseconds. Rejects with the reason of `signal` once that is aborted. */
export function delay(ms: number, options?: { signal?: AbortSignal }): Promise<void>;
