/**
 * Locks of the operating system, which end with their process, however it ends.
 *
 * @module
 */

import { delay } from "@std/async";
import { MAX_LOCK_POLL_MS } from "../limits.ts";

/**
 * Locks `file` for this process alone.
 *
 * @param waitMs how long to wait for another process that holds the lock
 * @param signal ends the wait
 * @returns whether it is locked; if not, `file` must be closed
 */
export async function lock(file: Deno.FsFile, waitMs: number, signal?: AbortSignal): Promise<boolean> {
  const tryLock = lockerOf(file);
  const startMs = performance.now();
  for (let pauseMs = 1; !await tryLock(); pauseMs = Math.min(pauseMs * 2, MAX_LOCK_POLL_MS)) {
    if (signal?.aborted || performance.now() - startMs >= waitMs) return false;
    await delay(pauseMs, { signal }).catch(() => {}); // rejects if the wait is given up
  }
  return true;
}

/**
 * Returns what tries once to lock `file`, to be called until it resolves to true. A wait in the operating system could not
 * be given up, and would occupy one of the runtime's I/O threads.
 */
function lockerOf(file: Deno.FsFile): () => Promise<boolean> {
  if (file.tryLock !== undefined) return () => file.tryLock(true);
  // The 2.6 runtime cannot try, only wait. If the caller gives up and closes the file, the wait ends without a lock.
  const locked = file.lock(true).then(() => true);
  locked.catch(() => {}); // thrown by the call that comes next, if there is one
  return () => Promise.race([locked, Promise.resolve(false)]);
}
