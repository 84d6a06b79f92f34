/**
 * `parley check`: one line and an exit code for a monitoring system.
 *
 * @module
 */

import type { Client } from "../../../client/api.ts";
import { ParleyError } from "../../../errors.ts";
import type { ConsumerEntry, ServerStats } from "../../../wire/stats.ts";
import { CommandError, describeFailure, Exit, exitCodeOf } from "../../failures.ts";
import type { Command, Context } from "../command.ts";
import {
  type Finding,
  formatCheckJson,
  formatPlugin,
  judge,
  PLUGIN_EXIT,
  PLUGIN_EXIT_HELP,
  statusOf,
} from "../monitor/check_report.ts";
import { formatBytes, formatCount, formatMs } from "../monitor/figures.ts";
import { type Levels, parseLevels } from "../monitor/levels.ts";
import { askStats } from "../monitor/stats_requests.ts";

/** How long connecting may take, and everything after it, in milliseconds. Monitoring systems wait for 10 s and more. */
const DEFAULT_MS = 4_000;

/** The shortest of so many round trips counts: the first one after connecting is no measure. */
const PINGS = 3;

/** The command. */
export const CHECK: Command = {
  name: "check",
  operands: { usage: "", min: 0, max: 0 },
  summary: "check the server for a monitoring system",
  details:
    "Connects, measures the round trip, and asks the server for its state. Prints one line as plugins of\n" +
    "Nagios, Icinga and others do: OK, WARNING, CRITICAL or UNKNOWN, the reasons, and performance data. It is\n" +
    "CRITICAL if the server is not reachable, does not answer, is stopping, or cannot write its store, and\n" +
    "UNKNOWN if it cannot tell. Each MAX gives one more reason: a value over it is critical; of two, as in\n" +
    "50ms,200ms, the first is a warning. --max-lag and --max-set-aside are about all consumers (the largest\n" +
    "lag, and all messages set aside), or about the one that --consumer CHANNEL/NAME names. With tokens,\n" +
    "everything but the round trip needs one issued with --monitor.",
  examples: [
    "parley check",
    "parley check --max-latency 500ms,2s --timeout 3s",
    "parley check --consumer orders.new/billing --max-lag 100,1000 --max-set-aside 0",
    "parley check --json",
  ],
  options: ["consumer", "max-latency", "max-lag", "max-set-aside", "json"],
  endsByInterrupt: false,
  exits: { help: PLUGIN_EXIT_HELP, wrongUsage: PLUGIN_EXIT.UNKNOWN },
  run: check,
};

async function check(context: Context): Promise<void> {
  const { values, output } = context;
  const findings: Finding[] = [];
  try {
    for await (const finding of findingsOf(context)) findings.push(finding);
  } catch (error) {
    findings.push(failureOf(error));
  }
  await output.line(values.json ? formatCheckJson(findings) : formatPlugin(findings));
  const exitCode = PLUGIN_EXIT[statusOf(findings)];
  if (exitCode !== PLUGIN_EXIT.OK) throw new CommandError("", exitCode);
}

/** What is wrong if the check itself failed. */
function failureOf(error: unknown): Finding {
  const code = exitCodeOf(error, false);
  const isDown = code === Exit.NOT_REACHABLE;
  return { check: "server", status: isDown ? "CRITICAL" : "UNKNOWN", text: describeFailure(error) };
}

/** What is to be checked besides that the server answers. */
interface Limits {
  readonly latency: Levels | undefined;
  readonly lag: Levels | undefined;
  readonly setAside: Levels | undefined;
  readonly consumer: { readonly channel: string; readonly name: string } | undefined;
}

async function* findingsOf({ values, connect }: Context): AsyncGenerator<Finding> {
  const limits: Limits = {
    latency: parseLevels("max-latency", "ms", values.maxLatency),
    lag: parseLevels("max-lag", "count", values.maxLag),
    setAside: parseLevels("max-set-aside", "count", values.maxSetAside),
    consumer: values.consumer === undefined ? undefined : parseConsumer(values.consumer),
  };
  const client = await connect();
  const endMs = performance.now() + (values.timeout ?? DEFAULT_MS);
  const leftMs = () => Math.max(1, endMs - performance.now());
  yield await roundTrip(client, limits.latency, leftMs);
  const stats = await askStats(client, "$stats.now", {}, leftMs()).catch((error) => {
    if (error instanceof CommandError) return error; // it may not look, or there is nothing to look at
    throw error;
  });
  const needsStats = limits.lag !== undefined || limits.setAside !== undefined ||
    limits.consumer !== undefined;
  if (stats instanceof CommandError) {
    const text = `the server's state is not known: ${stats.message}`;
    return yield { check: "state", status: needsStats ? "UNKNOWN" : "OK", text };
  }
  yield* serverFindings(stats);
  if (limits.consumer === undefined) return yield* storeFindings(stats, limits);
  yield* await consumerFindings(client, limits.consumer, limits, leftMs());
}

async function roundTrip(client: Client, levels: Levels | undefined, leftMs: () => number): Promise<Finding> {
  let ms = Infinity;
  for (let at = 0; at < PINGS; at++) ms = Math.min(ms, await client.ping({ timeoutMs: leftMs() }));
  return {
    check: "round_trip",
    status: judge(ms, levels),
    text: `round trip ${formatMs(ms)}`,
    value: Number((ms / 1000).toPrecision(3)),
    unit: "s",
    levels: levels && inSeconds(levels),
  };
}

function inSeconds({ warning, critical }: Levels): Levels {
  return { warning: warning === undefined ? undefined : warning / 1000, critical: critical / 1000 };
}

function* serverFindings(stats: ServerStats): Generator<Finding> {
  const { version, state, sessions, pendingBytes, maxPendingBytes } = stats;
  const is = { ready: "is ready", draining: "is stopping", failing: "cannot write its store" }[state];
  const status = state === "ready" ? "OK" : "CRITICAL";
  yield { check: "state", status, text: `parley ${version} ${is}` };
  yield { check: "sessions", status: "OK", text: "", value: sessions };
  yield {
    check: "pending",
    status: "OK",
    text: pendingBytes < maxPendingBytes / 2 ? "" : `${formatBytes(pendingBytes)} waiting, near the limit`,
    value: pendingBytes,
    unit: "B",
    max: maxPendingBytes,
  };
}

/** The lag and the set-aside messages of all consumers. */
function* storeFindings({ store }: ServerStats, { lag, setAside }: Limits): Generator<Finding> {
  if (store === undefined) {
    if (lag === undefined && setAside === undefined) return;
    const text = "the server has no durable channels, and so no consumers";
    return yield { check: "store", status: "UNKNOWN", text };
  }
  yield lagFinding(store.maxLag, lag);
  yield setAsideFinding(store.setAside, setAside);
}

function lagFinding(value: number, levels: Levels | undefined): Finding {
  return { check: "lag", status: judge(value, levels), text: `lag ${formatCount(value)}`, value, levels };
}

function setAsideFinding(value: number, levels: Levels | undefined): Finding {
  const status = judge(value, levels);
  const text = value === 0 && status === "OK" ? "" : `${formatCount(value)} set aside`;
  return { check: "set_aside", status, text, value, levels };
}

async function consumerFindings(
  client: Client,
  { channel, name }: { readonly channel: string; readonly name: string },
  { lag, setAside }: Limits,
  timeoutMs: number,
): Promise<Finding[]> {
  const { consumers } = await askStats(client, "$stats.why", { channel }, timeoutMs);
  const all = consumers.filter(({ consumer }) => consumer === name); // one for each subject
  if (all.length === 0) {
    const text = `${channel} has no consumer ${name}${listed(consumers)}`;
    return [{ check: "consumer", status: "UNKNOWN", text }];
  }
  const isPaused = all.some((entry) => entry.isPaused);
  return [
    {
      check: "consumer",
      status: "OK",
      text: `consumer ${channel}/${name}${isPaused ? " is paused" : ""}`,
    },
    lagFinding(Math.max(...all.map((entry) => entry.lag)), lag),
    setAsideFinding(all.reduce((sum, entry) => sum + entry.setAside, 0), setAside),
  ];
}

function listed(consumers: readonly ConsumerEntry[]): string {
  if (consumers.length === 0) return "";
  return `; it has ${consumers.slice(0, 10).map(({ consumer }) => consumer).join(", ")}`;
}

function parseConsumer(text: string): { readonly channel: string; readonly name: string } {
  const [channel, name, ...more] = text.split("/");
  if (channel !== "" && name !== undefined && name !== "" && more.length === 0) return { channel, name };
  throw new ParleyError(
    "bad_argument",
    `--consumer must be CHANNEL/NAME, such as orders.new/billing, not ${JSON.stringify(text)}`,
  );
}
