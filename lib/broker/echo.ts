/**
 * Frames that the server writes without a payload of its own: PING, and answers that return the payload they got.
 *
 * An answer is made from the frame it answers, by writing over its header: no other session is sent that frame, and the
 * payload stays where it is.
 *
 * @module
 */

import { encodeFrame, INBOX, putU32, Type } from "../wire/header.ts";
import type { Outbox, Peer } from "./peer.ts";

const CHANNEL = 8;
const SENDER = 12;

/** Writes such frames for all sessions of a server; allocates nothing. */
export class Echo {
  readonly #ping = encodeFrame({ type: Type.PING });

  /** Sends a PING, which a living client answers. */
  ping(outbox: Outbox): void {
    outbox.send(this.#ping, 0, this.#ping.length, true); // silence is judged by itself
  }

  /** Answers the PING `bytes[from, to)`, and overwrites its header. */
  pong(outbox: Outbox, bytes: Uint8Array, from: number, to: number): void {
    bytes[from] = Type.PONG;
    bytes[from + 1] = 0;
    putU32(bytes, from + SENDER, 0);
    outbox.send(bytes, from, to);
  }

  /** Answers the REQUEST `bytes[from, to)` of `requester` as `$echo` does, and overwrites its header. */
  reply(requester: Peer, bytes: Uint8Array, from: number, to: number): void {
    bytes[from] = Type.REPLY;
    putU32(bytes, from + CHANNEL, (requester.number | INBOX) >>> 0);
    putU32(bytes, from + SENDER, 0);
    requester.outbox.send(bytes, from, to);
  }
}
