/**
 * Reads from many busy connections in a fair order.
 *
 * The runtime finishes at most 128 operations per turn of the event loop, reads and writes together. The rest wait
 * until it polls the sockets again, and come back in the opposite order each time: of 500 busy connections a few are
 * served again and again, and the slowest percent waits a tenth of a second.
 *
 * So after a crowded turn, connections are read in rounds: each connection once, in the order in which they were
 * served last, one slice of them per turn. A slice is so small that its reads, and the writes that answer them, finish
 * in the turn that issues them. That is also the cheapest way, because an operation that finishes at once never enters
 * the runtime's queue. A connection that has received nothing yet does wait in that queue, and is served before the
 * next round begins. So are the writes to a thousand subscribers, which become fewer and larger thereby. Only connections
 * that have sent little wait no longer than `MAX_ROUND_GAP_MS` for those writes: a PING must not wait for a flood.
 *
 * @module
 */

import { setImmediate } from "node:timers";
import { CROWDED_OPERATIONS, SLICE_READERS, TURNS_TO_POLL } from "../limits.ts";
import { SocketPoll } from "./poll.ts";

/** How long connections that send little wait for turns that are not crowded: writes can make all turns crowded. */
export const MAX_ROUND_GAP_MS = 100;

/** If turns take longer than this together, the loop waits once, so that the sockets are polled. */
export const MAX_UNPOLLED_MS = 20;

/**
 * How long the runtime may have more operations to finish than it does in one turn. It finishes new ones before old ones,
 * so while work goes on and leads to more of them, such as writes to a thousand subscribers, a read waits for all of it.
 */
export const MAX_BEHIND_MS = 50;

/** The most polls in a row that finish operations and let no work be done: enough for those of 10,000 connections. */
const MAX_CATCH_UP_POLLS = 80;

/** A connection whose reads are scheduled. */
export interface Reader {
  /** Whether its last read brought little, so that another one costs little. */
  readonly isLight: boolean;
  /** Issues the next read. */
  read(): void;
}

/** Schedules the reads of one server's connections; see the module's comment. */
export class ReadScheduler {
  readonly #now: () => number;
  readonly #afterPoll: (call: () => void) => void;
  /** Readers that have been served and are ready to read again. */
  #next: Reader[] = [];
  /** The readers of this round; those from `#at` on have not read yet. */
  #round: Reader[] = [];
  #at = 0;
  #inRounds = false;
  /** Turns since the last one that was crowded, or had a slice. */
  #sinceCrowded = 0;
  /** Operations that finished in this turn of the event loop. */
  #finished = 0;
  /** Operations that finished, ever. */
  #finishedEver = 0;
  /** When a poll last finished fewer operations than it could, in milliseconds. */
  #caughtUpAt = 0;
  /** When the last round ended, in milliseconds. */
  #roundEndedAt = 0;
  /** When the sockets were last sure to be polled, in milliseconds. */
  #polledAt = 0;

  /**
   * @param now a clock in milliseconds that never goes back
   * @param poll makes a call once the sockets have been polled
   */
  constructor(
    now: () => number = () => performance.now(),
    poll: (call: () => void) => void = new SocketPoll().after,
  ) {
    this.#now = now;
    this.#afterPoll = poll;
  }

  /** Schedules the next read of `reader`, whose last read has finished and been processed. */
  readNext(reader: Reader): void {
    this.#next.push(reader);
    this.operationFinished();
  }

  /** Counts an operation that has finished in this turn. */
  operationFinished(): void {
    // All operations that finish in one turn are reported before the microtask runs.
    this.#finishedEver++;
    if (++this.#finished === 1) queueMicrotask(this.#endOfTurn);
  }

  /**
   * Makes `call`, which does work for connections, once the sockets have been polled; and if the runtime is behind for
   * `MAX_BEHIND_MS`, once it has finished what it has begun.
   */
  afterPoll(call: () => void, polls: number = MAX_CATCH_UP_POLLS): void {
    const before = this.#finishedEver;
    this.#afterPoll(() => {
      const now = this.#now();
      if (this.#finishedEver - before < CROWDED_OPERATIONS || polls === 1) this.#caughtUpAt = now;
      if (now - this.#caughtUpAt < MAX_BEHIND_MS) call();
      else this.afterPoll(call, polls - 1);
    });
  }

  readonly #endOfTurn = () => {
    const isCrowded = this.#finished >= CROWDED_OPERATIONS;
    this.#finished = 0;
    if (isCrowded) {
      this.#sinceCrowded = 0;
      if (!this.#inRounds) {
        this.#polledAt = this.#roundEndedAt = this.#now();
        setImmediate(this.#turn);
      }
      this.#inRounds = true;
    } else if (!this.#inRounds) {
      this.#beginRound();
      this.#readUpTo(this.#round.length);
    }
  };

  /** One turn of the event loop while reading in rounds. */
  readonly #turn = () => {
    if (this.#at === this.#round.length) {
      // What waits in the runtime's queue comes first.
      if (++this.#sinceCrowded >= TURNS_TO_POLL) {
        this.#beginRound();
        if (this.#round.length <= SLICE_READERS) this.#inRounds = false;
      } else if (this.#now() - this.#roundEndedAt >= MAX_ROUND_GAP_MS) {
        this.#beginLightRound();
        if (this.#round.length === 0) return this.#scheduleTurn();
      } else {
        return this.#scheduleTurn();
      }
    }
    this.#sinceCrowded = 0;
    this.#readUpTo(Math.min(this.#at + SLICE_READERS, this.#round.length));
    if (this.#at === this.#round.length) this.#roundEndedAt = this.#now();
    if (this.#inRounds) this.#scheduleTurn();
  };

  #scheduleTurn(): void {
    const now = this.#now();
    if (now - this.#polledAt < MAX_UNPOLLED_MS) {
      setImmediate(this.#turn);
      return;
    }
    // Turns are long, because sessions do much work: after 61 of them, connections would have waited for too long.
    this.#polledAt = now;
    this.#afterPoll(this.#turn);
  }

  #beginRound(): void {
    const served = this.#round; // kept for its memory
    served.length = 0;
    this.#round = this.#next;
    this.#next = served;
    this.#at = 0;
  }

  /** Begins a round of the light readers alone. The others go on waiting until turns are not crowded. */
  #beginLightRound(): void {
    const waiting = this.#next;
    this.#round = waiting.filter(({ isLight }) => isLight);
    this.#next = waiting.filter(({ isLight }) => !isLight);
    this.#at = 0;
    this.#roundEndedAt = this.#now();
  }

  #readUpTo(end: number): void {
    while (this.#at < end) this.#round[this.#at++].read();
  }
}
