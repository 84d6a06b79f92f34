/**
 * A fair order among connections that all have something to say.
 *
 * The runtime finishes at most 128 operations a turn of its loop, reads and writes together. Those beyond wait until
 * it polls the sockets again, and come back in the opposite order each time: with 500 busy connections a few are served
 * without end, and the slowest in a hundred waits a tenth of a second.
 *
 * So once a turn was crowded, connections are read from in rounds: everybody once, in the order in which they were
 * served last, a slice at a time. A slice is small enough for all its reads and the writes that answer them to be done
 * in the very turn that issues them, which is also the cheapest way: what is done at once never waits in the runtime's
 * queue. Who had nothing to say yet does wait there, and is served before the next round begins; so are the writes to
 * a thousand subscribers, which become fewer and larger by it.
 *
 * @module
 */

import { setImmediate } from "node:timers";
import { CROWDED_OPERATIONS, SLICE_READERS, TURNS_TO_POLL } from "../limits.ts";

/** Whoever reads in turns. */
export interface Reader {
  /** Issues the next read. */
  read(): void;
}

/** The turns of one server's connections. */
export class ReadScheduler {
  /** Who has been served and wants to read again. */
  #next: Reader[] = [];
  /** Who reads in this round, and from where on they still have to. */
  #round: Reader[] = [];
  #at = 0;
  #inRounds = false;
  /** Turns since the last one that was crowded, or had a slice. */
  #sinceCrowded = 0;
  /** Operations that finished in this turn of the loop. */
  #finished = 0;

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
    this.#finished = 0;
    if (isCrowded) {
      this.#sinceCrowded = 0;
      if (!this.#inRounds) setImmediate(this.#turn);
      this.#inRounds = true;
    } else if (!this.#inRounds) {
      this.#beginRound();
      this.#readUpTo(this.#round.length);
    }
  };

  /** One turn of the loop while there are rounds. */
  readonly #turn = () => {
    if (this.#at === this.#round.length) {
      // Whoever waits in the runtime's queue comes first.
      if (++this.#sinceCrowded < TURNS_TO_POLL) {
        setImmediate(this.#turn);
        return;
      }
      this.#beginRound();
      if (this.#round.length <= SLICE_READERS) this.#inRounds = false;
    }
    this.#sinceCrowded = 0;
    this.#readUpTo(Math.min(this.#at + SLICE_READERS, this.#round.length));
    if (this.#inRounds) setImmediate(this.#turn);
  };

  #beginRound(): void {
    const served = this.#round; // kept for its memory
    served.length = 0;
    this.#round = this.#next;
    this.#next = served;
    this.#at = 0;
  }

  #readUpTo(end: number): void {
    while (this.#at < end) this.#round[this.#at++].read();
  }
}
