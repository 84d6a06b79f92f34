/**
 * Measures how many messages a second come in on each channel, while a session asks for them.
 *
 * @module
 */

import { knownChannels } from "./channel_list.ts";
import { walk } from "./selection.ts";
import type { MonitoredServer } from "./server.ts";

/** Sessions measure theirs themselves, because each is looked at once a second anyway. */
export class ChannelRates {
  readonly #server: MonitoredServer;
  readonly #now: () => number;
  #measuredAt: number | undefined;
  #isMeasuring = false;

  /** @param now a clock in milliseconds that never goes back */
  constructor(server: MonitoredServer, now: () => number) {
    this.#server = server;
    this.#now = now;
  }

  /** To be called about once a second. If a look at all channels takes longer than that, rates are those of the longer time. */
  async measure(): Promise<void> {
    if (this.#isMeasuring) return;
    this.#isMeasuring = true;
    const now = this.#now();
    const seconds = this.#measuredAt === undefined ? undefined : Math.max(1, now - this.#measuredAt) / 1000;
    this.#measuredAt = now;
    await walk(knownChannels(this.#server), ({ counts }) => {
      const { messagesIn, measured } = counts;
      // At the first look there is nothing to compare with.
      counts.rate = seconds === undefined ? 0 : Math.round((messagesIn - measured) / seconds);
      counts.measured = messagesIn;
    });
    this.#isMeasuring = false;
  }

  /** Nobody looks any more: what was measured is of no more use. */
  forget(): void {
    this.#measuredAt = undefined;
  }
}
