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

/** What a detector needs of the outbox. */
export interface WatchedOutbox {
  /** Bytes that the peer has taken so far. */
  taken(): number;
  /** The peer has turned out to be slow. May be called again. */
  onSlow(): void;
}

/** Watches one outbox. */
export class SlowConsumerDetector {
  readonly #minBytes: number;
  readonly #timeoutMs: number;
  readonly #outbox: WatchedOutbox;
  /** Bytes that the peer had taken when the deadline was set. */
  #takenBefore = 0;
  #deadline: Deadline | undefined;
  #takenAtTick = 0;
  /** Whether the peer owed progress at the last tick. */
  #owedAtTick = false;
  /** Ticks in a row since which the peer has owed progress and made none. */
  #stalledTicks = 0;

  /** @param limit bytes that may be pending */
  constructor(limit: number, timeoutMs: number, outbox: WatchedOutbox) {
    this.#minBytes = Math.max(1, Math.floor(limit / MIN_PROGRESS_SHARE));
    this.#timeoutMs = timeoutMs;
    this.#outbox = outbox;
  }

  /** A sender waits for room, and is in a hurry. */
  senderWaits(): void {
    if (this.#deadline !== undefined) return;
    this.#takenBefore = this.#outbox.taken();
    this.#deadline = new Deadline(this.#timeoutMs, () => {
      this.#deadline = undefined;
      if (this.#outbox.taken() - this.#takenBefore >= this.#minBytes) this.senderWaits();
      else this.#outbox.onSlow();
    });
  }

  /** No sender waits any more. */
  stop(): void {
    this.#deadline?.stop();
    this.#deadline = undefined;
  }

  /** Called once a second. `isOwed`: something is pending that is no request. */
  tick(isOwed: boolean): void {
    const taken = this.#outbox.taken();
    // What was sent just now, perhaps by the same sweep, the peer has had no time to take.
    const isStalled = isOwed && this.#owedAtTick && taken === this.#takenAtTick;
    this.#stalledTicks = isStalled ? this.#stalledTicks + 1 : 0;
    this.#takenAtTick = taken;
    this.#owedAtTick = isOwed;
    if (isStalled && this.#stalledTicks * SWEEP_MS >= this.#timeoutMs) this.#outbox.onSlow();
  }
}
