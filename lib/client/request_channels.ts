/**
 * The channels that were opened only to ask on: remembered, so that asking again costs one frame, and left again
 * when too many others have been asked since.
 *
 * @module
 */

import type { OpenChannel } from "./channel.ts";

/** A bounded set, the longest unused first. */
export class RequestChannels {
  readonly #most: number;
  readonly #channels = new Set<OpenChannel>();

  /** @param channels how many channels the session may have open; half of them are for asking */
  constructor(channels: number) {
    this.#most = Math.max(1, Math.floor(channels / 2));
  }

  /** `channel` is asked on now. Leaves another where there are too many. */
  used(channel: OpenChannel): void {
    this.#channels.delete(channel);
    this.#channels.add(channel);
    if (this.#channels.size <= this.#most) return;
    const [oldest] = this.#channels;
    this.#channels.delete(oldest);
    oldest.leave().catch(() => {}); // it fails only with the connection
  }

  /** `channel` is used otherwise now, or was left. */
  forget(channel: OpenChannel): void {
    this.#channels.delete(channel);
  }
}
