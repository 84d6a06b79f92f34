/**
 * The metrics of the store, and of the channels and consumers that have metrics of their own.
 *
 * @module
 */

import type { ChannelEntry, ConsumerEntry } from "../wire/stats.ts";
import { gauge, METRIC_CHANNELS, METRIC_CONSUMERS, type MetricRow, store } from "./metric_row.ts";

/** Metrics of the store as a whole. */
export function storeRows(): MetricRow[] {
  return [
    store("gauge", "parley_store_channels", "Durable channels.", ({ channels }) => channels),
    store("gauge", "parley_store_messages", "Messages that are stored.", ({ messages }) => messages),
    store("gauge", "parley_store_bytes", "Bytes that the stored messages take.", ({ bytes }) => bytes),
    store(
      "gauge",
      "parley_store_limit_bytes",
      "Bytes that stored messages may take.",
      ({ maxBytes }) => maxBytes,
    ),
    store("counter", "parley_store_commits_total", "Commits to the store.", ({ commits }) => commits),
    store(
      "counter",
      "parley_store_commit_seconds_total",
      "How long all commits took.",
      (stats) => stats.commitSeconds,
    ),
    store(
      "gauge",
      "parley_store_slowest_commit_seconds",
      "The longest commit so far.",
      (stats) => stats.slowestCommitMs / 1000,
    ),
    store(
      "counter",
      "parley_store_commits_refused_total",
      "Commits of which nothing was stored.",
      (stats) => stats.refused,
    ),
    store(
      "counter",
      "parley_store_failures_total",
      "Failures of the store's disk.",
      ({ failures }) => failures,
    ),
    store("gauge", "parley_store_consumers", "Consumers of durable channels.", ({ consumers }) => consumers),
    store(
      "gauge",
      "parley_store_lag_messages",
      "Messages that consumers have to go, all together.",
      (stats) => stats.lag,
    ),
    store(
      "gauge",
      "parley_store_max_lag_messages",
      "Messages that the last consumer has to go.",
      (stats) => stats.maxLag,
    ),
    store(
      "gauge",
      "parley_store_set_aside_messages",
      "Messages that are set aside.",
      ({ setAside }) => setAside,
    ),
  ];
}

/** Metrics of the busiest channels. */
export function channelRows(): MetricRow[] {
  const row = (
    type: MetricRow["type"],
    name: string,
    help: string,
    valueOf: (entry: ChannelEntry) => number,
  ): MetricRow => ({
    name,
    type,
    help: `${help} The ${METRIC_CHANNELS} channels with the most messages received.`,
    labels: ["channel"],
    value: ({ channels }) =>
      channels.map((entry) => ({ labels: { channel: entry.channel }, value: valueOf(entry) })),
  });
  return [
    row(
      "counter",
      "parley_channel_messages_received_total",
      "Messages received on a channel.",
      (entry) => entry.messagesIn,
    ),
    row(
      "counter",
      "parley_channel_messages_sent_total",
      "Messages of a channel sent to sessions.",
      (entry) => entry.messagesOut,
    ),
    row(
      "counter",
      "parley_channel_received_bytes_total",
      "Bytes received on a channel.",
      (entry) => entry.bytesIn,
    ),
    row(
      "counter",
      "parley_channel_messages_unheard_total",
      "Messages on a channel while it had no subscriber.",
      ({ unheard }) => unheard,
    ),
    row(
      "gauge",
      "parley_channel_subscribers",
      "Subscribers of a channel, those in groups and consumers included.",
      subscribersOf,
    ),
    row("gauge", "parley_channel_responders", "Responders of a channel.", ({ responders }) => responders),
  ];
}

/** Metrics of the consumers that lag most. */
export function consumerRows(): MetricRow[] {
  const row = (name: string, help: string, valueOf: (entry: ConsumerEntry) => number): MetricRow =>
    gauge(
      name,
      `${help} The ${METRIC_CONSUMERS} consumers with the most messages to go.`,
      ["channel", "consumer", "subject"],
      ({ consumers }) =>
        consumers.map((entry) => {
          const { channel, consumer, subject = "" } = entry;
          return { labels: { channel, consumer, subject }, value: valueOf(entry) };
        }),
    );
  return [
    row("parley_consumer_lag_messages", "Messages that a consumer has to go.", ({ lag }) => lag),
    row(
      "parley_consumer_set_aside_messages",
      "Messages of a consumer that are set aside.",
      (entry) => entry.setAside,
    ),
    row("parley_consumer_members", "Sessions that are a consumer.", ({ members }) => members),
    row("parley_consumer_paused", "1 if a consumer is paused, 0 if not.", (entry) => Number(entry.isPaused)),
  ];
}

function subscribersOf({ subscribers, groups, stored }: ChannelEntry): number {
  const members = stored?.consumers.map(({ members }) => members) ?? [];
  return [...Object.values(groups), ...members].reduce((sum, count) => sum + count, subscribers);
}
