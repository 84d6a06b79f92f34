/**
 * A connection that stores messages and counts their receipts.
 *
 * @module
 */

import { type Broker, channelName, type Command } from "../../brokers/broker.ts";
import type { Burst, Receipts, StoredClient } from "../../brokers/stored/client.ts";
import { RawSocket } from "../../sockets.ts";

/** The names of `count` channels. */
export function channelNames(count: number): string[] {
  return Array.from({ length: count }, (_, index) => channelName(index));
}

/** Makes the server store what is sent to `channels`. */
export function prepare(broker: Broker, port: number, channels: readonly string[]): void {
  const socket = RawSocket.connect(port);
  executeAll(socket, broker.newStoredClient!().prepare(channels));
  socket.close();
}

/** Executes one command after the other; each is made when the one before it is answered. */
export function executeAll(socket: RawSocket, commands: Iterable<Command>): void {
  for (const command of commands) socket.execute(command);
}

/** What `Producer` sends and how often. */
export interface Pace {
  readonly payload: Uint8Array;
  /** Messages of one write. */
  readonly burst: number;
  /** The most messages without a receipt. */
  readonly window: number;
}

/** Stores bursts of messages on one connection. The caller waits for events of `socket` and passes them on. */
export class Producer {
  readonly socket: RawSocket;
  readonly #bursts: readonly Burst[];
  readonly #receipts: Receipts;
  readonly #messagesPerReceipt: number;
  readonly #chunk = new Uint8Array(256 * 1024);
  /** Bursts begun, and the position in the last one of them if the kernel has not accepted all of it. */
  #begun = 0;
  #at = 0;
  #isBlocked = false;
  #receiptCount = 0;

  constructor(broker: Broker, port: number, channels: readonly string[], pace: Pace) {
    const { payload } = pace;
    const window = Math.min(pace.window, broker.maxPipelined ?? Infinity);
    const burst = Math.min(pace.burst, Math.ceil(window / 4));
    const client: StoredClient = broker.newStoredClient!();
    this.socket = RawSocket.connect(port);
    executeAll(this.socket, client.produce(channels));
    this.#bursts = Array.from(
      { length: Math.max(1, Math.floor(window / burst)) },
      (_, number) => client.burst(channels, payload, burst, number),
    );
    this.#receipts = client.receipts();
    this.#messagesPerReceipt = burst / this.#bursts[0].receipts;
  }

  /** Messages that are stored: their receipts have come. */
  get stored(): number {
    return this.#receiptCount * this.#messagesPerReceipt;
  }

  /** Messages sent; of a burst that the kernel has accepted in part, all of them. */
  get sent(): number {
    return this.#begun * this.#bursts[0].receipts * this.#messagesPerReceipt;
  }

  /** Whether `send` could send something. */
  get canSend(): boolean {
    return !this.#isBlocked && (this.#at > 0 || this.#hasWindow());
  }

  /** Sends what is left of the last burst, or the next one. */
  send(): void {
    if (this.#at === 0) this.#begun++;
    const { bytes } = this.#bursts[(this.#begun - 1) % this.#bursts.length];
    const count = this.socket.send(bytes, this.#at);
    this.#at += count;
    this.#isBlocked = this.#at < bytes.length;
    if (!this.#isBlocked) this.#at = 0;
  }

  /** Whether a burst is sent in part; it must be completed before the connection can be used for anything else. */
  get isWithinBurst(): boolean {
    return this.#at > 0;
  }

  /** There is room to send again. */
  unblock(): void {
    this.#isBlocked = false;
  }

  /** Counts the receipts that have come. */
  receive(): void {
    for (;;) {
      const count = this.socket.receive(this.#chunk);
      if (count === 0) throw new Error("the server closed a producer's connection");
      if (count < 0) return;
      this.#receiptCount += this.#receipts.count(this.#chunk, count);
      if (count < this.#chunk.length) return;
    }
  }

  /** The next burst does not need the identifiers of one that waits for its receipts. */
  #hasWindow(): boolean {
    const { length, [0]: { receipts } } = this.#bursts;
    return this.#begun * receipts - this.#receiptCount <= (length - 1) * receipts;
  }
}
