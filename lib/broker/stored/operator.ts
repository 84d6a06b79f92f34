/**
 * What an operator sees of stored channels, and does with them while the server runs.
 *
 * @module
 */

import { ParleyError } from "../../errors.ts";
import { HEADER_BYTES, READ_AHEAD_BYTES } from "../../limits.ts";
import { type Header, readHeader } from "../../wire/header.ts";
import type { Consumer } from "./consumer.ts";
import type { ConsumerStats, Which } from "./consumer_context.ts";
import { skipMessages } from "./cursor.ts";
import { type Named, namedBy } from "./key.ts";
import type { SetAside } from "./log.ts";
import type { StoredChannel } from "./stored_channel.ts";
import type { StoredChannels } from "./stored_channels.ts";

/** What `list` says of a channel. */
export interface ListedChannel {
  readonly channel: string;
  readonly storage: "durable" | "history";
  readonly epoch: string;
  readonly messages: number;
  readonly bytes: number;
  readonly first: number;
  readonly last: number;
  /** When the oldest and the newest message were stored, in milliseconds since 1970; null if there is none. */
  readonly oldest: number | null;
  readonly newest: number | null;
  readonly producers: readonly (Named & { readonly stored: number })[];
  readonly consumers: readonly (Named & ConsumerStats & { readonly lag: number })[];
}

/** A stored message. */
export interface ListedMessage {
  readonly sequence: number;
  readonly time: number;
  readonly header: Header;
  readonly payload: Uint8Array;
}

/** Which consumer is meant. */
export interface ConsumerName {
  readonly channel: string;
  readonly consumer: string;
  /** Needed if consumers of several subjects have that name. */
  readonly subject?: string;
}

/** See the module's comment. Every method fails with `bad_argument` if there is no such channel or consumer. */
export class StoreOperator {
  readonly #channels: StoredChannels;

  constructor(channels: StoredChannels) {
    this.#channels = channels;
  }

  /** All stored channels, or one of them. */
  async list(name?: string): Promise<ListedChannel[]> {
    const channels = name === undefined ? [...this.#channels.all] : [this.#channel(name)];
    const listed: ListedChannel[] = [];
    for (const channel of channels) listed.push(await this.#describe(channel));
    return listed.sort((one, other) => one.channel < other.channel ? -1 : 1);
  }

  /** Up to `count` messages of a channel, from the sequence `from` on. */
  async *messages(name: string, from: number, count: number): AsyncGenerator<ListedMessage> {
    const channel = this.#channel(name);
    for (let at = Math.max(from, channel.first); count > 0 && at <= channel.last;) {
      const runs = await this.#channels.read(channel, at, READ_AHEAD_BYTES);
      if (runs.length === 0) return;
      for (const { first, count: messages, bytes, time = 0 } of runs) {
        const skipped = Math.max(0, at - first);
        let offset = skipMessages(bytes, 0, skipped);
        for (let sequence = first + skipped; sequence < first + messages && count > 0; sequence++, count--) {
          const header = readHeader(bytes, offset);
          const end = offset + HEADER_BYTES + header.length;
          yield { sequence, time, header, payload: bytes.slice(offset + HEADER_BYTES, end) };
          offset = end;
          at = sequence + 1;
        }
      }
    }
  }

  /** Drops what is stored below the sequence `before`, or everything. Resolves to how many messages that are. */
  async purge(name: string, before: number = Infinity): Promise<number> {
    const channel = this.#channel(name);
    const { commits } = this.#channels.storageOf(channel.policy);
    const was = channel.first;
    const first = Math.min(before, channel.last + 1);
    if (first > was) commits.trim({ channel: channel.number, first, bytes: Infinity, before: -Infinity });
    while (channel.first < first) await commits.next();
    return channel.first - was;
  }

  /** Deletes a channel with all that belongs to it. If it is used again, it has the epoch `epoch`. */
  async delete(name: string, epoch: string): Promise<void> {
    const channel = this.#channel(name);
    const storage = this.#channels.storageOf(channel.policy);
    while (channel.isBeingStored) await storage.commits.next();
    for (const consumer of channel.consumers.values()) this.#channels.forget(consumer);
    if (!channel.isNew) storage.commits.deleteChannel(channel.number, epoch);
    storage.epoch = epoch;
    channel.restart(epoch);
    channel.rest();
    this.#channels.closed(channel);
    await storage.commits.settled();
  }

  /** Has a consumer go on after the sequence `position`. */
  reset(name: ConsumerName, position: number): Promise<void> {
    return this.#change(name, (consumer) => consumer.reset(position));
  }

  /** Has a consumer deliver nothing until `resume`. */
  pause(name: ConsumerName): Promise<void> {
    return this.#change(name, (consumer) => consumer.pause());
  }

  /** See {@linkcode StoreOperator.pause}. */
  resume(name: ConsumerName): Promise<void> {
    return this.#change(name, (consumer) => consumer.resume());
  }

  /** The messages of a consumer that are set aside. */
  setAside(name: ConsumerName): SetAside[] {
    return this.#consumer(name)[1].setAsideMessages();
  }

  /** Has messages delivered again that were set aside. Resolves to how many. */
  giveBack(name: ConsumerName, which: Which): Promise<number> {
    return this.#change(name, (consumer) => consumer.giveBack(which));
  }

  /** Gives up messages that were set aside. Resolves to how many. */
  drop(name: ConsumerName, which: Which): Promise<number> {
    return this.#change(name, (consumer) => consumer.drop(which));
  }

  /** Deletes a consumer: its position is forgotten. */
  async deleteConsumer(name: ConsumerName): Promise<void> {
    const [channel, consumer] = this.#consumer(name);
    const { commits } = this.#channels.storageOf(channel.policy);
    channel.consumers.delete(consumer.key);
    this.#channels.forget(consumer);
    commits.deleteConsumer({ channel: channel.number, consumer: consumer.key });
    await commits.settled();
  }

  /** Changes a consumer, and waits until that is stored. */
  async #change<T>(name: ConsumerName, change: (consumer: Consumer) => T): Promise<T> {
    const [channel, consumer] = this.#consumer(name);
    const result = change(consumer);
    await this.#channels.storageOf(channel.policy).commits.settled();
    return result;
  }

  async #describe(channel: StoredChannel): Promise<ListedChannel> {
    const { name, policy, epoch, first, last, bytes, producers, consumers } = channel;
    return {
      channel: name,
      storage: policy.storage,
      epoch,
      messages: last - first + 1,
      bytes,
      first,
      last,
      oldest: await this.#timeOf(channel, first),
      newest: await this.#timeOf(channel, last),
      producers: [...producers.values()].map(({ key, stored }) => ({ ...namedBy(key), stored })),
      consumers: [...consumers.values()].map(({ key, stats }) => (
        { ...namedBy(key), ...stats, lag: last - Math.max(stats.position, first - 1) }
      )),
    };
  }

  async #timeOf(channel: StoredChannel, sequence: number): Promise<number | null> {
    if (channel.first > channel.last) return null;
    const [run] = await this.#channels.read(channel, sequence, 1);
    return run?.time ?? null;
  }

  #channel(name: string): StoredChannel {
    const channel = this.#channels.find(name);
    if (channel !== undefined) return channel;
    throw new ParleyError("bad_argument", `${name} is not a stored channel of this server`);
  }

  #consumer({ channel: name, consumer, subject }: ConsumerName): [StoredChannel, Consumer] {
    const channel = this.#channel(name);
    const found = [...channel.consumers.values()].filter(({ key }) => {
      const named = namedBy(key);
      return named.name === consumer && (subject === undefined || named.subject === subject);
    });
    if (found.length === 1) return [channel, found[0]];
    if (found.length === 0) throw new ParleyError("bad_argument", `${name} has no consumer ${consumer}`);
    const subjects = found.map(({ key }) => namedBy(key).subject).join(", ");
    throw new ParleyError(
      "bad_argument",
      `several subjects have a consumer ${consumer}: ${subjects}; say which`,
    );
  }
}
