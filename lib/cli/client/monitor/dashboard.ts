/**
 * What `parley top` shows on a terminal, row by row.
 *
 * @module
 */

import type { ChannelEntry, ServerStats, SessionEntry } from "../../../wire/stats.ts";
import type { Paint, Style } from "../../terminal.ts";
import { countOf, formatBytes, formatCount, formatMs, formatRate, formatUptime } from "./figures.ts";
import { countErrors, type Rates } from "./rates.ts";
import { type Column, fieldsRow, LABEL_COLUMNS, paintRow, type Piece, sparkline, table } from "./rows.ts";

/** What is shown. */
export interface View {
  /** The address of the server. */
  readonly address: string;
  readonly stats: ServerStats;
  /** Undefined until there have been two moments to compare. */
  readonly rates: Rates | undefined;
  /** Messages in per second, the newest last. */
  readonly history: readonly number[];
  readonly sessions: readonly SessionEntry[];
  readonly channels: readonly ChannelEntry[];
  /** Which tables are shown. */
  readonly tables: Tables;
  /** By what each of them is sorted. */
  readonly sort: { readonly sessions: string; readonly channels: string };
  /** What the user must know of the connection. */
  readonly notice: string | undefined;
  readonly isConnected: boolean;
}

/** Which tables are shown: Tab goes to the next. */
export type Tables = "both" | "channels" | "sessions";

/** The keys that sort, and what they sort each table by. A table without such a column stays as it is. */
export const SORT_KEYS: Readonly<
  Record<string, { readonly name: string; readonly channels?: string; readonly sessions?: string }>
> = {
  r: { name: "rate", channels: "rate", sessions: "rate" },
  i: { name: "in", channels: "messagesIn", sessions: "messagesIn" },
  o: { name: "out", channels: "messagesOut", sessions: "messagesOut" },
  b: { name: "bytes", channels: "bytesIn", sessions: "bytesIn" },
  u: { name: "unheard", channels: "unheard" },
  s: { name: "subs", channels: "subscribers" },
  l: { name: "lag", channels: "lag" },
  w: { name: "wait", sessions: "pendingBytes" },
};

const CHANNEL_COLUMNS: readonly Column<ChannelEntry>[] = [
  { title: "CHANNEL", width: 16, cell: ({ channel }) => ({ text: channel }) },
  figure("IN/S", 9, "rate", ({ rate }) => formatRate(rate).slice(0, -2)),
  figure("SUBS", 7, "subscribers", (entry) => formatCount(subscribersOf(entry))),
  figure("RESP", 5, "responders", ({ responders }) => formatCount(responders)),
  { title: "LAG", width: 9, isRight: true, sort: "lag", cell: (entry) => ({ text: lagOf(entry) }) },
  figure("UNHEARD", 9, "unheard", ({ unheard }) => formatCount(unheard)),
  figure("IN", 10, "messagesIn", ({ messagesIn }) => formatCount(messagesIn)),
  figure("OUT", 10, "messagesOut", ({ messagesOut }) => formatCount(messagesOut)),
  figure("BYTES", 9, "bytesIn", ({ bytesIn }) => formatBytes(bytesIn)),
];

const SESSION_COLUMNS: readonly Column<SessionEntry>[] = [
  { title: "SESSION", width: 16, cell: ({ session, name }) => ({ text: `${session} ${name}` }) },
  figure("MSG/S", 9, "rate", ({ rate }) => formatRate(rate).slice(0, -2)),
  figure("WAITING", 10, "pendingBytes", ({ pendingBytes }) => formatBytes(pendingBytes)),
  { title: "STATE", width: 5, cell: stateOf },
  { title: "ADDRESS", width: 15, cell: ({ address }) => ({ text: address }) },
  figure("IN", 10, "messagesIn", ({ messagesIn }) => formatCount(messagesIn)),
  figure("OUT", 10, "messagesOut", ({ messagesOut }) => formatCount(messagesOut)),
  figure("BYTES", 9, "bytesIn", ({ bytesIn }) => formatBytes(bytesIn)),
];

function figure<T>(title: string, width: number, sort: string, textOf: (entry: T) => string): Column<T> {
  return { title, width, isRight: true, sort, cell: (entry) => ({ text: textOf(entry) }) };
}

/** All that are subscribed, also in groups and as consumers. */
function subscribersOf({ subscribers, groups, stored }: ChannelEntry): number {
  const members = stored?.consumers.map(({ members }) => members) ?? [];
  return [...Object.values(groups), ...members].reduce((sum, count) => sum + count, subscribers);
}

/** What the consumers of a durable channel have to go, all together; empty for any other channel. */
function lagOf({ stored }: ChannelEntry): string {
  if (stored?.storage !== "durable") return "";
  return formatCount(stored.consumers.reduce((sum, { lag }) => sum + lag, 0));
}

function stateOf({ isSlow, isHeldBack }: SessionEntry): Piece {
  if (isSlow) return { text: "slow", style: "yellow" };
  return isHeldBack ? { text: "held", style: "yellow" } : { text: "" };
}

/** The rows that a terminal of this size shows, at most as many as it has. */
export function dashboard(view: View, size: { columns: number; rows: number }, paint: Paint): string[] {
  const { columns, rows } = size;
  const head = [titleRow(view, columns, paint), ...summary(view, columns, paint), ""].slice(0, rows);
  const foot = footRow(view, columns, paint);
  const room = rows - head.length - 1;
  if (room < 0) return [...head.slice(0, rows - 1), foot];
  const body = room < 2 ? [] : tablesOf(view, { columns, rows: room }, paint);
  const space = Array.from({ length: room - body.length }, () => "");
  return [...head, ...body, ...space, foot];
}

function titleRow({ address, stats, isConnected }: View, columns: number, paint: Paint): string {
  const { version, state, uptimeSeconds, time } = stats;
  const STYLES: Record<ServerStats["state"], Style> = { ready: "green", draining: "yellow", failing: "red" };
  return paintRow(
    [
      { text: `parley ${version} at ${address}`, style: "bold" },
      { text: "   " },
      isConnected ? { text: state, style: STYLES[state] } : { text: "not connected", style: "red" },
      { text: `   up ${formatUptime(uptimeSeconds)}   ${time.slice(11, 19)} UTC` },
    ],
    columns,
    paint,
  );
}

/** The figures of the whole server. */
function summary({ stats, rates, history }: View, columns: number, paint: Paint): string[] {
  const { requests, heldBack, loopDelayMs } = stats;
  const row = (label: string, ...fields: Piece[]) => fieldsRow(label, fields, columns, paint);
  const rate = (value: number | undefined) => value === undefined ? "-" : formatRate(value);
  const bytes = (value: number | undefined) => value === undefined ? "-" : `${formatBytes(value)}/s`;
  const waitingShare = stats.pendingBytes / stats.maxPendingBytes;
  return [
    row(
      "messages",
      { text: `in ${rate(rates?.messagesIn)}` },
      { text: `out ${rate(rates?.messagesOut)}` },
      { text: `unheard ${rate(rates?.unheard)}` },
    ),
    row(
      "bytes",
      { text: `in ${bytes(rates?.bytesIn)}` },
      { text: `out ${bytes(rates?.bytesOut)}` },
      {
        text: `waiting ${formatBytes(stats.pendingBytes)} of ${formatBytes(stats.maxPendingBytes)}`,
        style: alarm(waitingShare, 0.5, 0.9),
      },
    ),
    chartRow(history, columns, paint),
    row(
      "requests",
      { text: `asked ${rate(rates?.asked)}` },
      { text: `answered ${rate(rates?.answered)}` },
      { text: `refused ${rate(rates?.refused)}` },
      { text: `late ${rate(rates?.late)}` },
      { text: `waiting ${formatCount(requests.waiting)}` },
    ),
    row(
      "open",
      { text: countOf(stats.sessions, "session") },
      { text: countOf(stats.connections, "connection") },
      { text: countOf(stats.channels, "channel") },
      { text: countOf(stats.patterns, "pattern") },
    ),
    row(
      "trouble",
      { text: `errors ${rate(rates?.errors)}, ${formatCount(countErrors(stats))}` },
      { text: `slow ${formatCount(stats.slowConsumers)}` },
      { text: `held back ${formatCount(heldBack.now)}`, style: alarm(heldBack.now, 1, Infinity) },
      { text: `bad tokens ${formatCount(stats.rejectedTokens)}` },
      { text: `failed TLS ${formatCount(stats.failedTlsHandshakes)}` },
    ),
    row(
      "process",
      {
        text: `loop late ${formatMs(loopDelayMs.mean)}, at most ${formatMs(loopDelayMs.max)}`,
        style: alarm(loopDelayMs.max, 100, 1000),
      },
      { text: `memory ${formatBytes(stats.memoryBytes)}` },
      { text: `heap ${formatBytes(stats.heapBytes)}` },
      ...(stats.descriptors === null ? [] : [{ text: `descriptors ${formatCount(stats.descriptors)}` }]),
    ),
    ...storeRow(stats, rates, row),
  ];
}

/** How many values the chart has at most: a minute of them. */
export const HISTORY = 60;

/** How many columns the text behind the chart takes. */
const CHART_TEXT = 24;

function chartRow(history: readonly number[], columns: number, paint: Paint): string {
  const wide = Math.max(10, Math.min(HISTORY, columns - LABEL_COLUMNS - CHART_TEXT));
  const shown = history.slice(-wide);
  const top = formatRate(Math.max(...shown, 0));
  const chart = { text: sparkline(shown).padStart(wide), style: "cyan" as const };
  return fieldsRow("messages in", [chart, { text: `at most ${top}` }], columns, paint);
}

function storeRow(
  { store }: ServerStats,
  rates: Rates | undefined,
  row: (label: string, ...fields: Piece[]) => string,
): string[] {
  if (store === undefined) return [];
  const commits = rates === undefined ? "-" : `${formatRate(rates.commits)} of ${formatMs(rates.commitMs)}`;
  return [row(
    "store",
    { text: `lag ${formatCount(store.lag)}` },
    { text: `set aside ${formatCount(store.setAside)}`, style: alarm(store.setAside, 1, Infinity) },
    {
      text: `${formatBytes(store.bytes)} of ${formatBytes(store.maxBytes)}`,
      style: alarm(store.bytes / store.maxBytes, 0.8, 0.95),
    },
    { text: `commits ${commits}` },
    { text: `failures ${formatCount(store.failures)}`, style: alarm(store.failures, Infinity, 1) },
  )];
}

/** Yellow from `warning` on, red from `critical` on. */
function alarm(value: number, warning: number, critical: number): Style | undefined {
  return value >= critical ? "red" : value >= warning ? "yellow" : undefined;
}

function tablesOf(view: View, { columns, rows }: { columns: number; rows: number }, paint: Paint): string[] {
  const { tables, channels, sessions, sort } = view;
  const channelsOf = (rows: number) =>
    table(CHANNEL_COLUMNS, channels, { columns, rows, sort: sort.channels, paint });
  const sessionsOf = (rows: number) =>
    table(SESSION_COLUMNS, sessions, { columns, rows, sort: sort.sessions, paint });
  if (tables === "channels") return channelsOf(rows);
  if (tables === "sessions") return sessionsOf(rows);
  const above = channelsOf(Math.max(2, Math.floor((rows - 1) / 2)));
  return [...above, "", ...sessionsOf(rows - above.length - 1)].slice(0, rows);
}

function footRow({ notice }: View, columns: number, paint: Paint): string {
  if (notice !== undefined) return paintRow([{ text: notice, style: "yellow" }], columns, paint);
  const sorts = Object.entries(SORT_KEYS).map(([key, { name }]) => `${key} ${name}`).join("  ");
  return paintRow([{ text: `q quit  Tab view  ${sorts}`, style: "dim" }], columns, paint);
}
