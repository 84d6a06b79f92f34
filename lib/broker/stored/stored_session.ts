/**
 * What one session does on stored channels: where it reads, what it publishes, as which producer and consumer.
 *
 * @module
 */

import { MAX_CONSUMERS, MAX_PRODUCERS, MAX_RECEIPTS } from "../../limits.ts";
import type { Open } from "../../wire/control.ts";
import { Type } from "../../wire/header.ts";
import { firstSequence, isRange, lastSequence, nakDelay } from "../../wire/sequences.ts";
import {
  LATER,
  notAllowed,
  notDurableProblem,
  placeProblem,
  type Refusal,
  refusal,
  tooManyStored,
} from "../open_rules.ts";
import type { Peer } from "../peer.ts";
import type { Consumer } from "./consumer.ts";
import { keyOf } from "./key.ts";
import type { StoredChannel, StoredDescription } from "./stored_channel.ts";
import type { StoredChannels } from "./stored_channels.ts";
import { type Receipts, StoredPublisher } from "./stored_publisher.ts";
import type { Producer } from "./tail.ts";

/** The sequence from which a session reads; `undefined` to go on where it is, or with what is new. */
export type Place = number | undefined;

/** What an OPEN that is not refused asks for. */
export interface Prepared {
  readonly place?: Place;
}

/** See the module's comment. */
export class StoredSession {
  /** Receipts that the session waits for. */
  readonly receipts: Receipts = { waiting: 0 };
  readonly #peer: Peer;
  readonly #channels: StoredChannels;
  readonly #subject: string;
  readonly #resume: () => void;
  readonly #publishers = new Map<StoredChannel, StoredPublisher>();
  readonly #consumers = new Map<StoredChannel, Consumer>();
  /** The answer to the OPEN that is waiting for it: where a time is in a channel. */
  #found: { readonly channel: string; readonly time: number; readonly sequence: number } | undefined;

  /**
   * @param subject that of the session's token, or nothing: names of producers and consumers are its own
   * @param resume offers again what was answered with `LATER`
   */
  constructor(peer: Peer, channels: StoredChannels, subject: string, resume: () => void) {
    this.#peer = peer;
    this.#channels = channels;
    this.#subject = subject;
    this.#resume = resume;
  }

  /** Whether the session may wait for one more receipt. If not, it is resumed later. */
  hasRoomForReceipt(): boolean {
    return this.receipts.waiting < MAX_RECEIPTS || !this.waitsForReceipts();
  }

  /** Whether the session waits for receipts. If so, it is resumed when more is known. */
  waitsForReceipts(): boolean {
    if (this.receipts.waiting === 0) return false;
    this.#channels.whenSettled(this.#resume);
    return true;
  }

  /** The session as a publisher on `channel`. */
  publisher(channel: StoredChannel): StoredPublisher {
    let publisher = this.#publishers.get(channel);
    if (publisher === undefined) {
      const { refusal } = this.#channels;
      const commits = this.#channels.commitsOf(channel);
      publisher = new StoredPublisher(this.#peer, channel, commits, this.receipts, refusal);
      this.#publishers.set(channel, publisher);
    }
    return publisher;
  }

  /**
   * Checks what `open` asks of a stored channel, and finds the place to read from.
   *
   * @param mayPublish whether the session may publish there
   */
  prepare(channel: StoredChannel, open: Open, mayPublish: boolean): Refusal | typeof LATER | Prepared {
    const { producer, consumer, from, retry } = open;
    if (channel.isNew && this.#channels.isFull) {
      return tooManyStored();
    }
    const problem = channel.isDurable ? undefined : notDurableProblem(open);
    if (problem !== undefined) return problem;
    if (producer !== undefined && !mayPublish) {
      return notAllowed(`publish on ${channel.name}`);
    }
    if (consumer !== undefined && !this.#channels.mayConsume(channel, this.#key(consumer))) {
      return refusal("limit", `the server has ${MAX_CONSUMERS} consumers, its limit`);
    }
    const place = this.#place(channel, from);
    if (place === LATER || place !== undefined && typeof place !== "number") return place;
    if (retry) this.publisher(channel).retry();
    if (producer !== undefined) {
      const problem = this.#become(channel, producer);
      if (problem !== undefined) return problem;
    }
    return { place };
  }

  /** What OPENED says of `channel`. */
  describe(channel: StoredChannel): StoredDescription & { stored?: number } {
    return { ...channel.description, stored: this.#publishers.get(channel)?.producer?.stored };
  }

  /** The session has opened `channel`: it begins to read, if it subscribed. */
  begin(channel: StoredChannel, open: Open, { place }: Prepared): void {
    this.#publishers.get(channel)?.opened();
    const before = this.#consumers.get(channel);
    const after = this.#consumer(channel, open, place, before);
    if (before !== after) before?.leave(this.#peer);
    if (after === undefined) this.#consumers.delete(channel);
    else this.#consumers.set(channel, after);
    if (open.subscribe && after === undefined) this.#read(channel, place);
    else channel.sync();
  }

  /**
   * Makes the session the consumer that `open` names, or gives it other options: it stays `before` if `open` names none. A
   * new one begins at `place`.
   */
  #consumer(
    channel: StoredChannel,
    open: Open,
    place: Place,
    before: Consumer | undefined,
  ): Consumer | undefined {
    const { consumer: name, subscribe, group } = open;
    const stays = subscribe && group === undefined ? before : undefined;
    const consumer = name === undefined
      ? stays
      : this.#channels.consumer(channel, this.#key(name), (place ?? channel.first) - 1);
    consumer?.open(this.#peer, open);
    return consumer;
  }

  /** Handles the ACK, NAK or RENEW `bytes[from, to)`. Of what was not delivered to the session, it changes nothing. */
  acknowledge(channel: StoredChannel, bytes: Uint8Array, from: number, to: number): void {
    const consumer = this.#consumers.get(channel);
    if (consumer === undefined) return;
    const peer = this.#peer;
    const type = bytes[from];
    const first = firstSequence(bytes, from);
    if (type === Type.NAK) return consumer.nak(peer, first, nakDelay(bytes, from));
    const last = isRange(from, to) ? lastSequence(bytes, from) : undefined;
    if (type === Type.ACK) {
      if (last === undefined) consumer.ack(peer, first);
      else consumer.ackRange(peer, first, last);
    } else if (last === undefined) consumer.renew(peer, first);
    else consumer.renewRange(peer, first, last);
  }

  /** The session has ended. */
  end(): void {
    for (const publisher of this.#publishers.values()) publisher.leaveProducer();
    for (const consumer of this.#consumers.values()) consumer.leave(this.#peer);
  }

  #read(channel: StoredChannel, place: Place): void {
    const reader = channel.reader(this.#peer);
    if (place !== undefined) reader?.cursor.seek(place);
  }

  /** The session has left `channel`. */
  leave(channel: StoredChannel): void {
    this.#publishers.get(channel)?.leaveProducer();
    if (!this.#publishers.get(channel)?.isRefused) this.#publishers.delete(channel);
    this.#consumers.get(channel)?.leave(this.#peer);
    this.#consumers.delete(channel);
    channel.rest();
  }

  /** Has a session that is subscribed to a pattern read the last message of each channel. Returns how many there are. */
  readLast(pattern: readonly string[], isByName: (channel: StoredChannel) => boolean): number {
    let count = 0;
    for (const channel of this.#channels.covered(pattern)) {
      if (isByName(channel)) continue; // its subscription by name decides where it reads
      this.#read(channel, channel.last);
      count++;
    }
    return count;
  }

  #place(channel: StoredChannel, from: Open["from"]): Refusal | typeof LATER | Place {
    const { first, last } = channel;
    if (from === undefined) return undefined;
    switch (from.kind) {
      case "new":
        return last + 1;
      case "all":
        return first;
      case "last":
        return Math.max(first, last);
      case "time":
        return this.#placeOfTime(channel, from.time);
    }
    return placeProblem(channel, from) ?? from.sequence;
  }

  #placeOfTime(channel: StoredChannel, time: number): Place | typeof LATER {
    // The log does not know a channel of which nothing was ever stored, and none is kept until the answer comes.
    if (channel.isNew) return channel.last + 1;
    const found = this.#found;
    this.#found = undefined;
    if (found?.channel === channel.name && found.time === time) return found.sequence;
    this.#channels.findTime(channel, time).then((sequence) => {
      this.#found = { channel: channel.name, time, sequence };
      this.#resume();
    }, (error) => this.#channels.readFailed(channel, { wake: this.#resume }, error));
    return LATER;
  }

  /** Makes the session the producer `name`. OPENED waits until it is known what is stored of it. */
  #become(channel: StoredChannel, name: string): Refusal | typeof LATER | undefined {
    const key = this.#key(name);
    const known = channel.producers.get(key);
    if (known === undefined && this.#channels.producerCount >= MAX_PRODUCERS) {
      return refusal("limit", `the server has ${MAX_PRODUCERS} producers, its limit`);
    }
    const producer: Producer = known ?? { key, stored: 0, unsettled: 0, owner: undefined };
    channel.producers.set(key, producer);
    const publisher = this.publisher(channel);
    // Once for each OPEN, however often it is offered: another session may have taken the producer over since.
    if (!publisher.isOpening) publisher.becomes(producer);
    publisher.isOpening = true;
    if (producer.unsettled === 0) return undefined;
    this.#channels.commitsOf(channel).whenSettled(this.#resume);
    return LATER;
  }

  /** The name of a producer or consumer, with the subject whose own it is. */
  #key(name: string): string {
    return keyOf({ name, subject: this.#subject });
  }
}
