/**
 * The server as a whole: what is sent on `$stats`.
 *
 * @module
 */

import { SERVER_CHANNELS } from "../broker/server_channels.ts";
import { ECHO } from "../wire/names.ts";
import type { ServerStats, StoreStats } from "../wire/stats.ts";
import { openDescriptors } from "./process.ts";
import { walk } from "./selection.ts";
import { type MonitoredServer, stateOf, totalTraffic } from "./server.ts";

const OWN_NAMES: readonly string[] = Object.freeze([ECHO, ...SERVER_CHANNELS]);

/** Describes the server as it is now. */
export async function serverStats(server: MonitoredServer): Promise<ServerStats> {
  const store = await storeStats(server);
  const { router, limits, loopDelay } = server;
  const { counters, channels, requests } = router;
  const { rss, heapUsed } = Deno.memoryUsage();
  const { now, times, ms } = counters.heldBack;
  return {
    time: server.time().toISOString(),
    version: server.version,
    uptimeSeconds: round(server.uptimeSeconds, 1000),
    state: stateOf(server),
    sessions: router.sessionCount,
    connections: server.connections,
    channels: channels.size - OWN_NAMES.filter((name) => channels.find(name) !== undefined).length,
    patterns: channels.patterns.size,
    ...totalTraffic(counters, server.sessions),
    requests: { ...counters.requests, waiting: requests.waiting },
    unheard: counters.unheard,
    slowConsumers: counters.slowConsumers,
    heldBack: { now, times, seconds: round(ms / 1000, 1000) },
    errors: { ...counters.refusals.byCode },
    rejectedTokens: counters.rejectedTokens,
    failedTlsHandshakes: server.failedTlsHandshakes,
    pendingBytes: server.pendingBytes,
    maxPendingBytes: limits.pendingTotalBytes,
    memoryBytes: rss,
    heapBytes: heapUsed,
    descriptors: openDescriptors(),
    loopDelayMs: { mean: round(loopDelay.mean, 10), max: round(loopDelay.max, 10) },
    ...store && { store },
  };
}

/** What durable channels have together. */
async function storeStats({ stored }: MonitoredServer): Promise<StoreStats | undefined> {
  if (stored?.durable === undefined) return undefined;
  const { total, maxBytes, commits } = stored.durable;
  let lag = 0;
  let maxLag = 0;
  let setAside = 0;
  let channels = 0;
  await walk(stored.all, ({ isDurable }) => {
    if (isDurable) channels++;
  });
  await walk(stored.consumers, (consumer) => {
    const own = consumer.lag;
    lag += own;
    maxLag = Math.max(maxLag, own);
    setAside += consumer.stats.setAside;
  });
  const { stats } = commits;
  return {
    channels,
    messages: total.messages,
    bytes: total.bytes,
    maxBytes,
    commits: stats.commits,
    commitSeconds: round(stats.ms / 1000, 1000),
    slowestCommitMs: round(stats.slowestMs, 10),
    refused: stats.refused,
    failures: stats.refused + stored.readFailures,
    consumers: stored.consumers.size,
    lag,
    maxLag,
    setAside,
  };
}

/** Rounds to a part of `parts`. */
function round(value: number, parts: number): number {
  return Math.round(value * parts) / parts;
}
