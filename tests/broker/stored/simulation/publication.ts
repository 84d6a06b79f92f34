/**
 * What one session publishes on one stored channel, and what it is told of it.
 *
 * @module
 */

import { HEADER_BYTES } from "../../../../lib/limits.ts";
import type { History } from "../../../crash/history.ts";
import { putNumbered } from "../../../crash/numbered.ts";

/** Neighbouring messages that are not answered yet. */
interface Entry {
  readonly attempt: number;
  readonly index: number;
  count: number;
  /** That of a single message that wants a receipt, or 0. */
  readonly id: number;
}

/** Where a publication stands. */
export interface PublicationOptions {
  readonly history: History;
  /** The channel's name and number. */
  readonly name: string;
  readonly channel: number;
  /** Whether the channel gives receipts. */
  readonly isDurable: boolean;
  /** The producer that the session is, if it is one. */
  readonly producer: string | undefined;
  readonly sender: number;
  readonly writer: number;
  readonly attempt: number;
  /** The index of the first message. */
  readonly next: number;
  readonly violated: (what: string) => void;
}

/** See the module's comment. */
export class Publication {
  readonly history: History;
  readonly channel: string;
  readonly isDurable: boolean;
  readonly producer: string | undefined;
  readonly writer: number;
  /** Whether the session has the channel open. */
  isOpen = true;
  /** Whether messages were refused since the last attempt began. */
  isRefused = false;
  /** Whether another session is the producer now. */
  isFenced = false;
  readonly #options: PublicationOptions;
  #attempt: number;
  /** The index with which the attempt began. */
  #first: number;
  #next: number;
  #confirmed: boolean;
  #entries: Entry[] = [];
  /** The attempts of which a message is known to be refused: so is every later one. */
  readonly #refusedAttempts = new Set<number>();

  constructor(options: PublicationOptions) {
    this.#options = options;
    this.history = options.history;
    this.channel = options.name;
    this.isDurable = options.isDurable;
    this.producer = options.producer;
    this.writer = options.writer;
    this.#attempt = options.attempt;
    this.#first = this.#next = options.next;
    this.#confirmed = options.producer === undefined;
  }

  /** Messages that want a receipt and have none. */
  get unanswered(): number {
    return this.#entries.reduce((sum, { id }) => sum + (id === 0 ? 0 : 1), 0);
  }

  /** What is sent from now on is another attempt, the next one unless it is given, from index `next` on. */
  begin(attempt: number = this.#attempt + 1, next: number = this.#next): void {
    this.#confirmed = this.producer === undefined;
    this.#attempt = attempt;
    this.#first = this.#next = next;
    this.isRefused = false;
  }

  /**
   * OPENED of a producer is as it says: it has published since, or has not been fenced. If another session had taken the
   * producer over before OPENED was sent, that one's messages may be stored, too.
   */
  confirm(): void {
    if (this.#confirmed || this.isFenced) return;
    this.#confirmed = true;
    this.history.opened({ writer: this.writer, attempt: this.#attempt, stored: this.#first - 1 });
  }

  /** Makes a message of `size` bytes; with a receipt if `id` is not 0. */
  message(id: number, size: number): Uint8Array {
    this.confirm();
    const { channel, sender, writer } = this.#options;
    const message = { writer, attempt: this.#attempt, index: this.#next++, count: 1 };
    this.history.sent(message);
    const last = this.#entries.at(-1);
    if (id === 0 && last?.id === 0 && last.attempt === this.#attempt) last.count++;
    else this.#entries.push({ ...message, id });
    const bytes = new Uint8Array(HEADER_BYTES + size);
    putNumbered(bytes, 0, { channel, sender, id, size }, message);
    return bytes;
  }

  /** ACK came. */
  acknowledged(id: number, sequence: number): void {
    const entry = this.#take(id);
    if (entry === undefined) return this.#options.violated(`ACK of ${id}, which waits for none`);
    const { attempt, index } = entry;
    if (this.#refusedAttempts.has(attempt)) {
      this.#options.violated(`message ${index} has a receipt, but one before it was refused`);
    }
    this.history.receipt({ writer: this.writer, attempt, index, sequence });
  }

  /** ERROR came: `not_stored` or `fenced`. */
  refused(id: number, code: string): void {
    if (code === "fenced") this.isFenced = true;
    else this.isRefused = true;
    if (id === 0) {
      // It answers some of the messages without a receipt that come first, if another session is not just the producer
      // now; which of them is certain only if one before them was refused, too.
      const [entry] = this.#entries;
      if (entry?.id === 0 && this.#refusedAttempts.has(entry.attempt)) this.#refuse(entry);
      return;
    }
    const entry = this.#take(id);
    if (entry === undefined) return this.#options.violated(`ERROR ${code} of ${id}, which waits for none`);
    this.#refusedAttempts.add(entry.attempt);
    this.#refuse(entry);
  }

  /** Takes everything up to the message with this id, which must be the first that waits for an answer. */
  #take(id: number): Entry | undefined {
    const at = this.#entries.findIndex((entry) => entry.id !== 0);
    if (at < 0 || this.#entries[at].id !== id) return undefined;
    const [entry] = this.#entries.splice(0, at + 1).slice(-1);
    return entry;
  }

  #refuse({ attempt, index, count }: Entry): void {
    this.history.refused({ writer: this.writer, attempt, index, count });
  }
}
