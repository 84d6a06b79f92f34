/**
 * A session that reads a stored channel: by its name, or because a pattern covers it.
 *
 * @module
 */

import { HEADER_BYTES } from "../../limits.ts";
import { u32 } from "../../wire/header.ts";
import type { Peer } from "../peer.ts";
import { Cursor, type CursorReceiver, type CursorSource } from "./cursor.ts";
import { type DeliveredChannel, Delivery, POSITION_BYTES } from "./delivery.ts";
import type { StoredRun } from "./log.ts";

/** Sends what its cursor gives it to one session. */
export class SessionReader implements CursorReceiver {
  readonly peer: Peer;
  readonly cursor: Cursor;
  /** Whether the session receives its own messages. */
  echo = true;
  /** Tells the session the number of the channel; sent before the first message. */
  announcement: Uint8Array | undefined;
  readonly #delivery: Delivery;
  readonly #wake: () => void;

  /** @param next the sequence to begin with, once the cursor is woken */
  constructor(source: CursorSource & DeliveredChannel, peer: Peer, next: number) {
    this.peer = peer;
    this.cursor = new Cursor(source, next, this);
    this.#delivery = new Delivery(peer, source);
    this.#wake = () => this.cursor.wake();
  }

  take({ first, count, bytes }: StoredRun, offset: number, sequence: number): number {
    const { peer, announcement } = this;
    const taken = first + count - sequence;
    const size = bytes.length - offset + POSITION_BYTES + (announcement?.length ?? 0);
    if (!peer.outbox.hasRoom(size)) {
      peer.outbox.whenRoom(this.#wake, true);
      return 0;
    }
    if (announcement !== undefined) {
      this.announcement = undefined;
      peer.outbox.send(announcement, 0, announcement.length, true);
    }
    if (this.echo) this.#delivery.send(bytes, offset, bytes.length, sequence, taken);
    else this.#sendOthers(bytes, offset, sequence);
    return taken;
  }

  /** Sends the messages of other sessions, in stretches. */
  #sendOthers(bytes: Uint8Array, offset: number, sequence: number): void {
    let from = offset;
    let count = 0;
    let at = offset;
    while (at < bytes.length) {
      const next = at + HEADER_BYTES + u32(bytes, at + 4);
      if (u32(bytes, at + 12) === this.peer.number) {
        if (count > 0) this.#delivery.send(bytes, from, at, sequence, count);
        sequence += count + 1;
        count = 0;
        from = next;
      } else count++;
      at = next;
    }
    if (count > 0) this.#delivery.send(bytes, from, at, sequence, count);
  }
}
