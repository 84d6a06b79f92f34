/**
 * Whether a session is listened to: not while somebody has no room for what it sent, nor while it does not read its
 * answers, nor while it has sent more than its rate.
 *
 * @module
 */

import { HEADER_BYTES } from "../limits.ts";
import type { Transport } from "./peer.ts";
import type { RateLimiter } from "./rate_limiter.ts";

/**
 * The longest a timer may wait, in milliseconds; one of 25 days would go off at once. A session that has still sent
 * too much by then waits again.
 */
const MAX_WAIT_MS = 60_000;

/** Holds the connection of one session back, and lets it go on. */
export class FlowControl {
  /** Goes on: what was not taken is offered again. To be left with whoever it is that has to be waited for. */
  readonly resume: () => void = () => {
    this.#paused = false;
    this.#transport.resume();
  };
  readonly #transport: Transport;
  readonly #rate: RateLimiter | undefined;
  #paused = false;
  /** Ticks that found the session held, ever. */
  #pausedTicks = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** Without a rate the session may send as much as the others can take. */
  constructor(transport: Transport, rate: RateLimiter | undefined) {
    this.#transport = transport;
    this.#rate = rate;
  }

  /** Whether the session is not listened to at the moment. */
  get paused(): boolean {
    return this.#paused;
  }

  /**
   * Once a second: whether a session that is held should hear from us now, which is after so many seconds of it. While
   * it is not listened to its own PINGs are not answered, and without a sign of life it would give us up.
   */
  mustSpeak(everySeconds: number): boolean {
    return this.#paused && ++this.#pausedTicks % everySeconds === 0 &&
      this.#transport.outbox.hasRoom(HEADER_BYTES);
  }

  /** Passes on whether something was taken; where it was not, nothing more is read until `resume`. */
  taken(taken: boolean): boolean {
    if (!taken) {
      this.#paused = true;
      this.#transport.pause();
    }
    return taken;
  }

  /** Whether the session may be answered with `bytes`; where not, it is held until it has read what waits for it. */
  hasRoom(bytes: number = HEADER_BYTES): boolean {
    if (this.#transport.outbox.hasRoom(bytes)) return true;
    this.#transport.outbox.whenRoom(this.resume);
    return this.taken(false);
  }

  /** Whether the session may send more now; where not, it is held until it may. */
  hasRate(): boolean {
    const waitMs = this.#rate?.waitMs() ?? 0;
    if (waitMs === 0) return true;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(this.resume, Math.min(waitMs, MAX_WAIT_MS));
    return this.taken(false);
  }

  /** Counts what was taken against the rate. */
  spend(messages: number, bytes: number): void {
    this.#rate?.spend(messages, bytes);
  }

  /** The session ended. */
  stop(): void {
    clearTimeout(this.#timer);
  }
}
