/**
 * Bounds how much the sessions of one server make it do in one turn of the event loop.
 *
 * Most frames cost next to nothing. Some cost as much as other sessions have made them cost: a message to thousands of
 * subscribers, a name that thousands of patterns cover, a session that leaves thousands of requests behind. Each unit
 * of such work is counted. Once a turn's budget is spent, sessions are paused, and go on in the next turn, in order; so
 * other sessions wait for milliseconds at most, whatever a session sends.
 *
 * @module
 */

import { setImmediate } from "node:timers";
import { CALLS_PER_TURN, WORK_PER_TURN } from "../limits.ts";

/** What steps of the broker's work cost, in units; found with `--cpu-prof` under the attacks of `tests/hostile`. */
export const Work = {
  /** Handing on a run, to one receiver. */
  RUN: 1,
  /** Handling a frame that needs no decoding. */
  FRAME: 8,
  /** Sending to one of several receivers. */
  SEND: 2,
  /** Decoding or encoding a control payload. */
  CONTROL: 60,
  /** Looking at one subscription for a route. */
  SUBSCRIPTION: 4,
  /** Removing a pending request from the books of both its sessions. */
  REQUEST: 4,
  /** Encoding one member of a list. */
  MEMBER: 8,
} as const;

/** Up to this part of a turn's work nothing is scheduled: what light turns leave adds up until it is more. */
const NEGLIGIBLE_SHARE = 1 / 8;

/** The budget of one server; see the module's comment. */
export class WorkBudget {
  readonly #failed: (error: unknown) => void;
  readonly #afterPoll: (turn: () => void) => void;
  /** Units of work in one turn. */
  readonly perTurn: number;
  /** Whether this turn's budget is spent. What can wait should wait; see `later`. */
  isSpent = false;
  /** Turns begun, ever. */
  turns = 0;
  /** How often the server has become busy, ever: a busy period lasts until nothing waits any more. */
  busyPeriods = 0;
  /** `total` at which this turn's budget is spent. */
  #turnEnds: number;
  /** `total` at which something must be done: the turn's end is scheduled, or its budget is spent. */
  #limit: number;
  /** Units left until then. A small integer: it is counted down for each run of messages. */
  #left: number;
  /** `total` when the sockets were last polled because of it. */
  #polledAt = 0;
  #isScheduled = false;
  #isBusy = false;
  /** Calls for the next turns, oldest first. */
  #waiting: (() => void)[] = [];
  /** Calls for the next turns that come before the others. */
  #urgent: (() => void)[] = [];

  /**
   * @param failed is told what a call threw; the calls behind it are made all the same
   * @param perTurn units of work in one turn: about one for each queue, tree node or entry that is touched
   * @param poll makes a call once the runtime has polled the sockets. Turns of `setImmediate` follow each other without
   * that for some 60 times, and other sessions would not be read meanwhile; that is so if it is left out
   */
  constructor(
    failed: (error: unknown) => void,
    perTurn: number = WORK_PER_TURN,
    poll: (turn: () => void) => void = (turn) => turn(),
  ) {
    this.#afterPoll = poll;
    this.#failed = failed;
    this.perTurn = perTurn;
    this.#turnEnds = perTurn;
    this.#limit = this.#left = Math.floor(perTurn * NEGLIGIBLE_SHARE) + 1;
  }

  /** Units spent, ever. */
  get total(): number {
    return this.#limit - this.#left;
  }

  /** Counts work that was done. On the hot path: once for each run of messages. */
  spend(units: number): void {
    if ((this.#left -= units) <= 0) this.#reachLimit();
  }

  /** Calls `call` in a later turn, after all that wait already; after those that are urgent only, if it is, too. */
  later(call: () => void, isUrgent: boolean = false): void {
    (isUrgent ? this.#urgent : this.#waiting).push(call);
    this.#schedule();
  }

  #reachLimit(): void {
    this.#schedule();
    this.isSpent = this.#left <= 0;
  }

  #setLimit(total: number): void {
    this.#left += total - this.#limit;
    this.#limit = total;
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    if (!this.#isBusy) {
      this.#isBusy = true;
      this.busyPeriods++;
    }
    this.#setLimit(this.#turnEnds);
    setImmediate(this.#endTurn);
  }

  readonly #endTurn = () => {
    // Unless sessions wait or the budget is spent, the loop polls by itself soon enough.
    const isBusy = this.isSpent || this.#urgent.length + this.#waiting.length > 0;
    if (!isBusy || this.total - this.#polledAt < this.perTurn / 2) return this.#nextTurn();
    this.#polledAt = this.total;
    this.#afterPoll(this.#nextTurn);
  };

  readonly #nextTurn = () => {
    this.#isScheduled = false;
    this.turns++;
    this.isSpent = false;
    this.#turnEnds = this.total + this.perTurn;
    this.#setLimit(this.total + Math.floor(this.perTurn * NEGLIGIBLE_SHARE) + 1);
    const [urgent, waiting] = [this.#urgent, this.#waiting];
    // What these calls add comes after them, in another turn.
    const [urgentDue, due] = [urgent, waiting].map(({ length }) => Math.min(length, CALLS_PER_TURN));
    let [urgentMade, made] = [0, 0];
    while (urgentMade < urgentDue && !this.isSpent) this.#make(urgent[urgentMade++]);
    // One of the others at least, or many that are urgent could keep them waiting for good.
    while (made < due && (made === 0 || !this.isSpent)) this.#make(waiting[made++]);
    this.#urgent = urgent.slice(urgentMade);
    this.#waiting = waiting.slice(made);
    if (this.#urgent.length + this.#waiting.length > 0) this.#schedule();
    else this.#isBusy = this.isSpent;
  };

  #make(call: () => void): void {
    try {
      call();
    } catch (error) {
      this.#failed(error);
    }
  }
}
