/**
 * Decides who receives what: the only fan-out of a server.
 *
 * Everything that is passed on is passed on byte for byte, as a slice of the chunk it came in. Each method that sends
 * first makes sure that all who are to receive have room; where one has not, nothing is sent, `waiter` is left with
 * it, and `false` says that the sender must come again with the same bytes. So a peer that does not read holds its
 * publishers back, and costs no more memory than its outbox may.
 *
 * @module
 */

import { HEADER_BYTES, type Limits } from "../limits.ts";
import { INBOX, u32 } from "../wire/header.ts";
import { type Channel, Channels, type Group } from "./channels.ts";
import type { Outbox, Peer, Pending } from "./peer.ts";
import { debt, owe, strike, strikeAll, strikeLate } from "./pending_requests.ts";

/** Routes between the sessions of one server. */
export class Router {
  /** The channels of this server. */
  readonly channels = new Channels();
  readonly #peers = new Map<number, Peer>();
  /** Those who wait for an answer, and some who no longer do. */
  readonly #requesters = new Set<Peer>();
  readonly #limits: Pick<Limits, "requests" | "requestMs">;
  readonly #now: () => number;
  /** Who got the message at hand as a member of some group; kept between calls for its memory. */
  readonly #chosen: Peer[] = [];

  /** @param now a clock in milliseconds that never goes back */
  constructor(limits: Pick<Limits, "requests" | "requestMs">, now: () => number) {
    this.#limits = limits;
    this.#now = now;
  }

  /** A session was greeted: its inbox is there from now on. */
  join(peer: Peer): void {
    this.#peers.set(peer.number, peer);
  }

  /** A session ended: its inbox is gone, and whoever waits for an answer of its is told. */
  leave(peer: Peer): void {
    this.#peers.delete(peer.number);
    this.#requesters.delete(peer);
    strikeAll(peer, ({ requester, id, channel }) => {
      requester.refuse(
        "responder_gone",
        `session ${peer.number} ended before it answered; ask again`,
        id,
        channel,
      );
    });
  }

  /** Tells those who have waited too long for a reply. To be called about once a second. */
  sweep(): void {
    const now = this.#now();
    for (const peer of this.#requesters) {
      if (peer.pendingRequests.asking.size === 0) this.#requesters.delete(peer);
      strikeLate(peer, now, ({ requester, responder, id, channel }) => {
        const seconds = this.#limits.requestMs / 1000;
        requester.refuse(
          "no_reply",
          `session ${responder.number} did not answer within ${seconds} s`,
          id,
          channel,
        );
      });
    }
  }

  /**
   * Passes the run `bytes[start, end)` to all who are subscribed to `channel`.
   *
   * Costs a copy a subscriber at most, whatever the number of messages; only the members of groups get theirs one by
   * one.
   */
  publish(
    channel: Channel,
    from: Peer,
    bytes: Uint8Array,
    start: number,
    end: number,
    waiter: () => void,
  ): boolean {
    const { all, groups } = channel.route(this.channels.patterns);
    let room = true;
    for (let i = 0; i < all.length; i++) {
      const { peer, echo } = all[i];
      // Waits for all who are full at once: their grace times run side by side, not one after the other.
      if (!peer.outbox.hasRoom(end - start) && (echo || peer !== from)) room = waitFor(peer.outbox, waiter);
    }
    for (let i = 0; i < groups.length; i++) {
      if (!groupHasRoom(groups[i], from, end - start, waiter)) room = false;
    }
    if (!room) return false;
    for (let i = 0; i < all.length; i++) {
      const { peer, echo } = all[i];
      if (echo || peer !== from) peer.outbox.send(bytes, start, end);
    }
    if (groups.length > 0) this.#publishToGroups(groups, from, bytes, start, end);
    return true;
  }

  /** Passes `bytes[start, end)` to the inbox of session `number`. */
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

  /** Passes a REQUEST to one subscriber of `channel` other than `from`, in turn. */
  ask(
    channel: Channel,
    from: Peer,
    id: number,
    bytes: Uint8Array,
    start: number,
    end: number,
    waiter: () => void,
  ): boolean {
    const { asking } = from.pendingRequests;
    if (asking.has(id)) {
      from.refuse(
        "id_in_use",
        `request ${id} still waits for its answer; use another id`,
        id,
        channel.number,
      );
      return true;
    }
    if (asking.size >= this.#limits.requests) {
      const message =
        `${asking.size} requests wait for an answer, which is the limit; ask again when one is answered`;
      from.refuse("limit", message, id, channel.number);
      return true;
    }
    const { responders } = channel.route(this.channels.patterns);
    let full = false;
    for (let i = 0; i < responders.length; i++) {
      const turn = (channel.requestTurn + i) % responders.length;
      const responder = responders[turn];
      if (responder === from) continue;
      if (!responder.outbox.hasRoom(end - start)) {
        full = true;
        continue;
      }
      channel.requestTurn = turn + 1;
      const deadline = this.#now() + this.#limits.requestMs;
      this.#requesters.add(from);
      owe({ requester: from, responder, id, channel: channel.number, deadline });
      responder.outbox.send(bytes, start, end);
      return true;
    }
    if (full) {
      // Whoever has room first will do: which of them still reads is not known yet.
      for (const responder of responders) if (responder !== from) responder.outbox.whenRoom(waiter);
      return false;
    }
    from.refuse("no_responders", `nobody to answer on ${channel.name}`, id, channel.number);
    return true;
  }

  /** Passes a REPLY to the inbox of session `number`, if `from` owes it. */
  answer(
    number: number,
    from: Peer,
    id: number,
    bytes: Uint8Array,
    start: number,
    end: number,
    waiter: () => void,
  ): boolean {
    const inbox = (number | INBOX) >>> 0;
    const requester = this.#peers.get(number);
    if (requester === undefined) {
      from.refuse("no_such_session", `session ${number}, which asked, is gone`, id, inbox);
      return true;
    }
    const pending: Pending | undefined = debt(requester, from, id);
    if (pending === undefined) {
      from.refuse(
        "forbidden",
        `session ${number} does not wait for an answer ${id} from this session`,
        id,
        inbox,
      );
      return true;
    }
    if (!requester.outbox.hasRoom(end - start)) return waitFor(requester.outbox, waiter);
    strike(pending);
    requester.outbox.send(bytes, start, end);
    return true;
  }

  /** Hands the messages of a run to one member of each group, message by message. */
  #publishToGroups(groups: Group[], from: Peer, bytes: Uint8Array, start: number, end: number): void {
    const chosen = this.#chosen;
    for (let at = start; at < end;) {
      const next = at + HEADER_BYTES + u32(bytes, at + 4);
      for (let i = 0; i < groups.length; i++) {
        const peer = nextMember(groups[i], from, next - at);
        // Also a member of an earlier group whose turn it was: it has this message.
        if (peer === undefined || chosen.includes(peer)) continue;
        peer.outbox.send(bytes, at, next);
        chosen.push(peer);
      }
      chosen.length = 0;
      at = next;
    }
  }
}

/** Somebody has no room: leaves `waiter` there; `false`, for the sender to come again. */
function waitFor(outbox: Outbox, waiter: () => void): false {
  outbox.whenRoom(waiter);
  return false;
}

/** Whether some member of `group` has room for `bytes`; where none has, `waiter` is left with every one of them. */
function groupHasRoom(group: Group, from: Peer, bytes: number, waiter: () => void): boolean {
  const { members } = group;
  let receivers = 0;
  for (let i = 0; i < members.length; i++) {
    const { peer, echo } = members[i];
    if (peer === from && !echo) continue;
    if (peer.outbox.hasRoom(bytes)) return true;
    receivers++;
  }
  // Whoever has room first will do: which of them still reads is not known yet.
  for (const { peer, echo } of members) if (echo || peer !== from) peer.outbox.whenRoom(waiter);
  return receivers === 0;
}

/** The member of `group` whose turn it is, passing over those without room: another has it, see `groupHasRoom`. */
function nextMember(group: Group, from: Peer, bytes: number): Peer | undefined {
  const { members } = group;
  for (let i = 0; i < members.length; i++) {
    const turn = (group.turn + i) % members.length;
    const { peer, echo } = members[turn];
    if ((peer === from && !echo) || !peer.outbox.hasRoom(bytes)) continue;
    group.turn = turn + 1;
    return peer;
  }
  return undefined;
}
