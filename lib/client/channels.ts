/**
 * The channels and patterns that a client has open, and which of them receive a message.
 *
 * @module
 */

import { covers, isPattern } from "../wire/names.ts";
import type { OpenChannel } from "./channel.ts";

/** Where the messages of one channel number go. */
export interface Route {
  /** The channel's name. */
  readonly name: string;
  /** Subscribed by the channel's name, or by a pattern that covers it. */
  readonly subscribers: readonly OpenChannel[];
  /** Responds by the channel's name, or else by a pattern that covers it. */
  readonly responder: OpenChannel | undefined;
}

/** The channels, patterns and channel numbers of one session. */
export class Channels {
  readonly #byName = new Map<string, OpenChannel>();
  /** Every number that the server has announced. A number stands for one name for as long as the server runs. */
  readonly #names = new Map<number, string>();
  /** Filled on demand, and cleared at every change of what is open. */
  readonly #routes = new Map<number, Route>();

  /** All channels and patterns that are open, or being opened. */
  all(): Iterable<OpenChannel> {
    return this.#byName.values();
  }

  /** The channel or pattern that was opened by this name. */
  get(name: string): OpenChannel | undefined {
    return this.#byName.get(name);
  }

  /** Adds a channel that is being opened. */
  add(channel: OpenChannel): void {
    this.#byName.set(channel.name, channel);
  }

  /** Removes a channel that was left, or could not be opened. */
  remove(channel: OpenChannel): void {
    if (this.#byName.get(channel.name) === channel) this.#byName.delete(channel.name);
    this.#routes.clear();
  }

  /** Call this at every OPENED. `number` is the channel's number, or 0 for a pattern. */
  changed(name: string, number: number): void {
    if (number !== 0) this.#names.set(number, name);
    this.#routes.clear();
  }

  /** The name of a channel number, if the server has announced it. */
  nameOf(number: number): string | undefined {
    return this.#names.get(number);
  }

  /** Where frames on `number` go; undefined if the server has not announced the number. */
  routeOf(number: number): Route | undefined {
    return this.#routes.get(number) ?? this.#findRoute(number);
  }

  #findRoute(number: number): Route | undefined {
    const name = this.#names.get(number);
    if (name === undefined) return undefined;
    const matching = [...this.#byName.values()].filter((channel) =>
      channel.name === name || isPattern(channel.name) && covers(channel.name, name)
    );
    const subscribers = matching.filter(({ subscribed }) => subscribed);
    const responders = matching.filter(({ responding }) => responding);
    const responder = responders.find((channel) => channel.name === name) ?? responders[0];
    const route = { name, subscribers, responder };
    this.#routes.set(number, route);
    return route;
  }
}
