/**
 * The messages of a consumer that were delivered, are not dealt with, and are not on their way to a session: those that
 * are due to be delivered again, those that wait for the time of a NAK, and those that are set aside.
 *
 * @module
 */

import { MAX_DELAYED, MAX_SET_ASIDE } from "../../limits.ts";
import type { Which } from "./consumer_context.ts";
import { type SpanReceiver, Spans } from "./consumer_spans.ts";
import type { SetAside } from "./log.ts";

/** See the module's comment. */
export class ConsumerBacklog {
  /** To be delivered again. The owner is the session that had it last, if its ACK still counts. */
  readonly due = new Spans();
  /** To be delivered again at their time. */
  readonly delayed = new Spans();
  /** Not delivered until an operator gives them back. Their time is the time of day at which they were set aside. */
  readonly setAside = new Spans();
  /**
   * Given back by an operator, and not dealt with yet. Their deliveries and their time are those of when they were set
   * aside. The limit of deliveries counts from there.
   */
  readonly givenBack = new Spans();
  /** Given up by an operator after a restart, and not delivered since: the first delivery passes over them. */
  readonly #dropped = new Spans();
  /** How often a message may be delivered before it is set aside; 0 for no limit. */
  limit = 0;
  readonly #time: () => number;
  /** What is stored of `setAside` and `givenBack`, until they change. */
  #list: readonly SetAside[] | undefined;

  /** @param time the time of day, in milliseconds since 1970 */
  constructor(setAside: readonly SetAside[], time: () => number) {
    this.#time = time;
    for (const { sequence, deliveries, since } of setAside) {
      this.setAside.add(sequence, sequence, deliveries, since, 0);
    }
  }

  /** Whether it has as much as it may, so that nothing should be delivered. */
  get isFull(): boolean {
    return this.delayed.count >= MAX_DELAYED || this.setAside.count >= MAX_SET_ASIDE;
  }

  /** How many ranges it has. */
  get ranges(): number {
    return this.due.length + this.delayed.length + this.setAside.length;
  }

  /** The lowest sequence from `sequence` on that is to be delivered again, now or later. */
  lowestFrom(sequence: number): number {
    return Math.min(this.due.lowestFrom(sequence), this.delayed.lowestFrom(sequence));
  }

  /** The lowest sequence from `sequence` on, of those not delivered yet, that is not to be delivered. */
  lowestSkipped(sequence: number): number {
    return Math.min(this.setAside.lowestFrom(sequence), this.#dropped.lowestFrom(sequence));
  }

  /** How many of the messages from `from` to `to`, which were not delivered yet, are not to be. */
  countSkipped(from: number, to: number): number {
    return this.setAside.countWithin(from, to) + this.#dropped.countWithin(from, to);
  }

  /** Messages are to be delivered again, at once: those that were delivered too often are set aside. */
  addDue(from: number, to: number, deliveries: number, owner: number): void {
    if (from < to && this.givenBack.countWithin(from, to) > 0) { // each has a limit of its own
      for (let sequence = from; sequence <= to; sequence++) {
        this.addDue(sequence, sequence, deliveries, owner);
      }
    } else if (!this.#setAsideAtLimit(from, to, deliveries, owner)) {
      this.due.add(from, to, deliveries, 0, owner);
    }
  }

  /** A message is to be delivered again at `time`: if it was delivered too often it is set aside. */
  addDelayed(sequence: number, deliveries: number, time: number): void {
    if (this.#setAsideAtLimit(sequence, sequence, deliveries, 0)) return;
    this.delayed.add(sequence, sequence, deliveries, time, 0);
  }

  /** Sets messages aside. */
  addSetAside(from: number, to: number, deliveries: number, owner: number): void {
    this.givenBack.extract(from, to);
    this.setAside.add(from, to, deliveries, this.#time(), owner);
    this.#list = undefined;
  }

  /** What was delayed until `now` is due. */
  expire(now: number): void {
    if (this.delayed.earliest > now) return;
    this.delayed.extractUntil(now, (from, to, deliveries) => this.due.add(from, to, deliveries, 0, 0));
  }

  /** The session `owner` has dealt with messages that are no longer on their way to it. Returns how many. */
  acknowledge(from: number, to: number, owner: number): number {
    const taken = this.setAside.extract(from, to, undefined, owner);
    if (taken > 0) this.#list = undefined;
    return taken + this.due.extract(from, to, this.dealtWith, owner);
  }

  /** Messages are dealt with: were they given back, that is over. */
  readonly dealtWith = (from: number, to: number): void => {
    if (this.givenBack.extract(from, to) > 0) this.#list = undefined;
  };

  /**
   * Messages that were set aside are to be delivered again, at once. Returns how many.
   *
   * @param next the first message that was not delivered yet
   */
  giveBack(which: Which, next: number): number {
    return this.#take(which, (from, to, deliveries, since) => {
      const end = Math.min(to, next - 1);
      if (from > end) return; // it will be delivered with what was not delivered yet
      this.due.add(from, end, deliveries, 0, 0);
      this.givenBack.add(from, end, deliveries, since, 0);
    });
  }

  /** Gives up messages that were set aside. Returns how many. See {@linkcode giveBack}. */
  drop(which: Which, next: number): number {
    return this.#take(which, (from, to) => {
      if (to >= next) this.#dropped.add(Math.max(from, next), to, 0, 0, 0);
    });
  }

  /** Messages are stored no longer. Returns how many of them were here. */
  lose(from: number, to: number): number {
    this.dealtWith(from, to);
    this.#dropped.extract(from, to);
    const setAside = this.setAside.extract(from, to);
    if (setAside > 0) this.#list = undefined;
    return setAside + this.due.extract(from, to) + this.delayed.extract(from, to);
  }

  /** Nothing is to be delivered again: what was given back is set aside again. */
  reset(): void {
    this.due.clear();
    this.delayed.clear();
    this.#dropped.clear();
    this.givenBack.forEach((from, to, deliveries, since) =>
      this.setAside.add(from, to, deliveries, since, 0)
    );
    this.givenBack.clear();
    this.#list = undefined;
  }

  /**
   * What is to be stored of messages that were set aside: the same list until it changes. One that was given back stays
   * in it until it is dealt with, because it would not be delivered again after a restart.
   */
  get stored(): readonly SetAside[] {
    if (this.#list !== undefined) return this.#list;
    const list: SetAside[] = [];
    for (const spans of [this.setAside, this.givenBack]) spans.forEach(appendTo(list));
    return this.#list = list.sort((a, b) => a.sequence - b.sequence);
  }

  /** What is set aside, lowest sequence first. */
  listSetAside(): SetAside[] {
    const list: SetAside[] = [];
    this.setAside.forEach(appendTo(list));
    return list;
  }

  #take(which: Which, receive: SpanReceiver): number {
    this.#list = undefined;
    if (which === "all") return this.setAside.extract(0, Infinity, receive);
    return this.setAside.extract(which, which, receive);
  }

  #setAsideAtLimit(from: number, to: number, deliveries: number, owner: number): boolean {
    if (this.limit === 0) return false;
    const index = this.givenBack.search(from);
    const isGivenBack = index < this.givenBack.length && this.givenBack.from(index) <= from;
    const before = isGivenBack ? this.givenBack.deliveries(index) : 0;
    if (deliveries - before < this.limit) return false;
    this.addSetAside(from, to, deliveries, owner);
    return true;
  }
}

/** Appends each message to `list`. */
function appendTo(list: SetAside[]): (from: number, to: number, deliveries: number, since: number) => void {
  return (from, to, deliveries, since) => {
    for (let sequence = from; sequence <= to; sequence++) list.push({ sequence, deliveries, since });
  };
}
