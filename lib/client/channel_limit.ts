/**
 * The server's limit on open channels, as it concerns one session: what is opened beyond it waits until another channel
 * can be left.
 *
 * @module
 */

import type { Channels } from "./channels.ts";
import type { SessionChannel } from "./session_channel.ts";

/** Counts the channels of one session. */
export class ChannelLimit {
  readonly #limit: number;
  readonly #channels: Channels;
  readonly #leave: (channel: SessionChannel) => void;
  /** How many channels count towards the limit. */
  #counted = 0;
  /** Channels that could not be opened yet. */
  readonly #waiting: { readonly channel: SessionChannel; open(): void }[] = [];

  /** @param leave leaves a channel */
  constructor(limit: number, channels: Channels, leave: (channel: SessionChannel) => void) {
    this.#limit = limit;
    this.#channels = channels;
    this.#leave = leave;
  }

  /** Whether a channel must wait until there is room for it. */
  mustWait(channel: SessionChannel): boolean {
    return !channel.isCounted && (this.#waiting.length > 0 || !this.#makeRoom());
  }

  /** Calls `open` once there is room for `channel`, or the session has ended. */
  whenRoom(channel: SessionChannel, open: () => void): void {
    this.#waiting.push({ channel, open });
  }

  /** An OPEN was sent for a channel, or it was left. */
  count(channel: SessionChannel, isCounted: boolean): void {
    if (channel.isCounted === isCounted) return;
    channel.isCounted = isCounted;
    this.#counted += isCounted ? 1 : -1;
  }

  /** A channel may be left, or was left: opens those that wait, as far as there is room. */
  changed(): void {
    while (this.#waiting.length > 0) {
      if (!this.#waiting[0].channel.isCounted && !this.#makeRoom()) return;
      this.#waiting.shift()!.open();
    }
  }

  /** The session has ended: what waits is opened, which fails. */
  end(): void {
    for (const { open } of this.#waiting.splice(0)) open();
  }

  /**
   * Makes room for one more channel: leaves the one that was not sent on for the longest time. Returns false if there is
   * none to leave now, but will be soon.
   */
  #makeRoom(): boolean {
    if (this.#counted < this.#limit) return true;
    let oldest: SessionChannel | undefined;
    let isSoon = false;
    for (const channel of this.#channels.all()) {
      if (!channel.isCounted || !channel.isForSending) continue;
      if (channel.holds > 0) isSoon = true;
      else if (channel.lastUsed < (oldest?.lastUsed ?? Infinity)) oldest = channel;
    }
    if (oldest !== undefined) this.#leave(oldest);
    return oldest !== undefined || !isSoon; // if all are subscribed to, the server refuses one more
  }
}
