/**
 * What happened to the messages of one stored channel in one epoch, as those who sent, stored and received them saw it.
 *
 * Every message has a *writer* (a producer, or one session that publishes without being one), an *index* (the first
 * message of a writer has 1, the next one 2) and an *attempt*. A writer begins a new attempt with every session, and
 * after every message that was not stored; a producer sends a message again under its index, in a later attempt. Within
 * an attempt the indexes follow each other without gaps.
 *
 * @module
 */

import { type Range, Ranges } from "./ranges.ts";

/** Neighbouring messages of one writer. */
export interface Messages {
  readonly writer: number;
  readonly attempt: number;
  /** That of the first. */
  readonly index: number;
  readonly count: number;
}

/** Neighbouring messages and the sequence of the first. */
export interface Sequenced extends Messages {
  readonly sequence: number;
}

/** Messages that a reader received. */
export interface Received extends Sequenced {
  /** Whether POSITION said that they were delivered before. */
  readonly isAgain: boolean;
}

/** One attempt of a writer. */
export interface Attempt {
  readonly writer: number;
  readonly attempt: number;
  /** The indexes of what was sent: `[from, to)`. */
  readonly from: number;
  to: number;
  /** The highest index that a receipt names, and with it all before it; 0 if none does. */
  receipt: number;
  /** The indexes of messages to which ERROR said that they are not stored. */
  readonly refused: Ranges;
}

/** A receipt: the message, and everything before it in its attempt, is stored. */
export interface Receipt {
  readonly writer: number;
  readonly attempt: number;
  readonly index: number;
  readonly sequence: number;
}

/** What OPENED said to a producer that begins `attempt`: so many of its messages are stored. */
export interface Counted {
  readonly writer: number;
  readonly attempt: number;
  readonly stored: number;
}

/** One subscription that reads, or one session of several that share the messages. */
export class Reading {
  readonly received: Received[] = [];

  /** Notes that it received a message, or several. */
  receive(messages: Received): void {
    const last = this.received.at(-1);
    if (last !== undefined && !last.isAgain && !messages.isAgain && continues(last, messages)) {
      this.received[this.received.length - 1] = { ...last, count: last.count + messages.count };
    } else this.received.push(messages);
  }
}

/** What a reader is owed: all of it, a share of it, or all of it until it has acknowledged it. */
export type ReaderKind = "subscriber" | "group" | "consumer";

/** A subscription, a group, or a consumer. */
export interface Reader {
  readonly name: string;
  readonly kind: ReaderKind;
  /**
   * One of a subscriber. Those of a group share what is sent to it; those of a consumer, too, but only as long as they
   * have the same `life` of the server.
   */
  readonly readings: { readonly life: number; readonly reading: Reading }[];
  /** It must have had every message from this sequence on; `undefined` if it may have begun anywhere. */
  from: number | undefined;
  /** And up to this one, the sequence after the last; `undefined` if it may have ended anywhere. */
  to: number | undefined;
  /** It need not receive the messages of these writers. */
  ignores: Pick<ReadonlySet<number>, "has">;
  /** Of a consumer: the sequences that it has acknowledged, or had set aside. */
  readonly settled: Ranges;
}

/** See the module's comment. */
export class History {
  readonly attempts = new Map<string, Attempt>();
  readonly receipts: Receipt[] = [];
  readonly counted: Counted[] = [];
  /** What was stored, in the order of the sequences. */
  readonly stored: Sequenced[] = [];
  /** The sequences of what is gone with the knowledge of the store: dropped by retention, or damaged. */
  readonly dropped = new Ranges();
  readonly readers: Reader[] = [];

  /** A writer is about to send these messages. */
  sent({ writer, attempt, index, count }: Messages): void {
    const key = keyOf(writer, attempt);
    const known = this.attempts.get(key);
    if (known === undefined) {
      const [from, to] = [index, index + count];
      this.attempts.set(key, { writer, attempt, from, to, receipt: 0, refused: new Ranges() });
      return;
    }
    if (known.to !== index) throw new Error(`writer ${writer} sent ${index} after ${known.to - 1}`);
    known.to += count;
  }

  /** The attempt, which must have sent something. */
  attempt(writer: number, attempt: number): Attempt {
    const known = this.attempts.get(keyOf(writer, attempt));
    if (known === undefined) throw new Error(`writer ${writer} has sent nothing in attempt ${attempt}`);
    return known;
  }

  /** A receipt came. */
  receipt(receipt: Receipt): void {
    const attempt = this.attempt(receipt.writer, receipt.attempt);
    attempt.receipt = Math.max(attempt.receipt, receipt.index);
    this.receipts.push(receipt);
  }

  /** ERROR said of these messages that they are not stored. */
  refused({ writer, attempt, index, count }: Messages): void {
    this.attempt(writer, attempt).refused.add(index, index + count);
  }

  /** OPENED said how many messages of a producer are stored. */
  opened(counted: Counted): void {
    this.counted.push(counted);
  }

  /** The store has these messages, behind those noted before. */
  store(messages: Sequenced): void {
    const last = this.stored.at(-1);
    if (last !== undefined && continues(last, messages)) {
      this.stored[this.stored.length - 1] = { ...last, count: last.count + messages.count };
    } else this.stored.push(messages);
  }

  /** These sequences are gone: dropped by retention, or damaged. */
  drop({ from, to }: Range): void {
    this.dropped.add(from, to);
  }

  /** Adds a reader. */
  reader(name: string, kind: ReaderKind): Reader {
    const reader: Reader = {
      name,
      kind,
      readings: [],
      from: undefined,
      to: undefined,
      ignores: new Set(),
      settled: new Ranges(),
    };
    this.readers.push(reader);
    return reader;
  }
}

/** Adds a reading to a reader: a session's, in the server's `life`. */
export function addReading(reader: Reader, life: number = 0): Reading {
  const reading = new Reading();
  reader.readings.push({ life, reading });
  return reading;
}

export function keyOf(writer: number, attempt: number): string {
  return `${writer}/${attempt}`;
}

/** Whether `next` are the messages after `last`, of the same writer and attempt. */
function continues(last: Sequenced, next: Sequenced): boolean {
  return last.writer === next.writer && last.attempt === next.attempt &&
    last.index + last.count === next.index &&
    last.sequence + last.count === next.sequence;
}
