/**
 * `/metrics`: what the server counts, in the text format of Prometheus.
 *
 * Nothing is kept here between two scrapes. The numbers are those of `$stats`, asked for with the token of whoever
 * scrapes, so that a token without the grant `monitor` is refused by the broker like anywhere else.
 *
 * @module
 */

import { Counter, Gauge, Registry } from "prom-client";
import type { ChannelEntry, ServerStats } from "../wire/stats.ts";
import {
  METRIC_CHANNELS,
  METRIC_CONSUMERS,
  type MetricRow,
  type Series,
  type Snapshot,
} from "./metric_row.ts";
import { METRICS } from "./metric_table.ts";

/** What a scrape is made from. */
export interface Measured {
  readonly server: ServerStats;
  /** The channels with the most messages received, most first. Those beyond the bound are left out. */
  readonly channels: readonly ChannelEntry[];
  /** The channels whose consumers are to be shown; may be the same as `channels`. */
  readonly stored: readonly ChannelEntry[];
  /** When the server's certificate is no longer valid; undefined without TLS. */
  readonly certificateExpires?: Date;
}

/**
 * The metrics of one server. Each server has a registry of its own: two in a process do not mix.
 *
 * @example
 * ```ts ignore
 * const metrics = new Metrics();
 * response.setHeader("content-type", metrics.contentType);
 * response.end(await metrics.render({ server, channels, stored: channels }));
 * ```
 */
export class Metrics {
  readonly contentType: string;
  readonly #registry = new Registry();
  #snapshot: Snapshot | undefined;
  #startSeconds: number | undefined;

  constructor() {
    this.contentType = this.#registry.contentType;
    for (const row of METRICS) this.#register(row);
  }

  /** All metrics as text. Two scrapes at the same time do not mix: all values are taken before this returns. */
  render({ server, channels, stored, certificateExpires }: Measured): Promise<string> {
    // Computed once: a start that differs by a millisecond would look like a restart.
    this.#startSeconds ??= Math.round(Date.parse(server.time) / 1000 - server.uptimeSeconds);
    this.#snapshot = {
      server,
      startSeconds: this.#startSeconds,
      channels: channels.slice(0, METRIC_CHANNELS),
      consumers: busiestConsumers(stored),
      certificateSeconds: certificateExpires && certificateExpires.getTime() / 1000,
    };
    return this.#registry.metrics();
  }

  #register({ name, type, help, labels, value }: MetricRow): void {
    const seriesNow = (): readonly Series[] => {
      if (this.#snapshot === undefined) return [];
      const now = value(this.#snapshot);
      if (typeof now === "number") return [{ labels: {}, value: now }];
      return now ?? [];
    };
    const options = { name, help, labelNames: labels ?? [], registers: [this.#registry] };
    // The registry calls `collect` for each scrape. What is no longer there must not stay.
    if (type === "gauge") {
      new Gauge({
        ...options,
        collect() {
          this.reset();
          if (labels === undefined) this.remove(); // a reset leaves it at 0
          for (const { labels, value } of seriesNow()) this.set(labels, value);
        },
      });
    } else {
      new Counter({
        ...options,
        collect() {
          this.reset();
          if (labels === undefined) this.remove();
          for (const { labels, value } of seriesNow()) this.inc(labels, value);
        },
      });
    }
  }
}

function busiestConsumers(channels: readonly ChannelEntry[]): Snapshot["consumers"] {
  return channels
    .flatMap(({ channel, stored }) => (stored?.consumers ?? []).map((entry) => ({ ...entry, channel })))
    .sort((one, other) => other.lag - one.lag)
    .slice(0, METRIC_CONSUMERS);
}
