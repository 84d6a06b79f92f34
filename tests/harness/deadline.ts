/**
 * Deadlines for what a test waits for, so that a test that gets no answer fails with what was missing.
 *
 * @module
 */

/** How long to wait for what should come at once, in milliseconds. Long, because the machine may be busy. */
export const DEADLINE_MS = 15_000;

/** Nothing came before the deadline. */
export class DeadlineError extends Error {}

/** Resolves as `promise` does, or rejects with {@linkcode DeadlineError} after `ms` milliseconds. */
export async function within<T>(promise: Promise<T>, what: string, ms: number = DEADLINE_MS): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new DeadlineError(`no ${what} within ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
