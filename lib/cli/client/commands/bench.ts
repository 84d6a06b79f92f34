/**
 * `parley bench`: measures the throughput and the latency of a server.
 *
 * @module
 */

import { connect } from "../../../client/connect.ts";
import type { ConnectOptions } from "../../../client/options.ts";
import { formatSize } from "../../../config/option.ts";
import { ParleyError } from "../../../errors.ts";
import type { Measurement } from "../bench/measurement.ts";
import { CHANNELS, grantsFor, type Plan, planOf, type Workload, WORKLOADS } from "../bench/plan.ts";
import { formatResult, jsonOf, type Result } from "../bench/report.ts";
import { ProgressBar } from "../bench/progress_bar.ts";
import type { Command, Context } from "../command.ts";
import { visibleJson } from "../../terminal.ts";

/** The command. */
export const BENCH: Command = {
  name: "bench",
  operands: { usage: "[WORKLOAD]", min: 0, max: 1 },
  summary: "measure throughput and latency of the server",
  details: [
    "WORKLOAD is publish, fan-out or request; without one, all three run in turn. Each uses a",
    "channel of its own and the whole server: do not measure one that others depend on.",
    "Latency is from publishing to receiving, or from request to reply, with --under-way",
    "messages under way; 1 measures a server without load. Ctrl-C prints what was measured so far.",
    "If the server stores parley-bench.*, publish and fan-out measure that, too.",
    "With a token, it must be issued with:",
    `  ${grantsFor(WORKLOADS)}`,
  ].join("\n"),
  examples: [
    "parley bench publish --duration 10s",
    "parley bench request --under-way 1 --json",
    "parley bench fan-out --subscribers 50 --size 1KiB",
  ],
  options: ["duration", "size", "connections", "subscribers", "under-way", "json"],
  endsByInterrupt: false,
  run: bench,
};

async function bench(context: Context): Promise<void> {
  const { values, operands } = context;
  const workloads = workloadsOf(operands[0]);
  const plans = workloads.map((workload) => planOf(workload, values));
  const { trace: _, ...options } = await context.connectOptions(); // a function does not cross to another thread
  await checkServer(options, values.size);
  try {
    for (const plan of plans) await measure(plan, options, context);
  } catch (error) {
    throw explained(error, workloads);
  }
}

async function measure(plan: Plan, options: ConnectOptions, context: Context): Promise<void> {
  const { values: { duration }, log } = context;
  const { Measurement } = await import("../bench/measurement.ts");
  let isReported = false;
  const report = async (result: Result | undefined) => {
    if (isReported || result === undefined) return;
    isReported = true;
    await print(result, context);
    const { messages, ms, isInterrupted } = result;
    log.info("measured", { workload: plan.workload, messages, ms: Math.round(ms), isInterrupted });
  };
  // After an interrupt these are disposed of in reverse order: the bar disappears, and what was measured is printed.
  const resources = context.resources.use(new AsyncDisposableStack());
  const measurement = resources.use(new Measurement(plan));
  resources.defer(async () => report(isReported ? undefined : await measurement.stop(true)));
  const bar = resources.use(progressBar(plan, measurement, context));
  try {
    const onCounting = () => log.info("measuring", { workload: plan.workload });
    const result = await measurement.run(options, newChannel(), duration, onCounting);
    await bar?.[Symbol.asyncDispose]();
    await report(result);
  } catch (error) {
    isReported = true; // a side that has failed says nothing more
    throw error;
  } finally {
    await resources.disposeAsync();
  }
}

function workloadsOf(name: string | undefined): readonly Workload[] {
  if (name === undefined) return WORKLOADS;
  const workload = WORKLOADS.find((workload) => workload === name);
  if (workload !== undefined) return [workload];
  const text = `${JSON.stringify(name)} is not a workload; they are ${WORKLOADS.join(", ")}`;
  throw new ParleyError("bad_argument", text);
}

/** Fails as any command if there is no such server, before threads are started; and if the payload is too large for it. */
async function checkServer(options: ConnectOptions, size: number): Promise<void> {
  await using client = await connect({ ...options, reconnect: false });
  const { payload } = client.limits;
  if (size <= payload) return;
  throw new ParleyError("bad_argument", `--size: this server takes payloads of up to ${formatSize(payload)}`);
}

/** Two measurements at the same time do not meet. */
function newChannel(): string {
  return CHANNELS.replace("*", crypto.randomUUID());
}

function progressBar(
  { workload }: Plan,
  measurement: Measurement,
  { host: { stderr }, values: { duration } }: Context,
): AsyncDisposable | undefined {
  if (!stderr.isTerminal()) return undefined;
  const write = async (text: string) => {
    await stderr.write(new TextEncoder().encode(text)).catch(() => {});
  };
  return new ProgressBar(write, () => {
    const ms = measurement.elapsedMs ?? 0;
    const perSecond = ms > 0 ? measurement.messages / ms * 1000 : 0;
    return { title: workload, share: ms / duration, perSecond };
  });
}

async function print(result: Result, { values, output }: Context): Promise<void> {
  await output.line(values.json ? visibleJson(jsonOf(result)) : formatResult(result));
}

/** Adds to a missing permission which ones are needed. */
function explained(error: unknown, workloads: readonly Workload[]): unknown {
  if (!(error instanceof ParleyError) || error.code !== "forbidden") return error;
  const text = `${error.message}; bench needs a token issued with ${grantsFor(workloads)}`;
  return new ParleyError("forbidden", text, { cause: error });
}
