/**
 * Time as a server and a test have had it, without what other programs took of the processor.
 *
 * @module
 */

import { MAY_INSPECT } from "./permissions.ts";

/**
 * A clock that stands still while the server's thread, or the one that asks, waits for a processor that other programs
 * use. So what it measures on a busy machine is what it would measure on an idle one, or less if both wait at the same
 * time: it is for bounds that nothing may exceed, while one waits for the other.
 */
export class LoadFreeClock {
  /** The files to read, and how long each thread had waited when its file was last there, in nanoseconds. */
  readonly #waited: Map<string, number>;

  /** @param pid the server's process; left out if the server is in this one */
  constructor(pid?: number) {
    const files = ["/proc/thread-self/schedstat"];
    if (pid !== undefined) files.push(`/proc/${pid}/task/${pid}/schedstat`);
    this.#waited = new Map(MAY_INSPECT ? files.map((file) => [file, 0]) : []);
  }

  /** The time, in milliseconds since some moment. */
  now(): number {
    let sum = 0;
    for (const [file, before] of this.#waited) {
      const waited = nanoseconds(file, 1) ?? before;
      this.#waited.set(file, waited);
      sum += waited;
    }
    return performance.now() - sum / 1e6;
  }
}

/** How long the main thread of the process `pid` has run, in milliseconds. */
export function ranMs(pid: number): number {
  return (nanoseconds(`/proc/${pid}/task/${pid}/schedstat`, 0) ?? 0) / 1e6;
}

/** The time that a thread has run (0) or has waited to run (1), from its schedstat; `undefined` once it has ended. */
function nanoseconds(file: string, field: 0 | 1): number | undefined {
  try {
    return Number(Deno.readTextFileSync(file).split(" ")[field]);
  } catch {
    return undefined;
  }
}
