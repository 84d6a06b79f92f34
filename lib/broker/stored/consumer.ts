/**
 * A consumer of a durable channel: sessions that share its messages, each of which is delivered until it is dealt with.
 *
 * `ConsumerAccount` knows what has become of each message. `Consumer` reads and delivers, and keeps the time.
 *
 * @module
 */

import { CONSUMER_STATE_MS } from "../../limits.ts";
import type { Peer } from "../peer.ts";
import { ConsumerAccount } from "./consumer_account.ts";
import type {
  ConsumerContext,
  ConsumerOptions,
  ConsumerSource,
  ConsumerStats,
  Which,
} from "./consumer_context.ts";
import { ConsumerMember } from "./consumer_member.ts";
import type { ConsumerMembers } from "./consumer_members.ts";
import { ReadAhead } from "./consumer_read_ahead.ts";
import { ConsumerRedelivery } from "./consumer_redelivery.ts";
import { ConsumerTimer } from "./consumer_timer.ts";
import { Cursor, type CursorReceiver, skipMessages } from "./cursor.ts";
import type { ConsumerState, SetAside, StoredRun } from "./log.ts";

/** Ranges that are moved for one unit of work. */
const RANGES_PER_UNIT = 128;

/** See the module's comment. */
export class Consumer implements CursorReceiver {
  /** Subject and name. */
  readonly key: string;
  readonly cursor: Cursor;
  readonly #source: ConsumerSource;
  readonly #context: ConsumerContext;
  readonly #account: ConsumerAccount;
  readonly #ahead: ReadAhead;
  readonly #redelivery: ConsumerRedelivery;
  readonly #timer: ConsumerTimer;
  #ackMs = 0;
  #isPaused: boolean;
  #isEnded = false;
  /** What was last handed out to be stored. */
  #stored: ConsumerState | undefined;
  /** When the state is to be stored. */
  #storeAt = Infinity;

  /** @param isNew whether the log does not know it yet */
  constructor(state: ConsumerState, source: ConsumerSource, context: ConsumerContext, isNew: boolean) {
    this.key = state.consumer;
    this.#source = source;
    this.#context = context;
    this.#isPaused = state.isPaused;
    const account = new ConsumerAccount(state, source.first, context.time, isNew);
    this.#account = account;
    this.#ahead = new ReadAhead(source, context.readAhead);
    this.cursor = new Cursor(this.#ahead, account.next, this);
    this.#redelivery = new ConsumerRedelivery(account.members, account.backlog.due, source, context, {
      mayDeliver: () => this.mayDeliver,
      until: () => this.#until(),
      lose: (from, to) => {
        this.#account.lose(from, to);
        this.#storeSoon(); // what was dealt with behind it counts now
      },
      done: this.#goOn,
      failed: (error) => source.readFailed(error, { wake: this.#goOn }),
    });
    this.#timer = new ConsumerTimer(context, (now) => this.#tick(now));
    if (isNew) this.#store();
  }

  /** Whether its channel was deleted, or it was itself. */
  get isEnded(): boolean {
    return this.#isEnded;
  }

  /** What an operator is told of it. */
  get stats(): ConsumerStats {
    return { ...this.#account.stats, isPaused: this.#isPaused };
  }

  /** How many messages it has yet to deal with. */
  get lag(): number {
    const { first, last } = this.#source;
    return last - Math.max(this.#account.position, first - 1);
  }

  /** Its sessions. */
  get members(): ConsumerMembers {
    return this.#account.members;
  }

  /** The session `peer` is this consumer from now on, or stays it with other options. */
  open(peer: Peer, { window, exclusive, ackSeconds, deliveries }: ConsumerOptions): void {
    const { members, backlog } = this.#account;
    let member = members.get(peer);
    if (member === undefined) {
      member = new ConsumerMember(peer, this.#source, (member) => {
        members.freed(member);
        this.#context.budget.later(this.#goOn);
      });
      members.add(member);
    }
    member.window = window;
    members.isExclusive = exclusive;
    members.freed(member);
    backlog.limit = deliveries;
    this.#ackMs = ackSeconds * 1000;
    this.#goOn();
  }

  /** The session `peer` ended, or has left the channel: what it has not acknowledged is delivered again. */
  leave(peer: Peer): void {
    const member = this.#account.members.get(peer);
    if (member === undefined) return;
    this.#spend(member);
    this.#account.leave(member);
    this.#storeAndGoOn();
  }

  /** The session has dealt with everything up to `upTo` that was delivered to it for the first time. */
  ack(peer: Peer, upTo: number): void {
    const member = this.#account.members.get(peer);
    if (member !== undefined && this.#account.ack(member, upTo) > 0) this.#progress();
  }

  /** The session has dealt with what was delivered to it from `from` to `to`. */
  ackRange(peer: Peer, from: number, to: number): void {
    const member = this.#account.members.get(peer);
    if (member === undefined) return;
    this.#spend(member);
    if (this.#account.ackRange(member, from, to) > 0) this.#progress();
  }

  /**
   * The session has not dealt with a message: it is to be delivered again after `delayMs`, or set aside now if that is
   * `SET_ASIDE_NOW`.
   */
  nak(peer: Peer, sequence: number, delayMs: number): void {
    const member = this.#account.members.get(peer);
    if (member === undefined) return;
    this.#spend(member);
    const time = this.#timer.timeAfter(delayMs);
    if (!this.#account.nak(member, sequence, delayMs, time)) return;
    this.#timer.arm(this.#account.backlog.delayed.earliest);
    this.#progress();
  }

  /** The session still works on what was delivered to it for the first time up to `upTo`. */
  renew(peer: Peer, upTo: number): void {
    this.#account.members.get(peer)?.firsts.setTime(0, upTo, this.#until());
  }

  /** The session still works on what was delivered to it from `from` to `to`. */
  renewRange(peer: Peer, from: number, to: number): void {
    const member = this.#account.members.get(peer);
    if (member === undefined) return;
    this.#spend(member);
    const until = this.#until();
    member.firsts.setTime(from, to, until);
    member.agains.setTime(from, to, until);
  }

  /** Sends the sessions what its cursor has come to. */
  take(run: StoredRun, offset: number, sequence: number): number {
    const { members, backlog } = this.#account;
    this.#account.skipTo(sequence);
    if (!this.mayDeliver || backlog.due.length > 0 || !members.hasFree) return 0;
    const end = run.first + run.count;
    const until = this.#until();
    let at = offset;
    let next = sequence;
    while (next < end) {
      const stop = Math.min(end, backlog.lowestSkipped(next));
      if (stop === next) {
        at = skipMessages(run.bytes, at, 1);
        next++;
        continue;
      }
      next += members.deliver(run, at, next, stop, until);
      at = members.offset;
      if (next < stop) break;
    }
    this.#account.next = next;
    if (next < end) this.#ahead.cut(run, at, next);
    return next - sequence;
  }

  /** To be called once a second. */
  sweep(now: number): void {
    this.#ahead.sweep();
    this.#redelivery.sweep();
    this.#timer.check(now);
  }

  /**
   * Retention removed what comes before `first`. What was not dealt with is lost to the consumer. Nothing need be stored:
   * a consumer begins with what is there.
   */
  trimmed(first: number): void {
    if (this.#account.trimmed(first)) this.cursor.seek(first);
    this.#goOn();
  }

  /** An operator has it go on after the sequence `position`. What was set aside stays so. */
  reset(position: number): void {
    this.#account.reset(Math.min(Math.max(position, this.#source.first - 1), this.#source.last));
    this.cursor.seek(this.#account.next);
    this.#store();
  }

  /** An operator has it deliver nothing until `resume`. */
  pause(): void {
    this.#isPaused = true;
    this.#store();
  }

  /** See {@linkcode Consumer.pause}. */
  resume(): void {
    this.#isPaused = false;
    this.#storeAndGoOn();
  }

  /** The messages that are set aside, lowest sequence first. */
  setAsideMessages(): SetAside[] {
    return this.#account.backlog.listSetAside();
  }

  /** An operator has messages delivered again that were set aside. Returns how many. */
  giveBack(which: Which): number {
    return this.#operated(this.#account.backlog.giveBack(which, this.#account.next));
  }

  /** An operator gives up messages that were set aside. Returns how many. */
  drop(which: Which): number {
    return this.#operated(this.#account.backlog.drop(which, this.#account.next));
  }

  /** The channel was deleted, or the consumer: it does nothing any more. */
  end(): void {
    this.#isEnded = true;
    this.cursor.stop();
    this.#timer.stop();
    this.#ahead.drop();
    this.#redelivery.drop();
  }

  /** What is to be stored of it. */
  takeState(): ConsumerState {
    const { position, backlog } = this.#account;
    const { number: channel } = this.#source;
    const { key: consumer } = this;
    return this.#stored = { channel, consumer, position, isPaused: this.#isPaused, setAside: backlog.stored };
  }

  /** Whether anything may be delivered: it is not paused, and not too much is set aside. */
  get mayDeliver(): boolean {
    return !this.#isPaused && !this.#isEnded && !this.#account.backlog.isFull;
  }

  /** When what is sent now is to be delivered again. */
  #until(): number {
    const until = this.#timer.timeAfter(this.#ackMs);
    this.#timer.arm(until);
    return until;
  }

  /** Delivers what may be delivered: what is due first. */
  readonly #goOn = () => {
    if (!this.mayDeliver || !this.#account.members.hasFree) return;
    if (this.#account.backlog.due.length > 0) this.#redelivery.run();
    else this.cursor.wake();
  };

  #tick(now: number): void {
    const next = this.#account.expire(now);
    if (this.#storeAt <= now) {
      const { position, backlog } = this.#account;
      if (position !== this.#stored?.position || backlog.stored !== this.#stored.setAside) this.#store();
      else this.#storeAt = Infinity;
    }
    this.#timer.arm(Math.min(next, this.#storeAt));
    this.#goOn();
  }

  /** Messages are off their session's window, so others may follow. */
  #progress(): void {
    this.#storeSoon();
    this.#goOn();
  }

  #operated(count: number): number {
    if (count > 0) this.#storeAndGoOn();
    return count;
  }

  #storeAndGoOn(): void {
    this.#store();
    this.#goOn();
  }

  #store(): void {
    this.#storeAt = Infinity;
    this.#context.changed(this);
  }

  #storeSoon(): void {
    if (this.#storeAt !== Infinity) return;
    this.#storeAt = this.#context.now() + CONSUMER_STATE_MS;
    this.#timer.arm(this.#storeAt);
  }

  /** Counts work: of a list with many ranges, a part is moved when one is split. */
  #spend(member: ConsumerMember): void {
    const ranges = member.ranges + this.#account.backlog.ranges;
    this.#context.budget.spend(Math.floor(ranges / RANGES_PER_UNIT));
  }
}
