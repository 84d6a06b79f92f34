/**
 * Frames that the server writes without a payload of its own: PING, and answers that return the payload they got.
 *
 * @module
 */

import { HEADER_BYTES } from "../limits.ts";
import { INBOX, putHeader, Type, u16 } from "../wire/header.ts";
import type { Outbox, Peer } from "./peer.ts";

/** Writes such frames for all sessions of a server; allocates nothing. */
export class Echo {
  readonly #header = new Uint8Array(HEADER_BYTES);

  /** Sends a PING, which a living client answers. */
  ping(outbox: Outbox): void {
    putHeader(this.#header, 0, Type.PING, 0, 0, 0, 0, 0);
    outbox.send(this.#header, 0, HEADER_BYTES);
  }

  /** Answers the PING `bytes[from, to)`. */
  pong(outbox: Outbox, bytes: Uint8Array, from: number, to: number): void {
    this.#giveBack(outbox, Type.PONG, 0, 0, bytes, from, to);
  }

  /** Answers the REQUEST `bytes[from, to)` of `requester`, as `$echo` does. */
  reply(requester: Peer, bytes: Uint8Array, from: number, to: number): void {
    this.#giveBack(
      requester.outbox,
      Type.REPLY,
      bytes[from + 1],
      (requester.number | INBOX) >>> 0,
      bytes,
      from,
      to,
    );
  }

  #giveBack(
    outbox: Outbox,
    type: number,
    flags: number,
    channel: number,
    bytes: Uint8Array,
    from: number,
    to: number,
  ): void {
    const id = u16(bytes, from + 2);
    putHeader(this.#header, 0, type, flags, id, to - from - HEADER_BYTES, channel, 0);
    outbox.send(this.#header, 0, HEADER_BYTES);
    outbox.send(bytes, from + HEADER_BYTES, to);
  }
}
