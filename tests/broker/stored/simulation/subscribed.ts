/**
 * A subscription of a session as its client sees it: by name or pattern, in a group or as a consumer.
 *
 * @module
 */

import { DEFAULT_WINDOW } from "../../../../lib/limits.ts";
import type { Opened } from "../../../../lib/wire/control.ts";
import { covers } from "../../../fuzz/model/open_state.ts";
import { isPattern } from "../../../../lib/wire/names.ts";
import {
  addReading,
  type Reader,
  type ReaderKind,
  type Reading,
  type Received,
} from "../../../crash/history.ts";
import type { OpenOptions } from "../../../harness/raw_client.ts";
import type { Records, Shared } from "./records.ts";

/** What a subscription is made from. */
export interface SubscriptionOptions {
  readonly records: Records;
  /** The life of the server. */
  readonly life: number;
  readonly opened: Opened;
  readonly open: OpenOptions;
  /** The group or consumer that the session is in. */
  readonly shared: Shared | undefined;
  /** The sequence after the last one of each channel, when OPENED was sent. */
  readonly nexts: ReadonlyMap<string, number>;
  readonly epochOf: (channel: string) => string;
  /** The sequence of the first message of a channel that was stored at `time` or later. */
  readonly placeOfTime: (channel: string, time: number) => number;
  /** The writers that the session is. */
  readonly own: Set<number>;
}

/** A message that a session of a consumer has received and not dealt with. */
export interface Unsettled {
  readonly sequence: number;
  /** Whether it was delivered before. */
  readonly isAgain: boolean;
  /** When the server sent it. */
  readonly sentAt: number;
}

/** The shortest time without an ACK after which a message of any schedule is delivered again, in milliseconds. */
const MIN_ACK_MS = 1_000;

/** One channel of a subscription. */
interface Part {
  readonly reader: Reader;
  readonly reading: Reading;
  readonly channel: string;
}

/** See the module's comment. */
export class Subscribed {
  /** The name or pattern. */
  readonly channel: string;
  readonly kind: ReaderKind;
  readonly open: OpenOptions;
  /** Of a name: the sequence after the last message it has had, and its epoch. */
  next: number;
  readonly epoch: string;
  /** Of a consumer: what it has not acknowledged, in the order in which it came. */
  unsettled: Unsettled[] = [];
  /** When the session last sent an ACK or NAK. */
  answeredAt = -Infinity;
  readonly number: number;
  readonly #options: SubscriptionOptions;
  /** By the number of the channel. */
  readonly #parts = new Map<number, Part>();
  #isEnded = false;

  /** @param continued what it goes on with, in another session */
  constructor(options: SubscriptionOptions, continued?: Reader) {
    const { opened: { channel, number, epoch = "", last = 0 }, open, life } = options;
    this.#options = options;
    this.channel = channel;
    this.number = number;
    this.epoch = epoch;
    this.open = open;
    this.kind = open.consumer !== undefined ? "consumer" : open.group !== undefined ? "group" : "subscriber";
    this.next = this.#placeOf(channel, last + 1, true);
    if (isPattern(channel)) return;
    const reader = continued ?? this.#newReader(channel, this.next);
    this.#ignoreOwn(reader);
    this.#parts.set(number, { reader, reading: addReading(reader, life), channel });
  }

  get isPattern(): boolean {
    return isPattern(this.channel);
  }

  /** Where another session goes on. A client that has had nothing need not be anywhere that the channel has got to. */
  get place(): OpenOptions["from"] {
    const { next: sequence, epoch, open: { from } } = this;
    const isAhead = typeof from === "object" && "sequence" in from && from.sequence === sequence;
    return isAhead ? from : { sequence, epoch };
  }

  /** The same subscriber in another session, from where it was; another one if the channel has begun anew. */
  continue(options: SubscriptionOptions): Subscribed {
    const [part] = this.#parts.values();
    const isSame = this.kind === "subscriber" && options.opened.epoch === this.epoch;
    return new Subscribed(options, isSame ? part.reader : undefined);
  }

  /** A message came, which was sent at `sentAt`. */
  receive(number: number, channel: string, message: Received, sentAt: number): void {
    let part = this.#parts.get(number);
    if (part === undefined) {
      const after = this.#options.nexts.get(channel) ?? 1;
      const reader = this.#newReader(
        channel,
        this.#placeOf(channel, after, this.#options.nexts.has(channel)),
      );
      this.#parts.set(number, part = { reader, reading: addReading(reader, this.#options.life), channel });
    }
    const { sequence, isAgain } = message;
    if (isAgain && this.kind !== "consumer") {
      this.#options.records.violated(`a ${this.kind} was told that ${sequence} was delivered before`);
    }
    // A pattern that takes over from one that was left goes on from its place.
    const isExact = this.kind !== "consumer" && !this.isPattern &&
      !(typeof this.open.from === "object" && "time" in this.open.from);
    if (isExact && sequence < (part.reader.from ?? 0)) {
      this.#options.records.violated(
        `a ${this.kind} from ${part.reader.from} received ${sequence} of ${channel}`,
      );
    }
    part.reading.receive(message);
    if (this.kind === "consumer") this.#consume(sequence, isAgain, sentAt);
    else this.next = Math.max(this.next, sequence + 1);
  }

  #consume(sequence: number, isAgain: boolean, sentAt: number): void {
    this.unsettled.push({ sequence, isAgain, sentAt });
    const { window = DEFAULT_WINDOW } = this.open;
    if (this.unsettled.length <= window) return;
    // What was sent less than the shortest time before cannot have been taken from the session since; nor can it be dealt
    // with if it was sent after the last answer, which may be about a message that was on its way again.
    const since = Math.max(sentAt - MIN_ACK_MS, this.answeredAt);
    const onTheirWay = this.unsettled.filter((before) => before.sentAt > since).length;
    if (onTheirWay <= window) return;
    this.#options.records.violated(
      `${onTheirWay} messages are on their way to a session with window ${window}`,
    );
  }

  /** Of a consumer: these messages are dealt with. */
  settle(sequence: number): void {
    for (const { reader } of this.#parts.values()) reader.settled.add(sequence, sequence + 1);
  }

  /** The session has left, or ended. */
  end(): void {
    this.#isEnded = true;
  }

  /** It is still there, and everything that is stored has been sent and read. */
  complete(nexts: ReadonlyMap<string, number>): void {
    if (this.#isEnded) return;
    if (isPattern(this.channel)) this.#addMissing(nexts);
    for (const { reader, channel } of this.#parts.values()) {
      if (this.kind === "group" && !this.#options.shared!.isComplete) continue;
      reader.to = nexts.get(channel) ?? 1;
    }
  }

  /** Channels of a pattern of which it has received nothing. */
  #addMissing(nexts: ReadonlyMap<string, number>): void {
    const { nexts: before } = this.#options;
    const had = new Set([...this.#parts.values()].map(({ channel }) => channel));
    for (const channel of nexts.keys()) {
      if (had.has(channel) || !covers(this.channel, channel)) continue;
      const reader = this.#newReader(
        channel,
        this.#placeOf(channel, before.get(channel) ?? 1, before.has(channel)),
      );
      this.#parts.set(-this.#parts.size - 1, { reader, reading: addReading(reader), channel });
    }
  }

  /** The first sequence that it must receive of a channel whose next one is `next`. */
  #placeOf(channel: string, next: number, isKnown: boolean): number {
    const { from } = this.open;
    if (this.kind === "consumer") return 1;
    if (this.kind === "group") return this.#options.shared!.from;
    if (from === undefined || from === "new" || !isKnown) return next;
    if (from === "all") return 1;
    if (from === "last") return Math.max(1, next - 1);
    if ("sequence" in from) return from.sequence;
    return this.#options.placeOfTime(channel, Date.parse(from.time));
  }

  #newReader(channel: string, from: number): Reader {
    const { records, epochOf, shared } = this.#options;
    const make = () => {
      const reader = records.historyOf(channel, epochOf(channel)).reader(this.#nameOf(channel), this.kind);
      reader.from = from;
      return reader;
    };
    const reader = shared === undefined ? make() : shared.reader ??= make();
    return reader;
  }

  /** Without `echo`, the messages of this session need not come; nor those of the sessions that it continues. */
  #ignoreOwn(reader: Reader): void {
    const { open: { echo }, own } = this.#options;
    const { ignores } = reader;
    if (echo === false) reader.ignores = { has: (writer) => own.has(writer) || ignores.has(writer) };
  }

  #nameOf(channel: string): string {
    const { open, life } = this.#options;
    const by = this.channel === channel ? "" : ` by ${this.channel}`;
    const who = open.consumer !== undefined
      ? `consumer ${open.consumer}`
      : open.group !== undefined
      ? `group ${open.group}`
      : `subscriber from ${JSON.stringify(open.from ?? "new")}`;
    return `${who} of ${channel}${by} in life ${life}`;
  }
}
