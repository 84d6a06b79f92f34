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

/** Below this much work nothing is scheduled: what light turns leave adds up, and is forgotten when it gets here. */
const NEGLIGIBLE = WORK_PER_TURN / 8;

/** The budget of one server; see the module's comment. */
export class WorkBudget {
  readonly #failed: (error: unknown) => void;
  readonly #perTurn: number;
  #spent = 0;
  #isScheduled = false;
  /** Calls for the next turns, oldest first. */
  #waiting: (() => void)[] = [];

  /**
   * @param failed is told what a call threw; the calls behind it are made all the same
   * @param perTurn units of work in one turn: about one for each queue, tree node or entry that is touched
   */
  constructor(failed: (error: unknown) => void, perTurn: number = WORK_PER_TURN) {
    this.#failed = failed;
    this.#perTurn = perTurn;
  }

  /** Whether this turn's budget is spent. What can wait should wait; see `later`. */
  get isSpent(): boolean {
    return this.#spent >= this.#perTurn;
  }

  /** Counts work that was done. */
  spend(units: number): void {
    this.#spent += units;
    if (this.#spent > NEGLIGIBLE) this.#schedule();
  }

  /** Calls `call` in a later turn, after all that wait already. */
  later(call: () => void): void {
    this.#waiting.push(call);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(this.#nextTurn);
  }

  readonly #nextTurn = () => {
    this.#isScheduled = false;
    this.#spent = 0;
    const waiting = this.#waiting;
    let made = 0;
    // What these calls add comes after them, in another turn.
    for (const due = Math.min(waiting.length, CALLS_PER_TURN); made < due && !this.isSpent; made++) {
      try {
        waiting[made]();
      } catch (error) {
        this.#failed(error);
      }
    }
    this.#waiting = waiting.slice(made);
    if (this.#waiting.length > 0) this.#schedule();
  };
}
