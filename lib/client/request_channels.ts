/**
 * The channels that were opened only to send requests on. They stay open, so that the next request costs one frame, and
 * the least recently used is left when there are too many.
 *
 * @module
 */

import type { OpenChannel } from "./channel.ts";

/** A bounded set of channels, the least recently used first. */
export class RequestChannels {
  readonly #max: number;
  readonly #channels = new Set<OpenChannel>();

  /** @param maxChannels how many channels the session may have open; half of them are for requests */
  constructor(maxChannels: number) {
    this.#max = Math.max(1, Math.floor(maxChannels / 2));
  }

  /** Marks `channel` as the most recently used. Leaves the least recently used if there are too many. */
  used(channel: OpenChannel): void {
    this.#channels.delete(channel);
    this.#channels.add(channel);
    if (this.#channels.size <= this.#max) return;
    const [oldest] = this.#channels;
    this.#channels.delete(oldest);
    oldest.leave().catch(() => {}); // fails only with the connection
  }

  /** Removes a channel that was left, or that now has another purpose. */
  remove(channel: OpenChannel): void {
    this.#channels.delete(channel);
  }
}
