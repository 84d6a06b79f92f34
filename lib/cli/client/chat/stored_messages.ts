/**
 * What the server has stored of the channels of a chat, for `/history`.
 *
 * @module
 */

import type { Client, StoredChannel } from "../../../client/api.ts";
import type { Message } from "../../../client/message_types.ts";
import type { PresenceChange } from "../../../client/options.ts";
import { ParleyError } from "../../../errors.ts";

/** How many messages `/history` shows, and the most that it can be told to. */
const [DEFAULT_COUNT, MAX_COUNT] = [20, 1_000];

/** How long the server may take to open the channel, in milliseconds. */
const ANSWER_MS = 10_000;

/** Reads stored messages, each time in a session of its own, beside the one that talks. */
export class StoredMessages {
  readonly #client: Client;
  /** The highest sequence received of each channel. */
  readonly #sequences = new Map<string, number>();
  #readings = 0;
  /** The sessions that read. */
  readonly #readers = new Set<number>();

  constructor(client: Client) {
    this.#client = client;
  }

  /** A message of `channel` with this sequence was received; 0 if the channel is not stored. */
  received(channel: string, sequence: number): void {
    if (sequence > 0) this.#sequences.set(channel, sequence);
  }

  /** The channels may have begun anew. */
  forget(): void {
    this.#sequences.clear();
  }

  /**
   * The last messages of `channel`, as many as `given` says.
   *
   * @param stored what was stored when the channel was joined; undefined if the server does not store it
   */
  async last(channel: string, stored: StoredChannel | undefined, given: string): Promise<Message[]> {
    if (stored === undefined) {
      throw new ParleyError("bad_argument", `the server stores nothing of ${channel}`);
    }
    const count = given === "" ? DEFAULT_COUNT : Number(given);
    if (!Number.isInteger(count) || count < 1 || count > MAX_COUNT) {
      throw new ParleyError("bad_argument", `/history takes a number from 1 to ${MAX_COUNT}`);
    }
    this.#readings++;
    try {
      // This client does not receive what it has said since, so this may read more than it returns.
      const seen = Math.max(stored.last, this.#sequences.get(channel) ?? 0);
      const messages = await this.#read(channel, Math.max(1, seen - count + 1), count);
      await this.#client.ping(); // the presence of the session that has read comes before the answer
      return messages;
    } finally {
      this.#readings--;
    }
  }

  async #read(channel: string, from: number, count: number): Promise<Message[]> {
    const messages: Message[] = [];
    const reading = await this.#client.subscribe(channel, { from, timeoutMs: ANSWER_MS });
    const { first, last } = reading.stored!;
    if (first <= last) {
      for await (const message of reading) {
        if (message.sequence <= last) messages.push(message);
        if (messages.length > count) messages.shift();
        if (message.sequence >= last) break;
      }
    }
    await reading.end();
    return messages;
  }

  /** Whether a change of presence is that of a session which reads, and thus no news. */
  isOwn({ type, sessionId, name }: PresenceChange): boolean {
    if (type === "parted") return this.#readers.delete(sessionId);
    if (this.#readings <= this.#readers.size || name !== this.#client.name) return false;
    this.#readers.add(sessionId);
    return true;
  }
}
