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
import type { ChannelCounts } from "../counters.ts";
import type { Peer } from "../peer.ts";

/** The most that a POSITION takes. */
export const POSITION_BYTES = SEQUENCE_U32_FRAME_BYTES;

/** The channel that a delivery is of. */
export interface DeliveredChannel {
  /** The channel's number. */
  readonly number: number;
  readonly counts: ChannelCounts;
}

/** What one session is sent of one stored channel. */
export class Delivery {
  readonly #peer: Peer;
  readonly #channel: DeliveredChannel;
  /** Written anew for each POSITION: an outbox copies it. */
  readonly #frame = new Uint8Array(POSITION_BYTES);
  /** The sequence that the session takes the next message for. */
  #expected = 0;

  constructor(peer: Peer, channel: DeliveredChannel) {
    this.#peer = peer;
    this.#channel = channel;
  }

  /** Sends the `count` messages `bytes[from, to)`, of which the first has `sequence`. */
  send(bytes: Uint8Array, from: number, to: number, sequence: number, count: number): void {
    const { outbox } = this.#peer;
    if (sequence !== this.#expected) {
      putPosition(this.#frame, 0, this.#channel.number, sequence);
      outbox.send(this.#frame, 0, SEQUENCE_FRAME_BYTES, true);
    }
    outbox.send(bytes, from, to, true);
    this.#count(count);
    this.#expected = sequence + count;
  }

  /** Sends the message `bytes[from, to)` again; it was delivered `deliveries` times before. */
  redeliver(bytes: Uint8Array, from: number, to: number, sequence: number, deliveries: number): void {
    const { outbox } = this.#peer;
    putRedelivery(this.#frame, 0, this.#channel.number, sequence, deliveries);
    outbox.send(this.#frame, 0, SEQUENCE_U32_FRAME_BYTES, true);
    outbox.send(bytes, from, to, true);
    this.#count(1);
    this.#expected = sequence + 1;
  }

  #count(messages: number): void {
    this.#peer.messagesOut += messages;
    this.#channel.counts.messagesOut += messages;
  }
}
