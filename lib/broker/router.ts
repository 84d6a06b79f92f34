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

import { HEADER_BYTES, type Limits, MAX_NUMBER, MAX_RECEIVED_REQUESTS, MAX_REQUESTS } from "../limits.ts";
import { INBOX, u32 } from "../wire/header.ts";
import { type Channel, Channels } from "./channels.ts";
import type { Outbox, Peer } from "./peer.ts";
import { type PendingRequest, PendingRequests } from "./pending_requests.ts";
import type { Rotation } from "./rotation.ts";
import type { WorkBudget } from "./work_budget.ts";

/** Routes messages between the sessions of one server. */
export class Router {
  /** The channels of this server. */
  readonly channels: Channels;
  readonly #peers = new Map<number, Peer>();
  /** Sessions that wait for a reply, and some that no longer do. */
  readonly #requesters = new Set<Peer>();
  /** How many requests wait for their reply, of all sessions together. */
  #requests = 0;
  readonly #limits: Pick<Limits, "requests" | "requestMs">;
  readonly #now: () => number;
  readonly #budget: WorkBudget;
  #lastNumber: number;
  #isSweeping = false;

  /**
   * @param now a clock in milliseconds that never goes back
   * @param firstNumber the number of the first session, 1 to `MAX_NUMBER`
   */
  constructor(
    limits: Pick<Limits, "requests" | "requestMs">,
    now: () => number,
    budget: WorkBudget,
    firstNumber: number = 1,
  ) {
    this.#lastNumber = firstNumber - 1;
    this.#limits = limits;
    this.#now = now;
    this.#budget = budget;
    this.channels = new Channels(budget);
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
    this.#requesters.delete(peer);
    this.#abandonRequests(peer);
  }

  /** Removes the requests of a session that has ended: as many as this turn's budget allows, the rest later. */
  #abandonRequests(peer: Peer): void {
    for (
      let request = peer.pendingRequests.any();
      request !== undefined;
      request = peer.pendingRequests.any()
    ) {
      if (this.#budget.isSpent) {
        this.#budget.later(() => this.#abandonRequests(peer));
        return;
      }
      this.#settle(request);
      this.#budget.spend(1);
      if (request.responder === peer && request.requester !== peer) {
        const message = `session ${peer.number} ended before it answered; ask again`;
        request.requester.refuse("responder_gone", message, request.id, request.channel);
      }
    }
  }

  /** Ends the requests that have waited too long, and drops what is no longer needed. To be called once a second. */
  sweep(): void {
    this.channels.sweep();
    if (this.#isSweeping) return; // the last one is still at it
    this.#isSweeping = true;
    this.#expireRequests([...this.#requesters]);
  }

  #expireRequests(requesters: Peer[]): void {
    const now = this.#now();
    for (let peer = requesters.pop(); peer !== undefined; peer = requesters.pop()) {
      let request = peer.pendingRequests.oldest();
      if (request === undefined) this.#requesters.delete(peer);
      for (; request !== undefined && request.deadline <= now; request = peer.pendingRequests.oldest()) {
        if (this.#budget.isSpent) {
          this.#budget.later(() => this.#expireRequests([...requesters, peer]));
          return;
        }
        const { responder, id, channel } = request;
        this.#settle(request);
        this.#budget.spend(1);
        const seconds = this.#limits.requestMs / 1000;
        peer.refuse(
          "no_reply",
          `session ${responder.number} did not answer within ${seconds} s`,
          id,
          channel,
        );
      }
    }
    this.#isSweeping = false;
  }

  /**
   * Passes the run `bytes[start, end)` to all sessions that are subscribed to `channel`.
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
    waiter: () => void,
  ): number {
    const { all, groups } = channel.route;
    const size = end - start;
    this.#budget.spend(all.length + groups.length);
    // Announcements come first: they take room that the run must not count on.
    let room = this.#announce(channel, waiter);
    for (let i = 0; i < all.length; i++) {
      const { peer, echo } = all[i];
      // Waits for all full ones at once, so that their timeouts run side by side, not one after the other.
      if (!peer.outbox.hasRoom(size) && (echo || peer !== from)) room = waitFor(peer.outbox, waiter);
    }
    for (let i = 0; i < groups.length; i++) {
      if (groups[i].hasRoom(from, size)) continue;
      groups[i].whenRoom(from, size, waiter);
      room = false;
    }
    if (!room) return start;
    const passed = groups.length === 0 ? end : this.#publishToGroups(groups, from, bytes, start, end);
    for (let i = 0; i < all.length; i++) {
      const { peer, echo } = all[i];
      if (echo || peer !== from) peer.outbox.send(bytes, start, passed);
    }
    return passed;
  }

  /** Tells sessions that a pattern brought to `channel` its number. Returns whether all of them had room. */
  #announce(channel: Channel, waiter: () => void): boolean {
    const { announcements } = channel;
    if (announcements.length === 0) return true;
    let room = true;
    for (const { peer, frame } of announcements) {
      if (!peer.outbox.hasRoom(frame.length)) room = waitFor(peer.outbox, waiter);
    }
    if (!room) return false;
    this.#budget.spend(announcements.length);
    for (const { peer, frame } of announcements) peer.outbox.send(frame, 0, frame.length);
    channel.announced();
    return true;
  }

  /** Gives each message of a run to one member of each group. Returns the offset up to which it did. */
  #publishToGroups(
    groups: readonly Rotation[],
    from: Peer,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): number {
    let shared = 0;
    for (let i = 0; i < groups.length; i++) if (groups[i].size > 1) shared++;
    let at = shared === 0 ? end : start;
    while (at < end) {
      const next = at + HEADER_BYTES + u32(bytes, at + 4);
      for (let i = 0; i < groups.length; i++) {
        if (groups[i].size > 1) groups[i].next(from, next - at)?.outbox.send(bytes, at, next);
      }
      at = next;
      this.#budget.spend(shared);
      if (this.#budget.isSpent) break;
    }
    // A group with a single member takes all of it as one slice.
    for (let i = 0; shared < groups.length && i < groups.length; i++) {
      if (groups[i].size === 1) groups[i].next(from, at - start)?.outbox.send(bytes, start, at);
    }
    return at;
  }

  /** Passes `bytes[start, end)` to the inbox of session `number`. Returns false if `waiter` will be called. */
  direct(
    number: number,
    from: Peer,
    bytes: Uint8Array,
    start: number,
    end: number,
    waiter: () => void,
  ): boolean {
    const target = this.#peers.get(number);
    if (target === undefined) {
      from.refuse("no_such_session", `there is no session ${number}`, 0, (number | INBOX) >>> 0);
      return true;
    }
    if (!target.outbox.hasRoom(end - start)) return waitFor(target.outbox, waiter);
    target.outbox.send(bytes, start, end);
    return true;
  }

  /** Passes a REQUEST to the responder of `channel` whose turn it is. Returns false if `waiter` will be called. */
  request(
    channel: Channel,
    from: Peer,
    id: number,
    bytes: Uint8Array,
    start: number,
    end: number,
    waiter: () => void,
  ): boolean {
    const { sent } = from.pendingRequests;
    if (from.pendingRequests.find(id) !== undefined) {
      const message = `request ${id} still waits for its reply; use another id`;
      from.refuse("id_in_use", message, id, channel.number);
      return true;
    }
    if (sent >= this.#limits.requests || this.#requests >= MAX_REQUESTS) {
      const owner = sent >= this.#limits.requests ? "of this session" : "of all sessions";
      const count = sent >= this.#limits.requests ? sent : this.#requests;
      const message =
        `${count} requests ${owner} wait for a reply, the limit; ask again when one is answered`;
      from.refuse("limit", message, id, channel.number);
      return true;
    }
    const { responders } = channel.route;
    if (!this.#announce(channel, waiter)) return false;
    const responder = responders.next(from, end - start);
    if (responder !== undefined) {
      const deadline = this.#now() + this.#limits.requestMs;
      this.#requesters.add(from);
      this.#requests++;
      PendingRequests.add({ requester: from, responder, id, channel: channel.number, deadline });
      responder.outbox.send(bytes, start, end);
      return true;
    }
    return this.#refuseRequest(channel, responders, from, id, end - start, waiter);
  }

  /** No responder took a request: there is none, or all have enough to do, or none has room and the session must wait. */
  #refuseRequest(
    channel: Channel,
    responders: Rotation,
    from: Peer,
    id: number,
    size: number,
    waiter: () => void,
  ): boolean {
    const alive = responders.members.filter(({ peer }) => !peer.isEnded);
    if (alive.length === 0) {
      from.refuse("no_responders", `no session responds on ${channel.name}`, id, channel.number);
      return true;
    }
    if (alive.some(({ peer }) => responders.accepts(peer) && !peer.outbox.hasRoom(size))) {
      responders.whenRoom(from, size, waiter);
      return false;
    }
    const most = `${MAX_RECEIVED_REQUESTS} requests to answer, the limit`;
    from.refuse(
      "limit",
      `each responder on ${channel.name} has ${most}; ask again later`,
      id,
      channel.number,
    );
    return true;
  }

  /**
   * Passes a REPLY to the inbox of session `number`, if `from` was sent the request.
   *
   * A requester without room gets `no_reply` instead: waiting for it would hold up the responder and all its other
   * requesters.
   */
  reply(number: number, from: Peer, id: number, bytes: Uint8Array, start: number, end: number): void {
    const inbox = (number | INBOX) >>> 0;
    const requester = this.#peers.get(number);
    if (requester === undefined) {
      from.refuse("no_such_session", `session ${number}, which asked, is gone`, id, inbox);
      return;
    }
    const request = requester.pendingRequests.find(id);
    if (request?.responder !== from) {
      const message = `session ${number} does not wait for a reply ${id} from this session`;
      from.refuse("forbidden", message, id, inbox);
      return;
    }
    this.#settle(request);
    if (requester.outbox.hasRoom(end - start)) requester.outbox.send(bytes, start, end);
    else {
      const message = "the reply came while this session did not read; it was dropped";
      requester.refuse("no_reply", message, id, request.channel);
    }
  }

  #settle(request: PendingRequest): void {
    PendingRequests.remove(request);
    this.#requests--;
  }
}

/** Registers `waiter` with the full outbox. Returns false: the caller must offer the same bytes again. */
function waitFor(outbox: Outbox, waiter: () => void): false {
  outbox.whenRoom(waiter);
  return false;
}
