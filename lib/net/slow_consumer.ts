/**
 * Decides whether the peer of an outbox reads too slowly.
 *
 * There are two measures. While a sender waits for room, the peer must take a sixteenth of what may be pending within
 * each timeout: slower, and it would hold its publishers up for good. While anything is pending, it must take at least
 * something within the timeout, or the memory would never come back. Requests alone do not count: they hold up only
 * the sessions that sent them, which get an answer when the request time is over.
 *
 * @module
 */

import { Deadline } from "../deadline.ts";
import { MIN_PROGRESS_SHARE, SWEEP_MS } from "../limits.ts";

/** Watches one outbox. */
export class SlowConsumerDetector {
  readonly #minBytes: number;
  readonly #timeoutMs: number;
  readonly #onSlow: () => void;
  /** Bytes that the peer had taken when the deadline was set. */
  #takenBefore = 0;
  #deadline: Deadline | undefined;
  #takenAtTick = 0;
  /** Whether the peer owed progress at the last tick. */
  #owedAtTick = false;
  /** Ticks in a row since which the peer has owed progress and made none. */
  #stalledTicks = 0;

  /**
   * @param limit bytes that may be pending
   * @param onSlow is called when the peer has turned out to be slow; it may be called again
   */
  constructor(limit: number, timeoutMs: number, onSlow: () => void) {
    this.#minBytes = Math.max(1, Math.floor(limit / MIN_PROGRESS_SHARE));
    this.#timeoutMs = timeoutMs;
    this.#onSlow = onSlow;
  }

  /** A sender waits for room, and is in a hurry. `taken` gives the bytes that the peer has taken so far. */
  senderWaits(taken: () => number): void {
    if (this.#deadline !== undefined) return;
    this.#takenBefore = taken();
    this.#deadline = new Deadline(this.#timeoutMs, () => {
      this.#deadline = undefined;
      if (taken() - this.#takenBefore >= this.#minBytes) this.senderWaits(taken);
      else this.#onSlow();
    });
  }

  /** No sender waits any more. */
  stop(): void {
    this.#deadline?.stop();
    this.#deadline = undefined;
  }

  /** Called once a second. `isOwed`: something is pending that is no request. */
  tick(taken: number, isOwed: boolean): void {
    // What was sent just now, perhaps by the same sweep, the peer has had no time to take.
    const isStalled = isOwed && this.#owedAtTick && taken === this.#takenAtTick;
    this.#stalledTicks = isStalled ? this.#stalledTicks + 1 : 0;
    this.#takenAtTick = taken;
    this.#owedAtTick = isOwed;
    if (isStalled && this.#stalledTicks * SWEEP_MS >= this.#timeoutMs) this.#onSlow();
  }
}
