/**
 * Sends stored messages to one session, with a POSITION before the first one and before every jump of the sequence.
 *
 * @module
 */

import {
  putPosition,
  putRedelivery,
  SEQUENCE_FRAME_BYTES,
  SEQUENCE_U32_FRAME_BYTES,
} from "../../wire/sequences.ts";
import type { Peer } from "../peer.ts";

/** The most that a POSITION takes. */
export const POSITION_BYTES = SEQUENCE_U32_FRAME_BYTES;

/** What one session is sent of one stored channel. */
export class Delivery {
  readonly #peer: Peer;
  readonly #channel: number;
  /** Written anew for each POSITION: an outbox copies it. */
  readonly #frame = new Uint8Array(POSITION_BYTES);
  /** The sequence that the session takes the next message for. */
  #expected = 0;

  /** @param channel the channel's number */
  constructor(peer: Peer, channel: number) {
    this.#peer = peer;
    this.#channel = channel;
  }

  /** Sends the `count` messages `bytes[from, to)`, of which the first has `sequence`. */
  send(bytes: Uint8Array, from: number, to: number, sequence: number, count: number): void {
    const { outbox } = this.#peer;
    if (sequence !== this.#expected) {
      putPosition(this.#frame, 0, this.#channel, sequence);
      outbox.send(this.#frame, 0, SEQUENCE_FRAME_BYTES, true);
    }
    outbox.send(bytes, from, to, true);
    this.#expected = sequence + count;
  }

  /** Sends the message `bytes[from, to)` again; it was delivered `deliveries` times before. */
  redeliver(bytes: Uint8Array, from: number, to: number, sequence: number, deliveries: number): void {
    const { outbox } = this.#peer;
    putRedelivery(this.#frame, 0, this.#channel, sequence, deliveries);
    outbox.send(this.#frame, 0, SEQUENCE_U32_FRAME_BYTES, true);
    outbox.send(bytes, from, to, true);
    this.#expected = sequence + 1;
  }
}
