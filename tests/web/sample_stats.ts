/**
 * What a server might say of itself.
 *
 * @module
 */

import type { ChannelEntry, ServerStats, SessionEntry, StoreStats } from "../../lib/wire/stats.ts";

/** The store of {@linkcode sampleStats}. */
export const SAMPLE_STORE: StoreStats = {
  channels: 3,
  messages: 1_234_567,
  bytes: 734_003_200,
  maxBytes: 8_589_934_592,
  commits: 5_000,
  commitSeconds: 6.25,
  slowestCommitMs: 15.5,
  refused: 0,
  failures: 0,
  consumers: 2,
  lag: 1_207,
  maxLag: 1_200,
  setAside: 2,
};

/** A server at work; `more` replaces what a test looks at. */
export function sampleStats(more: Partial<ServerStats> = {}): ServerStats {
  return {
    time: "2026-11-25T12:00:00.000Z",
    version: "0.1.0",
    uptimeSeconds: 11_520,
    state: "ready",
    sessions: 1_234,
    connections: 1_240,
    channels: 210,
    patterns: 12,
    messagesIn: 1_000_000,
    messagesOut: 10_000_000,
    bytesIn: 128_000_000,
    bytesOut: 1_280_000_000,
    requests: { asked: 5_000, answered: 4_900, refused: 80, late: 17, waiting: 3 },
    unheard: 42,
    slowConsumers: 1,
    heldBack: { now: 2, times: 300, seconds: 12.5 },
    errors: { forbidden: 7, no_responders: 80 },
    rejectedTokens: 4,
    failedTlsHandshakes: 5,
    pendingBytes: 16_777_216,
    maxPendingBytes: 268_435_456,
    memoryBytes: 125_829_120,
    heapBytes: 41_943_040,
    descriptors: 1_260,
    loopDelayMs: { mean: 0.2, max: 3.1 },
    store: SAMPLE_STORE,
    ...more,
  };
}

/** A channel; `more` replaces what a test looks at. */
export function sampleChannel(channel: string, more: Partial<ChannelEntry> = {}): ChannelEntry {
  return {
    channel,
    subscribers: 3,
    groups: {},
    responders: 1,
    messagesIn: 1_000,
    messagesOut: 3_000,
    bytesIn: 128_000,
    rate: 120,
    unheard: 0,
    ...more,
  };
}

/** A session; `more` replaces what a test looks at. */
export function sampleSession(session: number, name: string, more: Partial<SessionEntry> = {}): SessionEntry {
  return {
    session,
    uuid: "6ba7b810-9dad-41d1-80b4-00c04fd430c8",
    name,
    address: "192.0.2.7",
    port: 50_000 + session,
    transport: "tcp",
    since: "2026-11-25T11:00:00.000Z",
    open: ["chat.lobby"],
    openCount: 1,
    messagesIn: 100,
    messagesOut: 200,
    bytesIn: 12_800,
    bytesOut: 25_600,
    rate: 30,
    pendingBytes: 0,
    isHeldBack: false,
    isSlow: false,
    ...more,
  };
}
