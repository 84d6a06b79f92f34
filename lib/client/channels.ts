/**
 * What a client has open, and which of it a message is for.
 *
 * @module
 */

import { covers, isPattern } from "../wire/names.ts";
import type { OpenChannel } from "./channel.ts";

/** Where the messages of one channel number go. */
export interface Route {
  /** The channel's name. */
  readonly name: string;
  /** Who has subscribed it, by its name or by a pattern. */
  readonly receivers: readonly OpenChannel[];
}

/** The channels, patterns and names of one session. */
export class Channels {
  readonly #byName = new Map<string, OpenChannel>();
  /** Every name the server has given a number for; a number stands for one name as long as the server runs. */
  readonly #names = new Map<number, string>();
  /** Made when first needed, dropped whenever what is open changes. */
  readonly #routes = new Map<number, Route>();

  /** All that is open, or being opened. */
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

  /** Forgets a channel that was left, or could not be opened. */
  remove(channel: OpenChannel): void {
    if (this.#byName.get(channel.name) === channel) this.#byName.delete(channel.name);
    this.#routes.clear();
  }

  /** What is open has changed, and `number` is the number of `name`, or 0. */
  changed(name: string, number: number): void {
    if (number !== 0) this.#names.set(number, name);
    this.#routes.clear();
  }

  /** The name of a channel number, if it was ever told. */
  nameOf(number: number): string | undefined {
    return this.#names.get(number);
  }

  /** Where what comes on `number` goes: to the channel itself, and to every pattern that covers it. */
  routeOf(number: number): Route | undefined {
    return this.#routes.get(number) ?? this.#findRoute(number);
  }

  #findRoute(number: number): Route | undefined {
    const name = this.#names.get(number);
    if (name === undefined) return undefined;
    const receivers = [...this.#byName.values()].filter((channel) =>
      channel.subscribed && (channel.name === name || isPattern(channel.name) && covers(channel.name, name))
    );
    const route = { name, receivers };
    this.#routes.set(number, route);
    return route;
  }
}
