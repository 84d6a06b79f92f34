/**
 * Pauses one session: while a receiver has no room for what it sent, while it does not read its own answers, while it
 * has sent more than its rate, and when it has made the server do enough for this turn of the event loop.
 *
 * @module
 */

import { HEADER_BYTES } from "../limits.ts";
import type { Channel } from "./channel.ts";
import type { HeldBack } from "./counters.ts";
import type { Peer, Transport } from "./peer.ts";
import type { RateLimiter } from "./rate_limiter.ts";
import type { WorkBudget } from "./work_budget.ts";
import { WorkShare } from "./work_share.ts";

/** The longest wait for the rate limiter, in milliseconds: a longer timer overflows. Then the session waits again. */
const MAX_WAIT_MS = 60_000;

/** What holds a session back: a channel, one of whose receivers has no room or which is being stored, or an inbox. */
export type HeldOn = Channel | Peer;

/** Pauses and resumes the connection of one session. */
export class FlowControl {
  /**
   * Resumes the session in a later turn of the event loop: what was not taken is offered again. Registered with whatever
   * the session waits for.
   *
   * Never at once: a session that resumes may end others or fill their outboxes, which calls the sessions that wait for
   * those, and so on, for as long as the stack lasts.
   */
  readonly resume: () => void = () => {
    if (this.#isResuming) return;
    this.#isResuming = true;
    this.#budget.later(this.#resumeNow, this.#share.isLight);
  };
  readonly #transport: Transport;
  readonly #budget: WorkBudget;
  readonly #share: WorkShare;
  readonly #rate: RateLimiter | undefined;
  #paused = false;
  #isResuming = false;
  #isStopped = false;
  /** Ticks that found the session paused, ever. */
  #pausedTicks = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #heldBack: HeldBack;
  #heldOn: HeldOn | undefined;
  #heldSince = 0;

  /** @param rate limits what the session sends; without it only back-pressure does */
  constructor(transport: Transport, budget: WorkBudget, rate: RateLimiter | undefined, heldBack: HeldBack) {
    this.#heldBack = heldBack;
    this.#transport = transport;
    this.#budget = budget;
    this.#share = new WorkShare(budget);
    this.#rate = rate;
  }

  /** What the server does from now on is for this session; see `work_share.ts`. */
  begin(): void {
    this.#share.begin();
  }

  /** And from now on no longer. */
  end(): void {
    this.#share.end();
  }

  /** Whether the session is paused. */
  get isPaused(): boolean {
    return this.#paused;
  }

  /** What holds the session back now: it waits for others, not for its rate or its turn. */
  get heldOn(): HeldOn | undefined {
    return this.#heldOn;
  }

  /** For how long it has been held back, in milliseconds. */
  get heldMs(): number {
    return this.#heldOn === undefined ? 0 : this.#heldBack.since(this.#heldSince);
  }

  /** What the session sent waits for a receiver or for the store. It must be paused, and be resumed when that is over. */
  holdBack(on: HeldOn): void {
    if (this.#heldOn === undefined) this.#heldSince = this.#heldBack.begin();
    this.#heldOn = on;
  }

  #letGo(): void {
    if (this.#heldOn === undefined) return;
    this.#heldOn = undefined;
    this.#heldBack.end(this.#heldSince);
  }

  /**
   * Called once a second: whether a paused session must be sent a PING now, which is every `everySeconds`. Its own PINGs
   * are not answered while it is paused, and without a sign of life it would give the server up.
   */
  mustPing(everySeconds: number): boolean {
    return this.#paused && ++this.#pausedTicks % everySeconds === 0 &&
      this.#transport.outbox.hasRoom(HEADER_BYTES);
  }

  /** Pauses the session if `taken` is false, and returns `taken`. */
  pauseUnless(taken: boolean): boolean {
    if (!taken) {
      this.#share.end(); // before it resumes: whether it goes first depends on what it has used
      this.#paused = true;
      this.#transport.pause();
    }
    return taken;
  }

  /** Pauses the session until a later turn of the event loop: the next one, if it has made the server do little. */
  pauseForTurn(): void {
    this.pauseUnless(false);
    this.resume();
  }

  /** Whether the session may be sent an answer of `bytes`. If not, it is paused until it has read what waits for it. */
  hasRoom(bytes: number = HEADER_BYTES): boolean {
    const { outbox } = this.#transport;
    if (outbox.hasRoomForAnswer(bytes)) return true;
    outbox.whenRoomForAnswer(this.resume);
    return this.pauseUnless(false);
  }

  /** Whether another frame of the session may be handled now. If not, it is paused until it may. */
  mayHandle(): boolean {
    return this.#rate === undefined && !this.#budget.isSpent || this.#mayHandleNow();
  }

  #mayHandleNow(): boolean {
    if (this.#budget.isSpent) {
      this.pauseForTurn();
      return false;
    }
    const waitMs = this.#rate?.waitMs() ?? 0;
    if (waitMs === 0) return true;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(this.resume, Math.min(waitMs, MAX_WAIT_MS));
    return this.pauseUnless(false);
  }

  /** How long until the rate allows more, in milliseconds: for what does not come through the connection. */
  rateWaitMs(): number {
    return Math.min(this.#rate?.waitMs() ?? 0, MAX_WAIT_MS);
  }

  /** What `mayHandle` allowed has been handled: counts it against the rate. */
  spend(messages: number, bytes: number): void {
    this.#rate?.spend(messages, bytes);
  }

  /** Pauses the session for good: the server stops. */
  pauseForGood(): void {
    this.#isStopped = true;
    this.pauseUnless(false);
  }

  /** The session has ended. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#letGo();
  }

  readonly #resumeNow = () => {
    this.#isResuming = false;
    this.#letGo();
    if (this.#isStopped) return;
    this.#paused = false;
    this.#transport.resume();
  };
}
