/**
 * Frames the server writes itself without a payload of its own: PING, and answers that give back what came.
 *
 * @module
 */

import { HEADER_BYTES } from "../limits.ts";
import { INBOX, putHeader, Type, u16 } from "../wire/header.ts";
import type { Outlet } from "./peer.ts";

/** Writes such frames to one session; allocates nothing. */
export class Echo {
  readonly #outlet: Outlet;
  readonly #header = new Uint8Array(HEADER_BYTES);

  constructor(outlet: Outlet) {
    this.#outlet = outlet;
  }

  /** Asks whether somebody is there. */
  ping(): void {
    putHeader(this.#header, 0, Type.PING, 0, 0, 0, 0, 0);
    this.#outlet.send(this.#header, 0, HEADER_BYTES);
  }

  /** Answers the PING `bytes[from, to)`. */
  pong(bytes: Uint8Array, from: number, to: number): void {
    this.#giveBack(Type.PONG, 0, 0, bytes, from, to);
  }

  /** Answers the REQUEST `bytes[from, to)` of session `asker`, as `$echo` does. */
  reply(asker: number, bytes: Uint8Array, from: number, to: number): void {
    this.#giveBack(Type.REPLY, bytes[from + 1], (asker | INBOX) >>> 0, bytes, from, to);
  }

  #giveBack(type: number, flags: number, channel: number, bytes: Uint8Array, from: number, to: number): void {
    const id = u16(bytes, from + 2);
    putHeader(this.#header, 0, type, flags, id, to - from - HEADER_BYTES, channel, 0);
    this.#outlet.send(this.#header, 0, HEADER_BYTES);
    this.#outlet.send(bytes, from + HEADER_BYTES, to);
  }
}
