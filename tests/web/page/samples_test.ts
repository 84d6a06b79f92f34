/** What the dashboard keeps of the last fifteen minutes. */

import { assertEquals } from "@std/assert";
import {
  highest,
  KEPT_SECONDS,
  latest,
  NO_SAMPLES,
  type Samples,
  withHistory,
  withStats,
} from "../../../lib/web/page/samples.ts";
import type { ServerStats } from "../../../lib/wire/stats.ts";

const START = Date.parse("2026-11-25T12:00:00Z");

/** What `$stats` says `seconds` after the start, of which only what is given differs. */
function stats(seconds: number, given: Partial<ServerStats> = {}): ServerStats {
  return {
    time: new Date(START + seconds * 1000).toISOString(),
    uptimeSeconds: 1000 + seconds,
    messagesIn: 0,
    messagesOut: 0,
    bytesIn: 0,
    bytesOut: 0,
    memoryBytes: 1,
    pendingBytes: 0,
    sessions: 1,
    loopDelayMs: { mean: 0, max: 1 },
    ...given,
  } as ServerStats;
}

function all(list: readonly ServerStats[]): Samples {
  let samples = NO_SAMPLES;
  list.forEach((each, index) => samples = withStats(samples, list[index - 1], each));
  return samples;
}

Deno.test("rates are what was counted since the last time, by the server's clock", () => {
  const samples = all([
    stats(0, { messagesIn: 100 }),
    stats(1, { messagesIn: 350 }),
    stats(3, { messagesIn: 1350 }),
  ]);
  assertEquals(samples.columns.messagesIn, [null, 250, 500]);
  assertEquals(latest(samples, "messagesIn"), 500);
  assertEquals(highest(samples, "messagesIn"), 500);
});

Deno.test("after a restart of the server there is no rate, and a gap if it took long", () => {
  const samples = all([
    stats(0, { messagesIn: 1_000_000 }),
    stats(1, { messagesIn: 1_000_100 }),
    stats(60, { messagesIn: 10, uptimeSeconds: 2 }),
    stats(61, { messagesIn: 30, uptimeSeconds: 3 }),
  ]);
  assertEquals(samples.columns.messagesIn, [null, 100, null, null, 20]);
  assertEquals(samples.columns.sessions, [1, 1, null, 1, 1]); // the gap
});

Deno.test("fifteen minutes are kept", () => {
  const samples = all(Array.from({ length: 2_000 }, (_, n) => stats(n)));
  const { times } = samples;
  assertEquals(times.at(-1)! - times[0], KEPT_SECONDS);
  assertEquals(samples.columns.sessions.length, times.length);
});

Deno.test("a history follows what the page knows of the time before", () => {
  const known = all([stats(0, { sessions: 7 }), stats(1, { sessions: 8 }), stats(100, { sessions: 9 })]);
  const history = {
    stepSeconds: 5,
    until: new Date(START + 110_000).toISOString(),
    columns: ["messagesIn" as const, "sessions" as const],
    samples: [[1, 2], [3, 4], [5, 6]],
  };
  const { times, columns } = withHistory(known, history);
  assertEquals(columns.sessions, [7, 8, null, 2, 4, 6]);
  assertEquals(columns.messagesIn, [null, 0, null, 1, 3, 5]);
  assertEquals(times.slice(-3).map((time) => time - START / 1000), [100, 105, 110]);
});
