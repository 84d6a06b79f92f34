/**
 * `/metrics`: what the server counts, in the text format of Prometheus, version 0.0.4.
 *
 * Nothing is kept here between two scrapes. The format is so small that it is written here: the library for it,
 * prom-client, brings a package with 2 MB of test data on which `deno compile` runs out of stack, also that of a program
 * that only imports Parley.
 *
 * @module
 */

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

/** The content type of the format. */
export const METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/** The metrics of one server. */
export class Metrics {
  #startSeconds: number | undefined;

  /** All metrics that this server has, as text. */
  render({ server, channels, stored, certificateExpires }: Measured): string {
    // Computed once: a start that differs by a millisecond would look like a restart.
    this.#startSeconds ??= Math.round(Date.parse(server.time) / 1000 - server.uptimeSeconds);
    const snapshot: Snapshot = {
      server,
      startSeconds: this.#startSeconds,
      channels: channels.slice(0, METRIC_CHANNELS),
      consumers: busiestConsumers(stored),
      certificateSeconds: certificateExpires && certificateExpires.getTime() / 1000,
    };
    return METRICS.map((row) => formatMetric(row, seriesOf(row, snapshot))).join("");
  }
}

/** The values of a metric now. */
function seriesOf({ value }: MetricRow, snapshot: Snapshot): readonly Series[] {
  const now = value(snapshot);
  return typeof now === "number" ? [{ labels: {}, value: now }] : now ?? [];
}

/**
 * Prints a metric; nothing if it has no values.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { formatMetric } from "./metrics.ts";
 *
 * const series = [{ labels: { channel: 'a "b"' }, value: 2 }];
 * assertEquals(
 *   formatMetric({ name: "parley_channel_subscribers", type: "gauge", help: "Subscribers." }, series),
 *   '# HELP parley_channel_subscribers Subscribers.\n# TYPE parley_channel_subscribers gauge\n' +
 *     'parley_channel_subscribers{channel="a \\"b\\""} 2\n',
 * );
 * ```
 */
export function formatMetric(
  { name, type, help }: Pick<MetricRow, "name" | "type" | "help">,
  series: readonly Series[],
): string {
  if (series.length === 0) return "";
  const lines = series.map(({ labels, value }) => `${name}${formatLabels(labels)} ${formatValue(value)}\n`);
  return `# HELP ${name} ${help.replace(/[\\\n]/g, escape)}\n# TYPE ${name} ${type}\n${lines.join("")}`;
}

function formatLabels(labels: Series["labels"]): string {
  const pairs = Object.entries(labels).map(([name, value]) =>
    `${name}="${value.replace(/[\\\n"]/g, escape)}"`
  );
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}

function escape(char: string): string {
  return char === "\n" ? "\\n" : `\\${char}`;
}

function formatValue(value: number): string {
  if (Number.isFinite(value) || Number.isNaN(value)) return String(value);
  return value > 0 ? "+Inf" : "-Inf";
}

function busiestConsumers(channels: readonly ChannelEntry[]): Snapshot["consumers"] {
  return channels
    .flatMap(({ channel, stored }) => (stored?.consumers ?? []).map((entry) => ({ ...entry, channel })))
    .sort((one, other) => other.lag - one.lag)
    .slice(0, METRIC_CONSUMERS);
}
