/**
 * What a server counts of its sessions. Counting costs a few additions for each run of messages, none for each message,
 * and allocates nothing.
 *
 * What sessions and channels count of themselves stands with them, so totals are sums that are made when they are asked
 * for. Here is what sessions that ended leave behind, and what belongs to no single session.
 *
 * @module
 */

import { REMEMBERED_REFUSALS } from "../limits.ts";
import { Refusals } from "./refusals.ts";

/** What went through a session, or through all of them. Messages are MESSAGE, REQUEST and REPLY frames. */
export interface Traffic {
  /** Messages that came from the client. */
  messagesIn: number;
  /** Messages that were sent to it. */
  messagesOut: number;
  /** Bytes of all frames that were taken from it. */
  bytesIn: number;
  /** Bytes that were written to it. */
  bytesOut: number;
}

/** What was sent on one channel; see `Channel.settle`. */
export class ChannelCounts {
  messagesIn = 0;
  messagesOut = 0;
  bytesIn = 0;
  /** Messages that no session received. */
  unheard = 0;
  /** Messages a second that came in, and how many had when that was last measured; see `lib/monitor/rates.ts`. */
  rate = 0;
  measured = 0;

  /**
   * `count` messages of together `bytes` came in. Each was sent to `receivers` sessions, and besides `shared` messages were
   * sent to members of groups.
   */
  add(count: number, bytes: number, receivers: number, shared: number = 0): void {
    this.messagesIn += count;
    this.bytesIn += bytes;
    this.messagesOut += count * receivers + shared;
    if (receivers + shared === 0) this.unheard += count;
  }
}

/** What became of requests. */
export interface RequestCounts {
  asked: number;
  answered: number;
  /** Answered by an ERROR other than that of a time that is over. */
  refused: number;
  /** Not answered in time. */
  late: number;
}

/** Publishers that wait for a session or for the store. */
export class HeldBack {
  /** How many wait now. */
  now = 0;
  /** How often one had to wait. */
  times = 0;
  /** How long those waited that wait no longer, in milliseconds. */
  #ended = 0;
  /** The sum of the times since which those wait that wait now. */
  #since = 0;
  readonly #clock: () => number;

  /** @param clock in milliseconds, never goes back */
  constructor(clock: () => number) {
    this.#clock = clock;
  }

  /** How long publishers have waited, those that wait now included, in milliseconds. */
  get ms(): number {
    return this.#ended + (this.now === 0 ? 0 : this.now * this.#clock() - this.#since);
  }

  /** A publisher begins to wait. Returns the time. */
  begin(): number {
    const time = this.#clock();
    this.now++;
    this.times++;
    this.#since += time;
    return time;
  }

  /** A publisher that has waited since `since` does not wait any more. */
  end(since: number): void {
    this.now--;
    this.#since -= since;
    this.#ended += this.#clock() - since;
  }

  /** How long a publisher has waited that began to at `since`, in milliseconds. */
  since(since: number): number {
    return this.#clock() - since;
  }
}

/** The counters of one server. */
export class Counters {
  /** Of sessions that have ended. */
  readonly ended: Traffic = { messagesIn: 0, messagesOut: 0, bytesIn: 0, bytesOut: 0 };
  readonly requests: RequestCounts = { asked: 0, answered: 0, refused: 0, late: 0 };
  readonly refusals: Refusals = new Refusals(REMEMBERED_REFUSALS);
  readonly heldBack: HeldBack;
  /** Messages on channels that had no subscriber. */
  unheard = 0;
  slowConsumers = 0;
  /** Tokens that were given and not accepted. */
  rejectedTokens = 0;

  /** @param now a clock in milliseconds that never goes back */
  constructor(now: () => number) {
    this.heldBack = new HeldBack(now);
  }

  /** A request was refused at once. */
  requestRefused(): void {
    this.requests.asked++;
    this.requests.refused++;
  }
}
