/**
 * Routes messages between sessions. This is the server's only fan-out.
 *
 * Every message is passed on byte for byte, as a slice of the chunk it came in. Each method first makes sure that all
 * receiving sessions have room. If one has none, nothing is sent, `waiter` is registered with its outbox, and the
 * caller must offer the same bytes again when it is called. So a session that does not read holds its publishers back,
 * and costs no more memory than its outbox may.
 *
 * @module
 */

import { CHANNELS_PER_SETTLE, HEADER_BYTES, type Limits, MAX_NUMBER } from "../limits.ts";
import { countFrames, INBOX, u32 } from "../wire/header.ts";
import type { Channel } from "./channel.ts";
import { Channels } from "./channels.ts";
import { Counters } from "./counters.ts";
import type { Outbox, Peer } from "./peer.ts";
import { Requests } from "./requests.ts";
import { EVEN_IF_FULL, type Rotation } from "./rotation.ts";
import type { Receiver } from "./route.ts";
import type { StoredChannels } from "./stored/stored_channels.ts";
import { Work, type WorkBudget } from "./work_budget.ts";

/** Routes messages between the sessions of one server. */
export class Router {
  /** The channels of this server. */
  readonly channels: Channels;
  /** What the server counts. */
  readonly counters: Counters;
  /** The requests between its sessions. */
  readonly requests: Requests;
  readonly #peers = new Map<number, Peer>();
  readonly #budget: WorkBudget;
  /** Channels on which something was passed on that is not counted yet; some more than once. */
  #active: Channel[] = [];
  /** How many messages `#publishToGroups` has sent. */
  #sends = 0;
  #lastNumber: number;

  /**
   * @param now a clock in milliseconds that never goes back
   * @param firstNumber the number of the first session, 1 to `MAX_NUMBER`
   * @param stored the channels that are stored, if any are
   */
  constructor(
    limits: Pick<Limits, "requests" | "requestMs">,
    now: () => number,
    budget: WorkBudget,
    firstNumber: number = 1,
    stored?: StoredChannels,
  ) {
    this.#lastNumber = firstNumber - 1;
    this.#budget = budget;
    this.counters = new Counters(now);
    this.channels = new Channels(budget, stored, this.counters.ended);
    stored?.attach({
      open: (name) => this.channels.open(name),
      releaseName: (name) => this.channels.releaseName(name),
      session: (number) => this.find(number),
    });
    stored?.sessionsGiven(this.#lastNumber);
    this.requests = new Requests(limits, now, budget, this.counters.requests);
  }

  /** A number for a new session. It has not been given out for as long as it takes to give out all others. */
  nextNumber(): number {
    do this.#lastNumber = this.#lastNumber % MAX_NUMBER + 1; while (this.#peers.has(this.#lastNumber));
    return this.#lastNumber;
  }

  /** A session is established: its inbox exists from now on. */
  join(peer: Peer): void {
    this.#peers.set(peer.number, peer);
  }

  /** A session has ended: its inbox is gone, and the sessions that wait for its replies are told. */
  leave(peer: Peer): void {
    this.#peers.delete(peer.number);
    this.requests.abandon(peer);
  }

  /** The channels on which something was passed on that is not counted yet. Each must be settled. */
  takeActive(): Channel[] {
    const active = this.#active;
    this.#active = [];
    return active;
  }

  /** Counts what was passed on, of so many channels as one turn of the event loop has time for. To be called once a second. */
  settle(): void {
    for (const channel of this.#active.splice(0, CHANNELS_PER_SETTLE)) channel.settle();
  }

  /** Drops what is no longer needed, and ends requests that have waited too long. To be called once a second. */
  sweep(): void {
    this.channels.sweep();
    this.requests.sweep();
    this.channels.stored?.sessionsGiven(this.#lastNumber);
    this.channels.stored?.sweep();
  }

  /**
   * Passes the run `bytes[start, end)` of `count` messages to all sessions that are subscribed to `channel`.
   *
   * Costs a copy for each subscriber at most, whatever the number of messages. Only members of groups get theirs one by
   * one, and not more of them than this turn's work budget allows.
   *
   * @returns the offset up to which the run was passed on: `end`; `start` if `waiter` will be called; or in between if
   * the budget is spent
   */
  publish(
    channel: Channel,
    from: Peer,
    bytes: Uint8Array,
    start: number,
    end: number,
    count: number,
    waiter: () => void,
  ): number {
    const { only } = channel.route;
    // The way of most runs is kept short, so that it is compiled as one piece.
    if (only === undefined || channel.announcements.length > 0) {
      return this.#publishToMany(channel, from, bytes, start, end, count, waiter);
    }
    this.#budget.spend(Work.RUN);
    if (!only.hasRoom(end - start)) {
      waitFor(only, waiter);
      return start;
    }
    only.send(bytes, start, end);
    if (channel.passedOn(count, end - start)) this.#active.push(channel);
    return end;
  }

  /** As `publish`, to any number of sessions. */
  #publishToMany(
    channel: Channel,
    from: Peer,
    bytes: Uint8Array,
    start: number,
    end: number,
    count: number,
    waiter: () => void,
  ): number {
    const { all, groups } = channel.route;
    if (groups.length > 0 || channel.announcements.length > 0 || all.length === 0) {
      return this.#publishWithGroups(channel, from, bytes, start, end, count, waiter);
    }
    this.#budget.spend(Work.RUN + all.length * Work.SEND);
    if (!haveRoom(all, from, end - start, waiter)) return start;
    for (let i = 0; i < all.length; i++) {
      const { peer, echo } = all[i];
      if (echo || peer !== from) peer.outbox.send(bytes, start, end);
      else this.#missed(channel, from, count);
    }
    if (channel.passedOn(count, end - start)) this.#active.push(channel);
    return end;
  }

  /** The sender of `count` messages is subscribed, but does not receive its own. */
  #missed({ settledCounts, route }: Channel, from: Peer, count: number): void {
    settledCounts.messagesOut -= count; // `settle` will count it as all others
    from.messagesOut -= count;
    if (route.all.length > 1) return;
    settledCounts.unheard += count;
    this.counters.unheard += count;
  }

  /** As `publish`, to groups as well, to sessions that must be told the number of the channel first, or to nobody. */
  #publishWithGroups(
    channel: Channel,
    from: Peer,
    bytes: Uint8Array,
    start: number,
    end: number,
    count: number,
    waiter: () => void,
  ): number {
    const { all, groups } = channel.route;
    const size = end - start;
    this.#budget.spend(Work.RUN + (all.length + groups.length) * Work.SEND);
    // Announcements come first: they take room that the run must not count on.
    let room = channel.announcements.length === 0 || this.#announce(channel, waiter);
    if (!haveRoom(all, from, size, waiter)) room = false;
    for (const group of groups) {
      if (group.hasRoom(from, size)) continue;
      group.whenRoom(from, size, waiter, false);
      room = false;
    }
    if (!room) return start;
    const passed = this.#publishToGroups(channel, groups, from, bytes, start, end, count);
    const messages = passed === end ? count : countFrames(bytes, start, passed);
    const sharedSends = this.#sends;
    let receivers = 0;
    for (const { peer, echo } of all) {
      if (!echo && peer === from) continue;
      peer.outbox.send(bytes, start, passed);
      peer.messagesOut += messages;
      receivers++;
    }
    channel.settledCounts.add(messages, passed - start, receivers, sharedSends);
    if (receivers + sharedSends === 0) this.counters.unheard += messages;
    return passed;
  }

  /** Tells sessions that a pattern subscribes to `channel` its number. Returns whether all of them had room. */
  #announce(channel: Channel, waiter: () => void): boolean {
    const { announcements } = channel;
    let room = true;
    for (const { peer, frame } of announcements) {
      if (!peer.outbox.hasRoom(frame.length)) room = waitFor(peer.outbox, waiter);
    }
    if (!room) return false;
    this.#budget.spend(announcements.length * Work.SEND);
    for (const { peer, frame } of announcements) peer.outbox.send(frame, 0, frame.length);
    channel.announced();
    return true;
  }

  /** Gives each message of a run to one member of each group. Returns the offset up to which it did; sets `#sends`. */
  #publishToGroups(
    channel: Channel,
    groups: readonly Rotation[],
    from: Peer,
    bytes: Uint8Array,
    start: number,
    end: number,
    count: number,
  ): number {
    this.#sends = 0;
    let shared = 0;
    for (let i = 0; i < groups.length; i++) if (groups[i].size > 1) shared++;
    let at = shared === 0 ? end : start;
    while (at < end) {
      const next = at + HEADER_BYTES + u32(bytes, at + 4);
      for (let i = 0; i < groups.length; i++) {
        if (groups[i].size > 1) this.#sendToNext(groups[i], channel, from, bytes, at, next, 1);
      }
      at = next;
      this.#budget.spend(shared * Work.SEND);
      if (this.#budget.isSpent) break;
    }
    // A group with a single member takes all of it as one slice.
    for (let i = 0; shared < groups.length && i < groups.length; i++) {
      if (groups[i].size !== 1) continue;
      const messages = at === end ? count : countFrames(bytes, start, at);
      this.#sendToNext(groups[i], channel, from, bytes, start, at, messages);
    }
    return at;
  }

  #sendToNext(
    group: Rotation,
    channel: Channel,
    from: Peer,
    bytes: Uint8Array,
    start: number,
    end: number,
    count: number,
  ): void {
    // Room for the whole run was there. An introduction may have taken some of it since, which must lose no message.
    const member = group.next(from, end - start) ?? group.next(from, EVEN_IF_FULL);
    if (member === undefined) return;
    if (member.wants !== undefined) channel.introduce(member.peer, member.wants);
    member.peer.outbox.send(bytes, start, end);
    member.peer.messagesOut += count;
    this.#sends += count;
  }

  /** Passes `count` messages, `bytes[start, end)`, to an inbox. Returns false if `waiter` will be called. */
  direct(
    number: number,
    from: Peer,
    bytes: Uint8Array,
    start: number,
    end: number,
    count: number,
    waiter: () => void,
  ): boolean {
    const target = this.#peers.get(number);
    if (target === undefined) {
      from.refuse("no_such_session", `there is no session ${number}`, 0, (number | INBOX) >>> 0);
      return true;
    }
    if (!target.outbox.hasRoom(end - start)) return waitFor(target.outbox, waiter);
    target.outbox.send(bytes, start, end);
    target.messagesOut += count;
    return true;
  }

  /** How many established sessions there are. */
  get sessionCount(): number {
    return this.#peers.size;
  }

  /** The established session of that number, if there is one. */
  find(number: number): Peer | undefined {
    return this.#peers.get(number);
  }
}

/** Whether all receivers have room for `bytes`; if not, `waiter` is registered with those that have none. */
function haveRoom(all: readonly Receiver[], from: Peer, bytes: number, waiter: () => void): boolean {
  let room = true;
  for (let i = 0; i < all.length; i++) {
    const { peer, echo } = all[i];
    // Waits for all full ones at once, so that their timeouts run side by side, not one after the other.
    if (!peer.outbox.hasRoom(bytes) && (echo || peer !== from)) room = waitFor(peer.outbox, waiter);
  }
  return room;
}

/** Registers `waiter` with the full outbox. Returns false: the caller must offer the same bytes again. */
function waitFor(outbox: Outbox, waiter: () => void): false {
  outbox.whenRoom(waiter);
  return false;
}
