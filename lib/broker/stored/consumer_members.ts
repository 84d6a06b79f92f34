/**
 * The sessions of one consumer, and which of them a message goes to.
 *
 * @module
 */

import type { Peer } from "../peer.ts";
import type { ConsumerMember } from "./consumer_member.ts";
import { skipMessages } from "./cursor.ts";
import { POSITION_BYTES } from "./delivery.ts";
import type { StoredRun } from "./log.ts";

/** See the module's comment. */
export class ConsumerMembers {
  /** In the order in which they opened the channel. */
  readonly all: ConsumerMember[] = [];
  /** Where the last `deliver` ended: the offset of the first message that was not sent. */
  offset = 0;
  readonly #byPeer = new Map<Peer, ConsumerMember>();
  /**
   * Those that may be sent a message, the one whose last turn is longest ago first. Some may be in it that are no longer
   * free. A message costs the same, however many sessions there are.
   */
  readonly #free = new Set<ConsumerMember>();
  #isExclusive = false;

  /** The session `peer` as a member, if it is one. */
  get(peer: Peer): ConsumerMember | undefined {
    return this.#byPeer.get(peer);
  }

  /** Adds a member, as the last. */
  add(member: ConsumerMember): void {
    this.all.push(member);
    this.#byPeer.set(member.peer, member);
  }

  /** Removes a member. */
  remove(member: ConsumerMember): void {
    this.all.splice(this.all.indexOf(member), 1);
    this.#byPeer.delete(member.peer);
    this.#free.delete(member);
    if (this.#isExclusive && this.all.length > 0) this.freed(this.all[0]);
  }

  get isExclusive(): boolean {
    return this.#isExclusive;
  }

  /** Whether everything goes to the one that opened first. */
  set isExclusive(isExclusive: boolean) {
    if (isExclusive === this.#isExclusive) return;
    this.#isExclusive = isExclusive;
    this.#free.clear();
    for (const member of this.all) this.freed(member);
  }

  /** A member may be free now, which it was not. */
  freed(member: ConsumerMember): void {
    if (member.free > 0 && (!this.#isExclusive || member === this.all[0])) this.#free.add(member);
  }

  /** Whether any of them may be sent a message now. */
  get hasFree(): boolean {
    for (const member of this.#free) {
      if (member.free > 0) return true;
      this.#free.delete(member);
    }
    return false;
  }

  /** The one that would be sent the next message, if it has room. */
  peek(): ConsumerMember | undefined {
    for (const member of this.#free) if (member.free > 0) return member;
    return undefined;
  }

  /** The one that is sent the next message, of `bytes`. If there is none, each that is free calls once it has room. */
  next(bytes: number): ConsumerMember | undefined {
    for (const member of this.#free) {
      this.#free.delete(member);
      if (member.free === 0 || !member.hasRoom(bytes)) continue;
      this.#free.add(member);
      return member;
    }
    return undefined;
  }

  /**
   * Sends messages of `run` from `offset` and `sequence` on, before the sequence `stop`: to each member that is free
   * about an equal part. Sets `offset`.
   *
   * @param until when they are to be delivered again
   * @returns how many were sent
   */
  deliver(run: StoredRun, offset: number, sequence: number, stop: number, until: number): number {
    const { bytes } = run;
    const end = run.first + run.count;
    let next = sequence;
    while (next < stop && this.#free.size > 0) {
      const part = this.#part(stop - next);
      let left = this.#free.size;
      for (const member of this.#free) {
        if (left-- === 0 || next === stop) break;
        this.#free.delete(member);
        const count = Math.min(part, member.free, stop - next);
        if (count === 0) continue;
        const to = next + count === end ? bytes.length : skipMessages(bytes, offset, count);
        if (!member.hasRoom(to - offset + POSITION_BYTES)) continue;
        member.deliver(bytes, offset, to, next, count, until);
        offset = to;
        next += count;
        if (member.free > 0) this.#free.add(member); // as the last
      }
    }
    this.offset = offset;
    return next - sequence;
  }

  /** An equal part of what the members that are free can take of `count` messages. */
  #part(count: number): number {
    const { size } = this.#free;
    if (count <= size) return 1;
    let free = 0;
    for (const member of this.#free) free += member.free;
    return Math.max(1, Math.ceil(Math.min(count, free) / size));
  }
}
