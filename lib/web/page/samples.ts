/**
 * The last fifteen minutes: what `$stats.history` told, and each `$stats` after that.
 *
 * @module
 */

import type { HistoryColumn, ServerStats, StatsHistory } from "../../wire/stats.ts";

/** How long samples are kept, in seconds. */
export const KEPT_SECONDS = 15 * 60;

/** A step longer than this is shown as a gap, in seconds. */
const GAP_SECONDS = 15;

/** The columns that are kept. */
export const COLUMNS = [
  "messagesIn",
  "messagesOut",
  "bytesIn",
  "bytesOut",
  "memoryBytes",
  "loopDelayMs",
  "pendingBytes",
  "sessions",
] as const satisfies readonly HistoryColumn[];

/** Samples, oldest first. A column has `null` where nothing is known. */
export interface Samples {
  /** When each was taken, in seconds since 1970. */
  readonly times: readonly number[];
  readonly columns: Readonly<Record<HistoryColumn, readonly (number | null)[]>>;
}

type Row = Readonly<Record<HistoryColumn, number | null>>;

/** No samples. */
export const NO_SAMPLES: Samples = { times: [], columns: columnsOf([]) };

/**
 * Joins what the server has in its history to what is here already: after a restart the server knows nothing of the time
 * before, but the page may.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { NO_SAMPLES, withHistory } from "./samples.ts";
 *
 * const history = {
 *   stepSeconds: 5,
 *   until: "2026-11-25T12:00:00Z",
 *   columns: ["sessions" as const],
 *   samples: [[1], [2]],
 * };
 * const { times, columns } = withHistory(NO_SAMPLES, history);
 * assertEquals(times[1] - times[0], 5);
 * assertEquals(columns.sessions, [1, 2]);
 * assertEquals(columns.bytesIn, [null, null]); // the history has no such column
 * ```
 */
export function withHistory(known: Samples, history: StatsHistory): Samples {
  const until = Date.parse(history.until) / 1000;
  const { samples, columns, stepSeconds } = history;
  const first = until - (samples.length - 1) * stepSeconds;
  let joined = NO_SAMPLES;
  known.times.forEach((time, index) => {
    if (time < first) joined = withRow(joined, time, rowAt(known, index));
  });
  samples.forEach((sample, index) => {
    const row = Object.fromEntries(columns.map((column, at) => [column, sample[at]]));
    joined = withRow(joined, first + index * stepSeconds, { ...EMPTY, ...row });
  });
  return joined;
}

/** Adds what `stats` says; rates are those since `before`, which is undefined for the first. */
export function withStats(known: Samples, before: ServerStats | undefined, stats: ServerStats): Samples {
  const time = Date.parse(stats.time) / 1000;
  const seconds = before === undefined ? 0 : time - Date.parse(before.time) / 1000;
  // After a restart of the server its counts begin anew.
  const isSameRun = before !== undefined && seconds > 0.1 && stats.uptimeSeconds >= before.uptimeSeconds;
  const rate = (key: "messagesIn" | "messagesOut" | "bytesIn" | "bytesOut") =>
    isSameRun ? Math.max(0, (stats[key] - before[key]) / seconds) : null;
  return withRow(known, time, {
    messagesIn: rate("messagesIn"),
    messagesOut: rate("messagesOut"),
    bytesIn: rate("bytesIn"),
    bytesOut: rate("bytesOut"),
    memoryBytes: stats.memoryBytes,
    loopDelayMs: stats.loopDelayMs.max,
    pendingBytes: stats.pendingBytes,
    sessions: stats.sessions,
  });
}

/** The last value of a column that is known. */
export function latest(samples: Samples, column: HistoryColumn): number | undefined {
  const values = samples.columns[column];
  for (let index = values.length - 1; index >= Math.max(0, values.length - 3); index--) {
    const value = values[index];
    if (value !== null) return value;
  }
  return undefined;
}

/** The highest value of a column; undefined if there is none. */
export function highest(samples: Samples, column: HistoryColumn): number | undefined {
  let most: number | undefined;
  for (const value of samples.columns[column]) {
    if (value !== null && (most === undefined || value > most)) most = value;
  }
  return most;
}

const EMPTY = Object.fromEntries(COLUMNS.map((column) => [column, null])) as unknown as Row;

function withRow(samples: Samples, time: number, row: Row): Samples {
  const last = samples.times.at(-1);
  if (last !== undefined && time <= last) return samples;
  const rows: [number, Row][] = [[time, row]];
  const isGap = last !== undefined && samples.columns.sessions.at(-1) === null;
  if (last !== undefined && time - last > GAP_SECONDS && !isGap) rows.unshift([last + 1, EMPTY]);
  const oldest = samples.times.findIndex((each) => each >= time - KEPT_SECONDS);
  const from = oldest === -1 ? samples.times.length : oldest;
  const columns = COLUMNS.map((column) => [
    column,
    [...samples.columns[column].slice(from), ...rows.map(([, each]) => each[column])],
  ]);
  return {
    times: [...samples.times.slice(from), ...rows.map(([each]) => each)],
    columns: Object.fromEntries(columns),
  };
}

function rowAt(samples: Samples, index: number): Row {
  return Object.fromEntries(
    COLUMNS.map((column) => [column, samples.columns[column][index]]),
  ) as unknown as Row;
}

function columnsOf(values: readonly (number | null)[]): Samples["columns"] {
  return Object.fromEntries(COLUMNS.map((column) => [column, values])) as unknown as Samples["columns"];
}
