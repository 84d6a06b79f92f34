/**
 * The durable channels that a client publishes on, and the producers it is.
 *
 * A channel stays known while there is no connection, because a message for it resolves only when it is stored.
 *
 * @module
 */

import type { ParleyError } from "../errors.ts";
import type { Producer } from "./api.ts";
import { badArgument } from "./checks.ts";
import { DurableChannel } from "./durable_channel.ts";
import { KEPT_BYTES, MAX_PENDING_FACTOR } from "./limits.ts";
import type { Payload } from "./message_types.ts";
import type { EncodedMessage } from "./frame_writer.ts";
import type { PublishOptions } from "./options.ts";
import { ClientProducer } from "./producer.ts";
import type { ReconnectingSession } from "./reconnecting.ts";
import type { Session } from "./session.ts";
import type { Wait } from "./waiting.ts";

/** Limits, and where what no call reports goes. */
export interface DurableChannelsOptions {
  /** See `ReconnectOptions.keptBytes`. */
  readonly keptBytes: number;
  /** How much may wait for receipts without a producer. */
  readonly pendingBytes: number;
  /** Messages on channel `name` were not stored, or may not be, and no call has reported it. */
  readonly unreported: (error: ParleyError, name: string) => void;
}

/** The codes for messages of a durable channel. Others are for what a consumer sends there. */
const REJECTS_MESSAGES: readonly string[] = ["not_stored", "fenced", "forbidden"];

/** The durable channels of one client. A server has at most some 65,000, so none is forgotten. */
export class DurableChannels {
  readonly #line: ReconnectingSession;
  readonly #options: DurableChannelsOptions;
  readonly #byName = new Map<string, DurableChannel>();

  /** Publishes by the current session of `line`. */
  constructor(line: ReconnectingSession, options: DurableChannelsOptions) {
    this.#line = line;
    this.#options = options;
  }

  /** How many messages are not settled. */
  get count(): number {
    let count = 0;
    for (const channel of this.#byName.values()) count += channel.count;
    return count;
  }

  /** A channel that is known to be durable. */
  get(name: string): DurableChannel | undefined {
    return this.#byName.get(name);
  }

  /** The server has opened a durable channel, on which this client is no producer. */
  add(name: string): DurableChannel {
    return this.#byName.get(name) ?? this.#add(name, undefined);
  }

  #add(name: string, producer: string | undefined): DurableChannel {
    const { keptBytes, pendingBytes, unreported } = this.#options;
    const bytes = producer === undefined ? pendingBytes : Math.max(keptBytes, KEPT_BYTES);
    const channel: DurableChannel = new DurableChannel(name, producer, this.#line, {
      maxBytes: bytes * MAX_PENDING_FACTOR,
      maxKept: keptBytes * MAX_PENDING_FACTOR,
      gone: () => {
        if (this.#byName.get(name) === channel) this.#byName.delete(name);
      },
      unreported: (error) => unreported(error, name),
    });
    this.#byName.set(name, channel);
    return channel;
  }

  /**
   * Publishes on a channel that is known to be durable, or as a producer; see `Client.publish`.
   *
   * @throws {ParleyError} as `DurableChannel.publish`
   */
  publish(name: string, payload: Payload, options: PublishOptions | undefined): Promise<void> {
    const producer = options?.producer;
    const channel = producer === undefined ? this.#byName.get(name)! : this.#producer(name, producer);
    if (channel.producer !== producer) {
      const text =
        `this client publishes on ${name} as producer ${channel.producer}, and every message counts`;
      throw badArgument(`${text}; name the producer, or use a second client`);
    }
    return channel.publish(payload, options);
  }

  /** Publishes a message that was kept, as a producer. */
  async publishEncoded(name: string, producer: string, message: EncodedMessage): Promise<void> {
    const channel = this.#producer(name, producer);
    if (channel.endError !== undefined) throw channel.endError;
    await channel.publishEncoded(message);
  }

  /** The channel as which this client is a producer. */
  #producer(name: string, producer: string): DurableChannel {
    const known = this.#byName.get(name);
    if (known?.producer === producer) return known;
    if (known?.producer !== undefined) {
      throw badArgument(
        `this client is producer ${known.producer} on ${name}; use a second client for another`,
      );
    }
    if (known !== undefined && known.count > 0) {
      throw badArgument(`messages on ${name} wait for their receipts; await them before becoming a producer`);
    }
    return this.#add(name, producer);
  }

  /** See `Client.producer`. */
  async open(name: string, producer: string, wait: Wait): Promise<Producer> {
    const known = this.#byName.get(name);
    if (known?.producer === producer && known.endError !== undefined) this.#byName.delete(name);
    if (known?.producer === undefined) await wait.for(Promise.allSettled(known?.outcomes() ?? []));
    const channel = this.#producer(name, producer);
    await this.#line.withSession(wait, (session) => channel.open(session));
    return new ClientProducer(channel, producer);
  }

  /** The server has rejected messages without a receipt of their own. Returns whether they were on a durable channel. */
  rejected(error: ParleyError, name: string): boolean {
    const channel = REJECTS_MESSAGES.includes(error.code) ? this.#byName.get(name) : undefined;
    channel?.serverRejected(error);
    return channel !== undefined;
  }

  /** The promises of all messages that are not settled. */
  outcomes(): Promise<void>[] {
    return [...this.#byName.values()].flatMap((channel) => channel.outcomes());
  }

  /** The connection broke. Returns how many messages are in doubt, and of how many no call learns that. */
  interrupted(
    error: ParleyError,
  ): { readonly inDoubt: number; readonly unwatched: number } {
    let inDoubt = 0;
    let unwatched = 0;
    for (const channel of this.#byName.values()) {
      const lost = channel.interrupted(error);
      inDoubt += lost.inDoubt;
      unwatched += lost.unwatched;
    }
    return { inDoubt, unwatched };
  }

  /** There is a connection again: opens the channels of producers, and those that messages wait for. */
  resumed(session: Session): void {
    for (const channel of this.#byName.values()) {
      const isWanted = channel.count > 0 || channel.producer !== undefined;
      if (isWanted && channel.endError === undefined) channel.open(session).catch(() => {});
    }
  }

  /** The client is over. */
  abandon(error: ParleyError): void {
    for (const channel of this.#byName.values()) channel.abandon(error);
  }
}
