/**
 * Time as a server and a test have had it, without what other programs took of the processor, and without moments in which
 * the whole machine stood still.
 *
 * @module
 */

import { MAY_INSPECT } from "./permissions.ts";

const OWN_THREAD = "/proc/thread-self/schedstat";
/** How often the clock looks by itself. */
const TICK_MS = 20;
/** A thread that neither runs nor waits for a processor for longer was not woken by the next tick: the machine stood still. */
const MAX_IDLE_MS = 3 * TICK_MS;

/** What a thread has done so far, in milliseconds. */
interface Spent {
  readonly ranMs: number;
  /** It waited for a processor that others used. */
  readonly waitedMs: number;
}

const NOTHING: Spent = { ranMs: 0, waitedMs: 0 };

/**
 * A clock that stands still while the server's thread, or the one that asks, waits for a processor that other programs
 * use, and while the machine stands still. So what it measures on a busy machine is what it would measure on an idle one,
 * or less if both wait at the same time: it is for bounds that nothing may exceed, while one waits for the other.
 */
export class LoadFreeClock implements Disposable {
  readonly #server: string | undefined;
  readonly #timer = setInterval(() => this.now(), TICK_MS);
  #own = spent(OWN_THREAD) ?? NOTHING;
  /** Kept once it has ended: then there is nothing to read. */
  #serverWaitedMs = 0;
  #lookedAt = performance.now();
  #stoodStillMs = 0;

  /** @param pid the server's process; left out if the server is in this one */
  constructor(pid?: number) {
    this.#server = pid === undefined ? undefined : mainThread(pid);
    this.now();
  }

  /** The time, in milliseconds since some moment. */
  now(): number {
    const now = performance.now();
    const own = spent(OWN_THREAD);
    if (own === undefined) return now;
    const busyMs = own.ranMs - this.#own.ranMs + own.waitedMs - this.#own.waitedMs;
    const idleMs = now - this.#lookedAt - busyMs;
    if (idleMs > MAX_IDLE_MS) this.#stoodStillMs += idleMs;
    this.#own = own;
    this.#lookedAt = now;
    if (this.#server !== undefined) {
      this.#serverWaitedMs = spent(this.#server)?.waitedMs ?? this.#serverWaitedMs;
    }
    return now - this.#stoodStillMs - own.waitedMs - this.#serverWaitedMs;
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}

/** How long the main thread of the process `pid` has run, in milliseconds. */
export function ranMs(pid: number): number {
  return spent(mainThread(pid))?.ranMs ?? 0;
}

function mainThread(pid: number): string {
  return `/proc/${pid}/task/${pid}/schedstat`;
}

/** What the thread of this schedstat has done; `undefined` once it has ended, and where it may not be read. */
function spent(schedstat: string): Spent | undefined {
  if (!MAY_INSPECT) return undefined;
  try {
    const [ran, waited] = Deno.readTextFileSync(schedstat).split(" ");
    return { ranMs: Number(ran) / 1e6, waitedMs: Number(waited) / 1e6 };
  } catch {
    return undefined;
  }
}
