/**
 * One session as a publisher on one stored channel: its receipts, the producer that it is, and what is refused to it.
 *
 * @module
 */

import type { ErrorCode } from "../../errors.ts";
import { putReceipt, SEQUENCE_FRAME_BYTES } from "../../wire/sequences.ts";
import type { Peer } from "../peer.ts";
import type { Commits } from "./commits.ts";
import { namedBy } from "./key.ts";
import type { StoredChannel } from "./stored_channel.ts";
import type { Entry, Producer, Settler } from "./tail.ts";

/** Receipts that one session waits for, on all channels. */
export interface Receipts {
  waiting: number;
}

/** See the module's comment. */
export class StoredPublisher implements Settler {
  readonly #peer: Peer;
  readonly #channel: StoredChannel;
  readonly #commits: Commits;
  readonly #receipts: Receipts;
  /** Why a message of the session cannot be stored now, if it cannot. */
  readonly #refusal: (channel: StoredChannel, bytes: number, count: number) => string | undefined;
  /** Its messages of which it is not known whether they are stored. */
  #unsettled = 0;
  /** Why a message was not stored: every later one is refused until the session opens the channel to try again. */
  #refused: string | undefined;
  #producer: Producer | undefined;
  #receipt: Uint8Array | undefined;

  constructor(
    peer: Peer,
    channel: StoredChannel,
    commits: Commits,
    receipts: Receipts,
    refusal: (channel: StoredChannel, bytes: number, count: number) => string | undefined,
  ) {
    this.#peer = peer;
    this.#channel = channel;
    this.#commits = commits;
    this.#receipts = receipts;
    this.#refusal = refusal;
  }

  /** The producer that the session is on the channel. */
  get producer(): Producer | undefined {
    return this.#producer;
  }

  /**
   * Stores `count` messages `bytes[from, to)` with the next commit, or refuses them.
   *
   * @param id that of a single message that wants a receipt, or 0
   * @returns whether they were taken; if not, `waiter` will be called
   */
  append(
    bytes: Uint8Array,
    from: number,
    to: number,
    count: number,
    id: number,
    waiter: () => void,
  ): boolean {
    const producer = this.#producer;
    if (producer !== undefined && producer.owner !== this) {
      return this.#refuse(
        "fenced",
        `another session is producer ${namedBy(producer.key).name} now`,
        id,
        waiter,
      );
    }
    this.#refused ??= this.#refusal(this.#channel, to - from, count);
    if (this.#refused !== undefined) return this.#refuse("not_stored", this.#refused, id, waiter);
    if (!this.#commits.hasRoom(to - from, waiter)) return false;
    this.#commits.append(this.#channel, bytes, from, to, count, this, id);
    this.#unsettled += count;
    if (producer !== undefined) producer.unsettled += count;
    if (id !== 0) this.#receipts.waiting++;
    return true;
  }

  /** Whether what the session sends is refused, because a message was not stored. */
  get isRefused(): boolean {
    return this.#refused !== undefined;
  }

  /** The session may try again, after a message was not stored. */
  retry(): void {
    this.#refused = undefined;
  }

  /** The session waits for its OPENED as a producer: if it is taken over before that, it is told behind it. */
  isOpening = false;

  /** The session has its OPENED as a producer. */
  opened(): void {
    const producer = this.#producer;
    if (!this.isOpening || producer === undefined) return;
    this.isOpening = false;
    if (producer.owner !== this) this.#fenced(producer);
  }

  /** The session is this producer from now on. Another one that was it is told, and what it still sends is fenced. */
  becomes(producer: Producer): void {
    if (this.#producer === producer && producer.owner === this) return;
    this.leaveProducer();
    const before = producer.owner;
    producer.owner = this;
    this.#producer = producer;
    if (before instanceof StoredPublisher) before.#fenced(producer);
  }

  /** The session is no producer any more: it ended, or has left the channel. */
  leaveProducer(): void {
    const producer = this.#producer;
    this.#producer = undefined;
    if (producer?.owner !== this) return;
    producer.owner = undefined;
    if (producer.stored + producer.unsettled === 0) this.#channel.producers.delete(producer.key);
  }

  stored(entry: Entry, sequence: number): void {
    const { producer, count, id } = entry;
    this.#settled(entry);
    if (producer !== undefined) producer.stored += count;
    if (id === 0) return;
    const receipt = this.#receipt ??= new Uint8Array(SEQUENCE_FRAME_BYTES); // the outbox copies it
    putReceipt(receipt, 0, id, this.#channel.number, sequence);
    this.#peer.outbox.send(receipt, 0, receipt.length);
  }

  notStored(entry: Entry, reason: string): void {
    this.#settled(entry);
    this.#refused = reason;
    this.#answer("not_stored", reason, entry.id);
  }

  /** It is known what became of `entry`: undoes what `append` counted. */
  #settled({ producer, count, id }: Entry): void {
    this.#unsettled -= count;
    if (producer !== undefined) producer.unsettled -= count;
    if (id !== 0) this.#receipts.waiting--;
  }

  #fenced(producer: Producer): void {
    if (this.isOpening) return;
    this.#answer("fenced", `another session has taken over producer ${namedBy(producer.key).name}`, 0);
  }

  /** Answers come in order: a refusal waits until it is known what becomes of the messages before. */
  #refuse(code: ErrorCode, message: string, id: number, waiter: () => void): boolean {
    if (this.#unsettled > 0) {
      this.#commits.whenSettled(waiter);
      return false;
    }
    this.#answer(code, message, id);
    return true;
  }

  #answer(code: ErrorCode, message: string, id: number): void {
    this.#peer.refuse(code, `${this.#channel.name}: ${message}`, id, this.#channel.number);
  }
}
