/**
 * The account of one consumer: what is dealt with, what is on its way to which session, what is to be delivered again.
 *
 * Every message after the position is in exactly one place: on its way to a session (`ConsumerMember`), in the backlog
 * (to be delivered again, or set aside), dealt with, or not delivered yet. So the position need not be kept for each ACK:
 * it comes before the lowest message that is on its way or to be delivered.
 *
 * @module
 */

import { SET_ASIDE_NOW } from "../../wire/sequences.ts";
import { ConsumerBacklog } from "./consumer_backlog.ts";
import type { ConsumerStats } from "./consumer_context.ts";
import type { ConsumerMember } from "./consumer_member.ts";
import { ConsumerMembers } from "./consumer_members.ts";
import type { ConsumerState } from "./log.ts";

/** See the module's comment. */
export class ConsumerAccount {
  readonly members = new ConsumerMembers();
  readonly backlog: ConsumerBacklog;
  /** The first message that was not delivered yet. */
  next: number;
  /** Messages that were not dealt with before they were gone. */
  lost = 0;
  /** Every message up to this one was dealt with when that was last looked for. */
  #position: number;
  /** What comes before is stored no longer, and is counted. */
  #first: number;

  /**
   * @param first the lowest sequence that is stored
   * @param time the time of day, in milliseconds since 1970
   * @param isNew whether the consumer begins now, so that nothing was lost to it
   */
  constructor({ position, setAside }: ConsumerState, first: number, time: () => number, isNew: boolean) {
    this.backlog = new ConsumerBacklog(setAside, time);
    this.#first = first;
    this.#position = Math.max(position, first - 1);
    this.next = this.#position + 1;
    if (isNew) return;
    this.lost = this.backlog.lose(0, Math.min(position, first - 1)) + this.#position - position;
    this.backlog.lose(position, first - 1);
  }

  /** Every message up to this one has been dealt with. */
  get position(): number {
    const from = Math.max(this.#position, this.#first - 1) + 1;
    let lowest = Math.min(this.next, this.backlog.lowestFrom(from));
    for (const { firsts, agains } of this.members.all) {
      lowest = Math.min(lowest, firsts.lowestFrom(from), agains.lowestFrom(from));
    }
    return this.#position = lowest - 1;
  }

  get stats(): Omit<ConsumerStats, "isPaused"> {
    const { due, delayed, setAside } = this.backlog;
    return {
      position: this.position,
      next: this.next,
      outstanding: this.members.all.reduce((count, { outstanding }) => count + outstanding, 0),
      due: due.count,
      delayed: delayed.count,
      setAside: setAside.count,
      lost: this.lost,
      sessions: this.members.all.length,
    };
  }

  /** The session has dealt with its first deliveries up to `upTo`. Returns how many they are. */
  ack(member: ConsumerMember, upTo: number): number {
    const late = this.backlog.due.extract(0, upTo, undefined, member.peer.number, 1);
    const count = member.firsts.removeUpTo(upTo) + late;
    this.members.freed(member);
    return count;
  }

  /** The session has dealt with what was delivered to it from `from` to `to`. Returns how many messages they are. */
  ackRange(member: ConsumerMember, from: number, to: number): number {
    const { firsts, agains, peer } = member;
    const count = firsts.extract(from, to) + agains.extract(from, to, this.backlog.dealtWith);
    this.members.freed(member);
    return count + this.backlog.acknowledge(from, to, peer.number);
  }

  /** The session has not dealt with a message. Returns whether it had it. */
  nak(member: ConsumerMember, sequence: number, delayMs: number, time: number): boolean {
    const { firsts, agains, peer } = member;
    let delivered = 0;
    const receive = (_from: number, _to: number, deliveries: number) => void (delivered = deliveries);
    firsts.extract(sequence, sequence, receive);
    agains.extract(sequence, sequence, receive);
    this.backlog.due.extract(sequence, sequence, receive, peer.number);
    if (delivered === 0) return false;
    this.members.freed(member);
    if (sequence < this.#first) return true;
    if (delayMs === SET_ASIDE_NOW) this.backlog.addSetAside(sequence, sequence, delivered, 0);
    else if (delayMs === 0) this.backlog.addDue(sequence, sequence, delivered, 0);
    else this.backlog.addDelayed(sequence, delivered, time);
    return true;
  }

  /** The session is gone: what it had is to be delivered again. */
  leave(member: ConsumerMember): void {
    this.members.remove(member);
    member.agains.extract(0, Infinity, this.#givenUp);
    member.firsts.extract(0, Infinity, this.#givenUp);
  }

  /** What was to be delivered again by `now` is due. Returns the next such time. */
  expire(now: number): number {
    let earliest = Infinity;
    for (const member of this.members.all) {
      const { firsts, agains } = member;
      if (firsts.earliest <= now) firsts.extractUntil(now, this.#expired);
      if (agains.earliest <= now) agains.extractUntil(now, this.#expired);
      this.members.freed(member);
      earliest = Math.min(earliest, firsts.earliest, agains.earliest);
    }
    this.backlog.expire(now);
    return Math.min(earliest, this.backlog.delayed.earliest);
  }

  /** What comes before `first` was removed. Returns whether that includes messages that were not delivered yet. */
  trimmed(first: number): boolean {
    if (first <= this.#first) return false;
    const last = first - 1;
    // It stays on its way to the sessions, whose windows it fills, but will not be delivered again.
    for (const { firsts, agains } of this.members.all) {
      this.lost += firsts.countWithin(this.#first, last) + agains.countWithin(this.#first, last);
    }
    this.#first = first;
    this.lost += this.backlog.lose(0, Math.min(last, this.next - 1));
    if (first <= this.next) return false;
    this.lost += first - this.next - this.backlog.countSkipped(this.next, last);
    this.lost += this.backlog.lose(this.next, last);
    this.next = first;
    return true;
  }

  /** The next message to be delivered is `sequence`: what is between is damaged. */
  skipTo(sequence: number): void {
    if (sequence <= this.next) return;
    this.lost += sequence - this.next - this.backlog.countSkipped(this.next, sequence - 1);
    this.next = sequence;
  }

  /** Messages that were delivered are damaged, or stored no longer. */
  lose(from: number, to: number): void {
    this.lost += this.backlog.lose(from, to);
  }

  /** It begins anew after `position`. What is set aside stays so. */
  reset(position: number): void {
    for (const member of this.members.all) {
      member.firsts.clear();
      member.agains.clear();
      this.members.freed(member);
    }
    this.backlog.reset();
    this.#position = position;
    this.next = position + 1;
  }

  readonly #expired = (from: number, to: number, deliveries: number, _time: number, owner: number) => {
    const first = Math.max(from, this.#first); // what comes before is counted as lost
    if (first <= to) this.backlog.addDue(first, to, deliveries, owner);
  };

  readonly #givenUp = (from: number, to: number, deliveries: number) => {
    this.#expired(from, to, deliveries, 0, 0);
  };
}
