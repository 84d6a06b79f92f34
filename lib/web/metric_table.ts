/**
 * The metrics of a server: one row for each, with its name, its type, its help and where its value comes from.
 *
 * Names and units follow Prometheus' conventions: base units, counters end in `_total`, and what belongs to the process
 * rather than to Parley has the name that all exporters give it. Label sets are bounded: the codes of the protocol, and
 * the channels and consumers of a {@linkcode Snapshot}, of which there are at most `METRIC_CHANNELS` and
 * `METRIC_CONSUMERS`. What all channels have together has a metric of its own, so that sums do not count twice.
 *
 * @module
 */

import { FATAL } from "../errors.ts";
import type { ServerStats } from "../wire/stats.ts";
import { channelRows, consumerRows, storeRows } from "./channel_metrics.ts";
import { gauge, type MetricRow, type Series, server } from "./metric_row.ts";

/** The metrics, in the order in which they are printed. */
export const METRICS: readonly MetricRow[] = [
  gauge("parley_info", "The server's version; always 1.", ["version"], ({ server: { version } }) => [
    { labels: { version }, value: 1 },
  ]),
  gauge(
    "parley_state",
    "1 for the state that the server is in, 0 for the others.",
    ["state"],
    (snapshot) =>
      STATES.map((state) => ({ labels: { state }, value: Number(snapshot.server.state === state) })),
  ),
  server("gauge", "parley_sessions", "Sessions.", (stats) => stats.sessions),
  server(
    "gauge",
    "parley_connections",
    "Connections, those without a session yet included.",
    (stats) => stats.connections,
  ),
  server("gauge", "parley_channels", "Channels that a session has open by name.", (stats) => stats.channels),
  server("gauge", "parley_patterns", "Patterns that a session has open.", (stats) => stats.patterns),
  server(
    "counter",
    "parley_messages_received_total",
    "Messages, requests and replies that came from sessions.",
    (stats) => stats.messagesIn,
  ),
  server(
    "counter",
    "parley_messages_sent_total",
    "Messages, requests and replies that were sent to sessions.",
    (stats) => stats.messagesOut,
  ),
  server(
    "counter",
    "parley_received_bytes_total",
    "Bytes of all frames that came from sessions.",
    (stats) => stats.bytesIn,
  ),
  server(
    "counter",
    "parley_sent_bytes_total",
    "Bytes that were written to sessions.",
    (stats) => stats.bytesOut,
  ),
  server(
    "counter",
    "parley_messages_unheard_total",
    "Messages on channels without a subscriber.",
    (stats) => stats.unheard,
  ),
  server(
    "counter",
    "parley_requests_total",
    "Requests that sessions sent.",
    ({ requests }) => requests.asked,
  ),
  {
    name: "parley_requests_ended_total",
    type: "counter",
    help: "Requests that are over, by how they ended.",
    labels: ["outcome"],
    value: ({ server: { requests } }) =>
      (["answered", "refused", "late"] as const).map((outcome) => ({
        labels: { outcome },
        value: requests[outcome],
      })),
  },
  server(
    "gauge",
    "parley_requests_waiting",
    "Requests that wait for their answers.",
    ({ requests }) => requests.waiting,
  ),
  server(
    "counter",
    "parley_slow_consumers_total",
    "Sessions ended because they read too slowly.",
    (stats) => stats.slowConsumers,
  ),
  server(
    "gauge",
    "parley_publishers_waiting",
    "Publishers that wait for a subscriber or the store, and are not read from meanwhile.",
    ({ heldBack }) => heldBack.now,
  ),
  server(
    "counter",
    "parley_publisher_waits_total",
    "How often a publisher had to wait.",
    ({ heldBack }) => heldBack.times,
  ),
  server(
    "counter",
    "parley_publisher_wait_seconds_total",
    "How long publishers have waited, all together.",
    ({ heldBack }) => heldBack.seconds,
  ),
  {
    name: "parley_errors_total",
    type: "counter",
    help: "ERROR frames that the server sent, by code.",
    labels: ["code"],
    value: ({ server: { errors } }) => errorSeries(errors),
  },
  server(
    "counter",
    "parley_tokens_rejected_total",
    "Sessions refused because of their token.",
    (stats) => stats.rejectedTokens,
  ),
  server(
    "counter",
    "parley_tls_handshakes_failed_total",
    "TLS handshakes that failed.",
    (stats) => stats.failedTlsHandshakes,
  ),
  server(
    "gauge",
    "parley_pending_bytes",
    "Bytes that wait to be written to all sessions.",
    (stats) => stats.pendingBytes,
  ),
  server(
    "gauge",
    "parley_pending_limit_bytes",
    "How many bytes may wait for all sessions.",
    (stats) => stats.maxPendingBytes,
  ),
  server(
    "gauge",
    "parley_event_loop_delay_mean_seconds",
    "How late the event loop was in the last second, on average.",
    ({ loopDelayMs }) => loopDelayMs.mean / 1000,
  ),
  server(
    "gauge",
    "parley_event_loop_delay_max_seconds",
    "How late the event loop was in the last second, at most.",
    ({ loopDelayMs }) => loopDelayMs.max / 1000,
  ),
  {
    name: "parley_certificate_expiry_timestamp_seconds",
    type: "gauge",
    help: "When the server's certificate is no longer valid, as a Unix time.",
    value: ({ certificateSeconds }) => certificateSeconds,
  },
  ...storeRows(),
  ...channelRows(),
  ...consumerRows(),
  server(
    "gauge",
    "process_resident_memory_bytes",
    "Resident memory size in bytes.",
    (stats) => stats.memoryBytes,
  ),
  server("gauge", "process_heap_bytes", "Used part of the heap in bytes.", (stats) => stats.heapBytes),
  server(
    "gauge",
    "process_open_fds",
    "Number of open file descriptors.",
    ({ descriptors }) => descriptors ?? undefined,
  ),
  {
    name: "process_start_time_seconds",
    type: "gauge",
    help: "Start time of the process since unix epoch in seconds.",
    value: ({ startSeconds }) => startSeconds,
  },
];

const STATES = ["ready", "draining", "failing"] as const;

/** Every code of the protocol from the start, so that the first error of a kind is an increase. */
function errorSeries(errors: ServerStats["errors"]): Series[] {
  const counts = new Map<string, number>(Object.keys(FATAL).map((code) => [code, 0]));
  for (const [code, count] of Object.entries(errors)) {
    const label = counts.has(code) ? code : "other";
    counts.set(label, (counts.get(label) ?? 0) + count);
  }
  return [...counts].map(([code, value]) => ({ labels: { code }, value }));
}
