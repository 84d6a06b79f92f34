/**
 * What a metric is: a row of the table in `metric_table.ts`.
 *
 * @module
 */

import type { ChannelEntry, ConsumerEntry, ServerStats, StoreStats } from "../wire/stats.ts";

/** The channels that have metrics of their own: those on which most messages came in. */
export const METRIC_CHANNELS = 20;

/** The consumers that have metrics of their own: those with the most messages to go. */
export const METRIC_CONSUMERS = 50;

/** What the metrics of one scrape are made from. */
export interface Snapshot {
  readonly server: ServerStats;
  /** When the process started, in seconds since 1970. */
  readonly startSeconds: number;
  /** At most {@linkcode METRIC_CHANNELS} of them. */
  readonly channels: readonly ChannelEntry[];
  /** At most {@linkcode METRIC_CONSUMERS} of them. */
  readonly consumers: readonly (ConsumerEntry & { readonly channel: string })[];
  /** When the server's certificate is no longer valid, in seconds since 1970; undefined without TLS. */
  readonly certificateSeconds: number | undefined;
}

/** A value under labels. */
export interface Series {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** A metric without labels; its value is undefined if this server has no such thing. */
export interface PlainRow {
  readonly labels?: undefined;
  readonly value: (snapshot: Snapshot) => number | undefined;
}

/** A metric with labels. */
export interface LabelledRow {
  readonly labels: readonly string[];
  readonly value: (snapshot: Snapshot) => readonly Series[];
}

/** One metric. */
export type MetricRow =
  & { readonly name: string; readonly type: "counter" | "gauge"; readonly help: string }
  & (PlainRow | LabelledRow);

/** A gauge with labels. */
export function gauge(
  name: string,
  help: string,
  labels: readonly string[],
  value: LabelledRow["value"],
): MetricRow {
  return { name, type: "gauge", help, labels, value };
}

/** A metric of the server as a whole. */
export function server(
  type: MetricRow["type"],
  name: string,
  help: string,
  valueOf: (stats: ServerStats) => number | undefined,
): MetricRow {
  return { name, type, help, value: (snapshot) => valueOf(snapshot.server) };
}

/** A metric of the store. Without one it has no value. */
export function store(
  type: MetricRow["type"],
  name: string,
  help: string,
  valueOf: (stats: StoreStats) => number,
): MetricRow {
  return server(type, name, help, ({ store }) => store === undefined ? undefined : valueOf(store));
}
