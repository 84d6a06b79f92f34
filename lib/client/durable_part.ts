/**
 * The part of a client that publishes on durable channels. It is loaded when there is a message for it, which waits.
 *
 * @module
 */

import type { ParleyError } from "../errors.ts";
import type { DurableChannels, DurableChannelsOptions } from "./durable_channels.ts";
import type { Kept } from "./kept_messages.ts";
import { loaded } from "./loading.ts";
import type { ReconnectingSession } from "./reconnecting.ts";

/** What it needs of its publisher. */
export interface DurablePartEvents {
  /** It is loaded: what waits for it goes out now, before anything else can. */
  loaded(): void;
  /** It cannot be loaded: what waits for it has failed. */
  failed(error: ParleyError): void;
  /** A message that was kept for a producer is being published, or could not be. */
  published(name: string, message: Kept, stored: Promise<void>): void;
}

/** See the module's comment. */
export class DurablePart {
  /** Set once it is loaded. */
  channels: DurableChannels | undefined;

  readonly #line: ReconnectingSession;
  readonly #options: DurableChannelsOptions;
  readonly #events: DurablePartEvents;
  #loading: Promise<DurableChannels> | undefined;
  /** In order. */
  readonly #forProducers: { readonly name: string; readonly producer: string; readonly message: Kept }[] = [];

  /** Nothing is loaded yet. */
  constructor(line: ReconnectingSession, options: DurableChannelsOptions, events: DurablePartEvents) {
    this.#line = line;
    this.#options = options;
    this.#events = events;
  }

  /** How many messages wait here, or for their receipts. */
  get count(): number {
    return this.#forProducers.length + (this.channels?.count ?? 0);
  }

  /** Keeps a message that is published as a producer until it is loaded. */
  keep(name: string, producer: string, message: Kept): void {
    this.#forProducers.push({ name, producer, message });
    this.request();
  }

  /** Loads it; what waits is told if that fails. */
  request(): void {
    this.load().catch(() => {});
  }

  /** Loads it. */
  load(): Promise<DurableChannels> {
    return this.#loading ??= loaded(import("./durable_channels.ts")).then(
      (part) => this.#loaded(new part.DurableChannels(this.#line, this.#options)),
      (error) => this.#failed(error),
    );
  }

  /** Waits while it is being loaded. */
  async settled(): Promise<void> {
    await this.#loading?.catch(() => {});
  }

  #loaded(channels: DurableChannels): DurableChannels {
    this.channels = channels;
    for (const { name, producer, message } of this.#forProducers.splice(0)) {
      this.#events.published(name, message, channels.publishEncoded(name, producer, message));
    }
    this.#events.loaded();
    return channels;
  }

  #failed(error: ParleyError): never {
    this.#loading = undefined; // the next message tries again
    this.abandon(error);
    this.#events.failed(error);
    throw error;
  }

  /** The client is over. */
  abandon(error: ParleyError): void {
    for (const { name, message } of this.#forProducers.splice(0)) {
      this.#events.published(name, message, Promise.reject(error));
    }
    this.channels?.abandon(error);
  }
}
