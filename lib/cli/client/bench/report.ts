/**
 * What `parley bench` prints: a report for people, or one JSON object for each workload.
 *
 * @module
 */

import { type Bar, Latencies, type Percentiles } from "./latencies.ts";
import type { Counts, Plan, Storage } from "./plan.ts";

/** What was measured. */
export interface Result extends Pick<Counts, "messages" | "ms" | "latencies"> {
  readonly plan: Plan;
  /** The channel, if the server stores it, and how. */
  readonly stored?: { readonly storage: Storage; readonly channel: string };
  /** The share of the time in which the thread that sends was busy; undefined if it cannot tell. */
  readonly sending: number | undefined;
  /** The same of the thread that receives. */
  readonly receiving: number | undefined;
  /** Processors that this process used on average. */
  readonly cores: number;
  /** Whether it was stopped before its time. */
  readonly isInterrupted: boolean;
}

/** From this share of the time on, a thread counts as the limit of what was measured. */
const BUSY = 0.9;

/** The width of the longest bar, in characters. */
const BAR_WIDTH = 40;

/** A bar is drawn in eighths of a character. */
const EIGHTHS = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];

/** A report of several lines for people. */
export function formatResult(result: Result): string {
  const { plan, ms, messages, isInterrupted } = result;
  const perSecond = messages / ms * 1000;
  const latencies = new Latencies(result.latencies);
  const percentiles = latencies.percentiles();
  const limit = limitOf(result);
  return [
    `${plan.workload}: ${describePlan(plan)}, ${(ms / 1000).toFixed(1)} s${
      isInterrupted ? ", interrupted" : ""
    }`,
    `  ${formatCount(perSecond)} ${unitOf(plan)}/s, ${formatCount(perSecond * plan.size)} B/s of payload`,
    ...(percentiles === undefined ? [] : [`  latency in ms: ${formatPercentiles(percentiles)}`]),
    ...formatBars(latencies.bars()),
    ...describeStored(result),
    ...(limit === undefined ? [] : [`  ${limit}`]),
  ].join("\n");
}

/** The same for programs. */
export function jsonOf(result: Result): Record<string, unknown> {
  const { plan, stored, ms, messages, sending, receiving, cores, isInterrupted } = result;
  const percentiles = new Latencies(result.latencies).percentiles();
  const round = (value: number) => Number(value.toFixed(3));
  return {
    ...plan,
    ...stored,
    seconds: round(ms / 1000),
    messages,
    perSecond: Math.round(messages / ms * 1000),
    latencyMs: percentiles === undefined
      ? null
      : Object.fromEntries(Object.entries(percentiles).map(([name, value]) => [name, round(value)])),
    busy: {
      sending: sending && round(sending),
      receiving: receiving && round(receiving),
      cores: round(cores),
    },
    isLimitedByBench: limitOf(result) !== undefined,
    isInterrupted,
  };
}

/**
 * Says that the measurement was limited by this program, if it was. Both sides wait for each other and for the server:
 * a thread that never waits is what all others wait for.
 */
function limitOf({ sending, receiving, cores }: Result): string | undefined {
  const advice = "the server may be faster than this";
  const name = (receiving ?? 0) > (sending ?? 0) ? "receives" : "sends";
  const busy = Math.max(sending ?? 0, receiving ?? 0);
  if (busy >= BUSY) {
    const percent = Math.round(busy * 100);
    return `bench itself was the limit: its thread that ${name} was busy ${percent}% of the time; ${advice}`;
  }
  if (sending !== undefined && receiving !== undefined || cores < BUSY) return undefined;
  return `bench itself may have been the limit: its threads used ${cores.toFixed(1)} processors; ${advice}`;
}

function describePlan({ workload, size, connections, subscribers, underWay }: Plan): string {
  const count = (number: number, noun: string) =>
    `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;
  const [from, to] = workload === "request" ? ["requester", "responder"] : ["publisher", "subscriber"];
  const each = workload === "request" && connections > 1 ? " each" : "";
  return [
    `${size.toLocaleString("en")} B`,
    count(connections, from),
    count(subscribers, to),
    `${underWay.toLocaleString("en")} under way${each}`,
  ].join(", ");
}

function describeStored({ stored }: Result): string[] {
  if (stored === undefined) return [];
  const { storage, channel } = stored;
  if (storage === "history") return ["  each message was stored in the server's memory"];
  return [
    "  each message was stored on disk before it was delivered; to remove them:",
    `  parley-server store delete ${channel}`,
  ];
}

function unitOf({ workload }: Plan): string {
  return { publish: "messages", "fan-out": "deliveries", request: "requests" }[workload];
}

function formatPercentiles({ min, p50, p90, p99, p999, max }: Percentiles): string {
  const named = { min, p50, p90, p99, "p99.9": p999, max };
  return Object.entries(named).map(([name, ms]) => `${name} ${formatMs(ms)}`).join(", ");
}

/** Three digits of a time. */
function formatMs(ms: number): string {
  return ms >= 100 ? ms.toFixed(0) : ms >= 10 ? ms.toFixed(1) : ms >= 1 ? ms.toFixed(2) : ms.toFixed(3);
}

/** `1,234,567`, or for more, `1.23 G`. */
export function formatCount(count: number): string {
  if (count < 1e9) return Math.round(count).toLocaleString("en");
  return `${(count / 1e9).toFixed(2)} G`;
}

/** One line for each bar: the upper bound of its times, the bar, and its share. */
function formatBars(bars: readonly Bar[]): string[] {
  const most = Math.max(...bars.map(({ share }) => share));
  return bars.map(({ ms, share }) => {
    const eighths = Math.round(share / most * BAR_WIDTH * 8);
    const bar = "█".repeat(Math.floor(eighths / 8)) + EIGHTHS[eighths % 8];
    const percent = `${(share * 100).toFixed(1)}%`.padStart(6);
    return `${formatBound(ms)} ${percent} ${bar}`.trimEnd();
  });
}

function formatBound(ms: number): string {
  const text = ms >= 1_000 ? `${ms / 1000} s` : ms >= 1 ? `${ms} ms` : `${Math.round(ms * 1000)} µs`;
  return `  up to ${text.padStart(6)}`;
}
