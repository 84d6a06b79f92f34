/**
 * Requests between sessions: each goes to one responder, and ends with its reply or an ERROR that says why there is none.
 *
 * @module
 */

import type { ErrorCode } from "../errors.ts";
import { HEADER_BYTES, type Limits, MAX_RECEIVED_REQUESTS, MAX_REQUESTS } from "../limits.ts";
import type { Channel } from "./channel.ts";
import type { RequestCounts } from "./counters.ts";
import type { Peer } from "./peer.ts";
import { addRequest, type PendingRequest, removeRequest } from "./pending_requests.ts";
import type { Rotation } from "./rotation.ts";
import { Work, type WorkBudget } from "./work_budget.ts";

/** The requests of one server. */
export class Requests {
  readonly #limits: Pick<Limits, "requests" | "requestMs">;
  readonly #now: () => number;
  readonly #budget: WorkBudget;
  readonly #counts: RequestCounts;
  /** Sessions that wait for a reply, and some that no longer do. */
  readonly #requesters = new Set<Peer>();
  /** How many requests wait for their reply. */
  #pending = 0;
  #isExpiring = false;

  /** @param now a clock in milliseconds that never goes back */
  constructor(
    limits: Pick<Limits, "requests" | "requestMs">,
    now: () => number,
    budget: WorkBudget,
    counts: RequestCounts,
  ) {
    this.#counts = counts;
    this.#limits = limits;
    this.#now = now;
    this.#budget = budget;
  }

  /** How many requests wait for their reply. */
  get waiting(): number {
    return this.#pending;
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
    const own = from.pendingRequests;
    if (own.find(id) !== undefined) {
      const message = `request ${id} still waits for its reply; use another id`;
      return this.#refused(from, "id_in_use", message, id, channel);
    }
    if (own.sent >= this.#limits.requests || this.#pending >= MAX_REQUESTS) {
      const [count, whose] = own.sent >= this.#limits.requests
        ? [own.sent, "of this session"]
        : [this.#pending, "of all sessions"];
      const message =
        `${count} requests ${whose} wait for a reply, the limit; ask again when one is answered`;
      return this.#refused(from, "limit", message, id, channel);
    }
    const { responders } = channel.route;
    const member = responders.next(from, end - start);
    if (member === undefined) return this.#refuse(channel, responders, from, id, end - start, waiter);
    const responder = member.peer;
    const deadline = this.#now() + this.#limits.requestMs;
    const request = { requester: from, responder, id, channel: channel.number, deadline };
    addRequest(request);
    this.#requesters.add(from);
    this.#pending++;
    this.#counts.asked++;
    if (member.wants !== undefined || channel.announcements.length > 0) {
      channel.introduce(responder, member.wants);
    }
    responder.outbox.send(bytes, start, end, true);
    responder.messagesOut++;
    channel.settledCounts.add(1, end - start, 1);
    return true;
  }

  /** No responder took a request: there is none, or all have enough to do, or none has room and the session must wait. */
  #refuse(
    channel: Channel,
    responders: Rotation,
    from: Peer,
    id: number,
    size: number,
    waiter: () => void,
  ): boolean {
    const alive = responders.members.filter(({ peer }) => !peer.isEnded);
    if (alive.length === 0) {
      return this.#refused(from, "no_responders", `no session responds on ${channel.name}`, id, channel);
    }
    if (alive.some(({ peer }) => responders.accepts(peer) && !peer.outbox.hasRoom(size))) {
      // However long it takes: no session is closed as a slow consumer because of requests alone.
      responders.whenRoom(from, size, waiter, true);
      return false;
    }
    const most = `${MAX_RECEIVED_REQUESTS} requests to answer, the limit`;
    const message = `each responder on ${channel.name} has ${most}; ask again later`;
    return this.#refused(from, "limit", message, id, channel);
  }

  /** Refuses a request at once. */
  #refused(from: Peer, code: ErrorCode, message: string, id: number, channel: Channel): true {
    this.#counts.asked++;
    this.#counts.refused++;
    from.refuse(code, message, id, channel.number);
    return true;
  }

  /**
   * Passes a REPLY to `requester`, if `from` was sent the request. Returns false if it was not.
   *
   * A requester without room gets `no_reply` instead: waiting for it would hold up the responder and all its other
   * requesters.
   */
  reply(requester: Peer, from: Peer, id: number, bytes: Uint8Array, start: number, end: number): boolean {
    const request = requester.pendingRequests.find(id);
    if (request?.responder !== from) return false;
    this.#settle(request);
    if (requester.outbox.hasRoom(end - start)) {
      requester.outbox.send(bytes, start, end);
      requester.messagesOut++;
      this.#counts.answered++;
    } else {
      this.#counts.refused++;
      const message = "the reply came while this session did not read; it was dropped";
      requester.refuse("no_reply", message, id, request.channel);
    }
    return true;
  }

  /** A session has ended: ends its requests, as many as this turn's budget allows, and the rest later. */
  abandon(peer: Peer): void {
    this.#requesters.delete(peer);
    for (const request of peer.pendingRequests.all()) {
      if (this.#budget.isSpent) return this.#budget.later(() => this.abandon(peer));
      this.#budget.spend(Work.REQUEST);
      this.#settle(request);
      const { requester, id, channel } = request;
      if (requester === peer) continue;
      const message = `session ${peer.number} ended before it answered; ask again`;
      this.#counts.refused++;
      requester.refuse("responder_gone", message, id, channel);
    }
  }

  /** Ends the requests that have waited too long, as many a turn as the budget allows. To be called once a second. */
  sweep(): void {
    if (this.#isExpiring) return; // the last sweep is not done yet
    this.#isExpiring = true;
    this.#expire([...this.#requesters]);
  }

  #expire(requesters: Peer[]): void {
    const now = this.#now();
    for (let peer = requesters.pop(); peer !== undefined; peer = requesters.pop()) {
      if (peer.pendingRequests.sent === 0) this.#requesters.delete(peer);
      for (const request of peer.pendingRequests.inOrder()) {
        // A session without room is told in a later sweep: the errors are more than its outbox has in reserve.
        if (request.deadline > now || !peer.outbox.hasRoom(HEADER_BYTES)) break;
        if (this.#budget.isSpent) {
          requesters.push(peer);
          return this.#budget.later(() => this.#expire(requesters));
        }
        this.#budget.spend(Work.REQUEST);
        this.#settle(request);
        const { responder, id, channel } = request;
        const message = `session ${responder.number} did not answer within ${
          this.#limits.requestMs / 1000
        } s`;
        this.#counts.late++;
        peer.refuse("no_reply", message, id, channel);
      }
    }
    this.#isExpiring = false;
  }

  #settle(request: PendingRequest<Peer>): void {
    removeRequest(request);
    this.#pending--;
  }
}
