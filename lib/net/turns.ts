/**
 * A fair order among connections that all have something to say.
 *
 * The runtime finishes at most 128 operations a turn of its loop, reads and writes together, and a read that is issued
 * again at once is among the first to finish again: with 500 busy connections a few are served without end, and the
 * slowest in a hundred waits a tenth of a second. So while turns are crowded, who has been served is not read from
 * again until there is a turn that is not, which means that everybody who was ready has had theirs.
 *
 * @module
 */

import { CROWDED_OPERATIONS } from "../limits.ts";

/** Whoever reads in turns. */
export interface Reader {
  /** Issues the next read. */
  read(): void;
}

/** The turns of one server's connections. */
export class Turns {
  /** Who reads next, and the list that was used before, kept for its memory. */
  #next: Reader[] = [];
  #spare: Reader[] = [];
  /** Operations that finished in this turn of the loop, and since the timer was set. */
  #finished = 0;
  #sinceTimer = 0;
  #isTimerSet = false;

  /** A read of `reader` has finished and been dealt with: lets it read again when it is its turn. */
  readNext(reader: Reader): void {
    this.#next.push(reader);
    this.operationFinished();
  }

  /** Some operation has finished, which made this turn longer. */
  operationFinished(): void {
    // Those that finished in the same turn are all handed over before the microtask runs.
    if (++this.#finished === 1) queueMicrotask(this.#endOfTurn);
  }

  readonly #endOfTurn = () => {
    const isCrowded = this.#finished >= CROWDED_OPERATIONS;
    this.#sinceTimer += this.#finished;
    this.#finished = 0;
    if (!isCrowded) this.#readAll();
    else if (!this.#isTimerSet) this.#setTimer();
  };

  /** There need not be another turn: everybody may be waiting for us. A turn takes less than the timer does. */
  #setTimer(): void {
    this.#isTimerSet = true;
    this.#sinceTimer = 0;
    setTimeout(this.#timerFired, 0);
  }

  readonly #timerFired = () => {
    this.#isTimerSet = false;
    if (this.#next.length === 0) return;
    if (this.#sinceTimer >= CROWDED_OPERATIONS) this.#setTimer();
    else this.#readAll();
  };

  #readAll(): void {
    const readers = this.#next;
    this.#next = this.#spare;
    for (let i = 0; i < readers.length; i++) readers[i].read();
    readers.length = 0;
    this.#spare = readers;
  }
}
