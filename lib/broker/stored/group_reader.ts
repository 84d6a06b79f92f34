/**
 * A group that reads a stored channel: its members share one place, and each message goes to one of them.
 *
 * @module
 */

import { HEADER_BYTES } from "../../limits.ts";
import { u32 } from "../../wire/header.ts";
import type { Peer } from "../peer.ts";
import type { Member, Rotation } from "../rotation.ts";
import { Cursor, type CursorReceiver, type CursorSource } from "./cursor.ts";
import { type DeliveredChannel, Delivery, POSITION_BYTES } from "./delivery.ts";
import type { StoredRun } from "./log.ts";

/** What a group needs of its channel. */
export interface GroupSource extends CursorSource, DeliveredChannel {
  /** The established session of that number, if it is still there. */
  session(number: number): Peer | undefined;
  /** Tells the session of `member` the number of the channel, if it does not know it. */
  introduce(member: Member): void;
}

/** Gives each message of a stored channel to one member of a group. */
export class GroupReader implements CursorReceiver {
  readonly cursor: Cursor;
  rotation: Rotation;
  readonly #source: GroupSource;
  readonly #deliveries = new Map<Peer, Delivery>();
  readonly #wake = () => this.cursor.wake();

  /** Begins at the sequence `next`, once the cursor is woken. */
  constructor(source: GroupSource, rotation: Rotation, next: number) {
    this.#source = source;
    this.rotation = rotation;
    this.cursor = new Cursor(source, next, this);
  }

  /** The members are these from now on. */
  changeMembers(rotation: Rotation): void {
    if (rotation === this.rotation) return;
    this.rotation = rotation;
    const peers = new Set(rotation.members.map(({ peer }) => peer));
    for (const peer of this.#deliveries.keys()) if (!peers.has(peer)) this.#deliveries.delete(peer);
    this.cursor.wake(); // a new member may have room
  }

  take({ first, count, bytes }: StoredRun, offset: number, sequence: number): number {
    const { rotation } = this;
    const all = first + count - sequence;
    let taken = 0;
    let at = offset;
    while (taken < all) {
      const from = this.#source.session(u32(bytes, at + 12));
      // A single member takes all of it as one slice.
      const isWhole = rotation.size === 1 && rotation.members[0].echo;
      const end = isWhole ? bytes.length : at + HEADER_BYTES + u32(bytes, at + 4);
      const messages = isWhole ? all - taken : 1;
      const needed = end - at + POSITION_BYTES;
      const member = rotation.next(from, needed);
      if (member !== undefined) this.#send(member, bytes, at, end, sequence + taken, messages);
      else if (!rotation.hasRoom(from, needed)) {
        rotation.whenRoom(from, needed, this.#wake, true);
        return taken;
      }
      taken += messages;
      at = end;
    }
    return taken;
  }

  #send(member: Member, bytes: Uint8Array, from: number, to: number, sequence: number, count: number): void {
    const { peer } = member;
    this.#source.introduce(member);
    let delivery = this.#deliveries.get(peer);
    if (delivery === undefined) {
      this.#deliveries.set(peer, delivery = new Delivery(peer, this.#source));
    }
    delivery.send(bytes, from, to, sequence, count);
  }
}
