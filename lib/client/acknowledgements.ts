/**
 * What a consumer tells the server of the messages that one session was delivered: ACK, NAK and RENEW.
 *
 * The ACKs of one turn of the event loop are gathered. While messages are acknowledged in order, one of 8 bytes covers
 * all of them. Those out of order, and those that were delivered again, need ranges. After a NAK only ranges are sent,
 * because an ACK of 8 bytes would cover the message that is to come again.
 *
 * @module
 */

import { Type } from "../wire/header.ts";
import {
  putNak,
  putRange,
  putUpTo,
  RANGE_FRAME_BYTES,
  SEQUENCE_FRAME_BYTES,
  SEQUENCE_U32_FRAME_BYTES,
} from "../wire/sequences.ts";
import type { ClientConnection } from "./client_connection.ts";
import type { Settlements } from "./message.ts";

/** Sequences from the first to the last. */
export interface Range {
  first: number;
  last: number;
}

/** Of one consumer, by one session. A message that is acknowledged in order allocates nothing. */
export class Acknowledgements implements Settlements {
  readonly #connection: ClientConnection;
  readonly #channelId: number;
  readonly #sender: number;
  /** What was delivered for the first time and is not settled up to there, in order. */
  readonly #delivered: Range[] = [];
  /** What of that was settled out of order. */
  readonly #early = new Set<number>();
  /** Everything up to this sequence that was delivered for the first time is settled. */
  #floor = 0;
  #toldFloor = 0;
  /** What was acknowledged in this turn. */
  #acks: Range[] = [];
  #acksAgain: Range[] = [];
  /** Whether an ACK of 8 bytes would cover messages that are not dealt with. */
  #needsRanges = false;
  /** The highest sequence that was delivered for the first time. */
  #highest = 0;
  #isScheduled = false;
  readonly #frame = new Uint8Array(RANGE_FRAME_BYTES);

  /** @param channelId the channel's number */
  constructor(connection: ClientConnection, channelId: number, sender: number) {
    this.#connection = connection;
    this.#channelId = channelId;
    this.#sender = sender;
  }

  /** `count` messages were delivered for the first time, the first of them under `sequence`. */
  delivered(sequence: number, count: number): void {
    if (sequence <= this.#highest) this.#needsRanges = true; // an operator has reset the consumer
    this.#highest = sequence + count - 1;
    const last = this.#delivered.at(-1);
    if (last !== undefined && last.last + 1 === sequence) last.last += count;
    else this.#delivered.push({ first: sequence, last: this.#highest });
  }

  ack(sequence: number, isAgain: boolean): void {
    addTo(isAgain ? this.#acksAgain : this.#acks, sequence);
    if (!isAgain) this.#settled(sequence);
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    queueMicrotask(this.flush);
  }

  nak(sequence: number, delayMs: number, isAgain: boolean): void {
    if (!isAgain) this.#settled(sequence);
    this.#needsRanges = true;
    putNak(this.#frame, 0, this.#channelId, this.#sender, sequence, delayMs);
    this.#send(SEQUENCE_U32_FRAME_BYTES);
  }

  renew(sequence: number): void {
    this.renewAll({ first: sequence, last: sequence });
  }

  /** Renews all messages of a range that were delivered to this session. */
  renewAll({ first, last }: Range): void {
    putRange(this.#frame, 0, Type.RENEW, this.#channelId, this.#sender, first, last);
    this.#send(RANGE_FRAME_BYTES);
  }

  /** A message that was delivered for the first time is settled. */
  #settled(sequence: number): void {
    const head = this.#delivered[0];
    if (head?.first !== sequence) {
      this.#early.add(sequence);
      return;
    }
    this.#pass(head, sequence);
    while (this.#early.size > 0 && this.#delivered.length > 0) {
      const { first } = this.#delivered[0];
      if (!this.#early.delete(first)) return;
      this.#pass(this.#delivered[0], first);
    }
  }

  #pass(head: Range, sequence: number): void {
    this.#floor = sequence;
    if (head.first++ === head.last) this.#delivered.shift();
  }

  /** Sends the ACKs of this turn. */
  readonly flush = () => {
    this.#isScheduled = false;
    if (this.#floor > this.#toldFloor && !this.#needsRanges) {
      this.#toldFloor = this.#floor;
      putUpTo(this.#frame, 0, Type.ACK, this.#channelId, this.#sender, this.#floor);
      this.#send(SEQUENCE_FRAME_BYTES);
    }
    const told = this.#needsRanges ? 0 : this.#toldFloor;
    for (const range of this.#acks) if (range.last > told) this.#ackRange(range);
    for (const range of this.#acksAgain) this.#ackRange(range);
    this.#acks.length = this.#acksAgain.length = 0;
  };

  #ackRange({ first, last }: Range): void {
    putRange(this.#frame, 0, Type.ACK, this.#channelId, this.#sender, first, last);
    this.#send(RANGE_FRAME_BYTES);
  }

  #send(bytes: number): void {
    const { endError, outbound } = this.#connection;
    if (endError !== undefined) return; // the messages come again
    outbound.hasReplied = true;
    outbound.sendFrames(this.#frame, bytes);
  }
}

/** Adds a sequence to ranges, which usually extends the last one. */
function addTo(ranges: Range[], sequence: number): void {
  const last = ranges.at(-1);
  if (last !== undefined && last.last + 1 === sequence) last.last = sequence;
  else ranges.push({ first: sequence, last: sequence });
}
