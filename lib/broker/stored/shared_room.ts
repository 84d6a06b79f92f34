/**
 * Room that channels with history share: if there is no more, those that take most of it lose their oldest messages.
 *
 * Without it, a few busy channels would fill the memory that all history may take, and nothing could be said on others.
 *
 * @module
 */

import type { StoredChannel } from "./stored_channel.ts";

/** Commits until what was asked of channels is done: the one under way, and the next. */
const COMMITS_TO_WAIT = 2;

/** See the module's comment. */
export class SharedRoom {
  readonly #channels: () => Iterable<StoredChannel>;
  /** The most bytes that channels may keep which make room. */
  readonly #keep = new Map<StoredChannel, number>();
  #commits = COMMITS_TO_WAIT;

  /** @param channels those that share the room, and others */
  constructor(channels: () => Iterable<StoredChannel>) {
    this.#channels = channels;
  }

  /** The most bytes that `channel` may keep. */
  keepOf(channel: StoredChannel): number {
    return this.#keep.get(channel) ?? Infinity;
  }

  /**
   * Chooses channels that lose half of what the largest one has, until `bytes` are free; none while an earlier choice is
   * being carried out. Costs two walks over all channels, so `bytes` should be many.
   */
  make(bytes: number): Iterable<StoredChannel> {
    if (this.#commits < COMMITS_TO_WAIT) return [];
    this.#commits = 0;
    this.#keep.clear();
    let largest = 0;
    for (const channel of this.#channels()) if (shares(channel)) largest = Math.max(largest, channel.bytes);
    const keep = largest / 2;
    for (const channel of this.#channels()) {
      if (bytes <= 0) break;
      if (channel.bytes <= keep || !shares(channel)) continue;
      this.#keep.set(channel, keep);
      bytes -= channel.bytes - keep;
    }
    return this.#keep.keys();
  }

  /** A commit has been done. */
  committed(): void {
    if (++this.#commits === COMMITS_TO_WAIT) this.#keep.clear();
  }
}

/** Whether `channel` has history that may go. */
function shares({ isDurable, policy }: StoredChannel): boolean {
  return !isDurable && policy.full === "drop-old";
}
