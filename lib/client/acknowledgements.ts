/**
 * What a consumer tells the server of the messages that one session was delivered: ACK, NAK and RENEW.
 *
 * ACKs are gathered while more messages wait: for a quarter of the window, or some milliseconds. While messages are
 * acknowledged in order, one ACK of 8 bytes covers all of them. Those out of order, and those that were delivered again, need ranges. After a NAK only ranges are sent,
 * because an ACK of 8 bytes would cover the message that is to come again.
 *
 * @module
 */

import { Type } from "../wire/header.ts";
import { putNak, putRange, putUpTo } from "../wire/consumer_frames.ts";
import { RANGE_FRAME_BYTES, SEQUENCE_FRAME_BYTES, SEQUENCE_U32_FRAME_BYTES } from "../wire/sequences.ts";
import type { ClientConnection } from "./client_connection.ts";
import { ACK_MS } from "./limits.ts";
import type { Settlements } from "./message.ts";

/** Sequences from the first to the last. */
export interface Range {
  first: number;
  last: number;
}

/** What decides when gathered ACKs are sent. */
export interface Pace {
  /** Whether no message waits for the program, so that the server may wait for the ACKs. */
  readonly isIdle: boolean;
  /** How many ACKs are gathered at most. */
  readonly mostAcks: number;
}

/** Of one consumer, by one session. A message that is acknowledged in order allocates nothing. */
export class Acknowledgements implements Settlements {
  readonly #connection: ClientConnection;
  readonly #channelId: number;
  readonly #sender: number;
  readonly #pace: Pace;
  /** What was delivered for the first time and is not settled up to there, in order. */
  readonly #delivered: Range[] = [];
  /** What of that was settled out of order. */
  readonly #early = new Set<number>();
  /** Everything up to this sequence that was delivered for the first time is settled. */
  #floor = 0;
  #toldFloor = 0;
  /** What was acknowledged since the last flush. */
  #acks: Range[] = [];
  #acksAgain: Range[] = [];
  #gathered = 0;
  /** Whether an ACK of 8 bytes would cover messages that are not dealt with. */
  #needsRanges = false;
  /** The highest sequence that was delivered for the first time. */
  #highest = 0;
  #isScheduled = false;
  #isStopped = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #frame = new Uint8Array(RANGE_FRAME_BYTES);

  /** @param channelId the channel's number */
  constructor(connection: ClientConnection, channelId: number, sender: number, pace: Pace) {
    this.#connection = connection;
    this.#channelId = channelId;
    this.#sender = sender;
    this.#pace = pace;
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
    if (this.#isOver) return; // the message comes again
    addTo(isAgain ? this.#acksAgain : this.#acks, sequence);
    if (!isAgain) this.#settled(sequence);
    if (++this.#gathered >= this.#pace.mostAcks) return this.flush();
    if (this.#isScheduled) return;
    if (this.#pace.isIdle) {
      this.#isScheduled = true;
      queueMicrotask(this.flush);
    } else this.#timer ??= setTimeout(this.flush, ACK_MS);
  }

  nak(sequence: number, delayMs: number, isAgain: boolean): void {
    if (this.#isOver) return;
    if (!isAgain) this.#settled(sequence);
    this.#needsRanges = true;
    putNak(this.#frame, 0, this.#channelId, this.#sender, sequence, delayMs);
    this.#send(SEQUENCE_U32_FRAME_BYTES);
  }

  renew(sequence: number): void {
    this.renewAll({ first: sequence, last: sequence });
  }

  /** Sends what is gathered, and nothing after that. */
  stop(): void {
    this.flush();
    this.#isStopped = true;
  }

  get #isOver(): boolean {
    return this.#isStopped || this.#connection.endError !== undefined;
  }

  /** Renews all messages of a range that were delivered to this session. */
  renewAll({ first, last }: Range): void {
    if (this.#isOver) return;
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

  /** Sends what is gathered. */
  readonly flush = () => {
    this.#isScheduled = false;
    if (this.#timer !== undefined) clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#gathered === 0) return;
    this.#gathered = 0;
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
    const { outbound } = this.#connection;
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
