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
  /** Whether everything goes to the one that opened first. */
  isExclusive = false;
  /** Where the last `deliver` ended: the offset of the first message that was not sent. */
  offset = 0;
  readonly #byPeer = new Map<Peer, ConsumerMember>();
  /** The index of the one that is asked first. */
  #turn = 0;

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
    const index = this.all.indexOf(member);
    this.all.splice(index, 1);
    if (index < this.#turn) this.#turn--;
    this.#byPeer.delete(member.peer);
  }

  /** Whether any of them may be sent a message now. */
  get hasFree(): boolean {
    const size = this.#size;
    for (let i = 0; i < size; i++) if (this.all[i].free > 0) return true;
    return false;
  }

  /** The one that is sent the next message, of `bytes`. If there is none, each that is free calls once it has room. */
  next(bytes: number): ConsumerMember | undefined {
    const size = this.#size;
    for (let i = 0; i < size; i++) {
      const index = (this.#turn + i) % size;
      const member = this.all[index];
      if (member.free === 0 || !member.hasRoom(bytes)) continue;
      this.#turn = (index + 1) % size;
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
    let part: number;
    while ((part = this.#part(stop - next)) > 0) {
      const size = this.#size;
      const turn = this.#turn % size;
      for (let i = 0; i < size && next < stop; i++) {
        const index = (turn + i) % size;
        const member = this.all[index];
        const count = Math.min(part, member.free, stop - next);
        if (count === 0) continue;
        const to = next + count === end ? bytes.length : skipMessages(bytes, offset, count);
        if (!member.hasRoom(to - offset + POSITION_BYTES)) continue;
        member.deliver(bytes, offset, to, next, count, until);
        offset = to;
        next += count;
        this.#turn = (index + 1) % size;
      }
    }
    this.offset = offset;
    return next - sequence;
  }

  /** How many may be sent anything: in an exclusive consumer the first alone. */
  get #size(): number {
    return this.isExclusive ? Math.min(1, this.all.length) : this.all.length;
  }

  /** An equal part of what the members that are free can take of `count` messages. */
  #part(count: number): number {
    if (count === 0) return 0;
    const size = this.#size;
    let members = 0;
    let free = 0;
    for (let i = 0; i < size; i++) {
      const its = this.all[i].free;
      if (its === 0) continue;
      members++;
      free += its;
    }
    return members === 0 ? 0 : Math.ceil(Math.min(count, free) / members);
  }
}
