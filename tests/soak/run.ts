/**
 * One soak: a server under load, sampled throughout, and the checks at the end.
 *
 * @module
 */

import { type ObservedServer, startObserved } from "../fuzz/server_log.ts";
import type { Stopped } from "../harness/server_process.ts";
import { runLoad, WORKLOADS } from "./load.ts";
import type { SoakOptions } from "./options.ts";
import { heapAfter, pointsOf, type Sample, Sampler } from "./sampler.ts";
import { Harness, type Workload } from "./harness.ts";
import { Counters } from "./counters.ts";
import { isGrowing, type Tolerance, type Trend, trendOf, warmUpSeconds } from "./trend.ts";

const MiB = 1024 * 1024;

/**
 * How much memory may grow in a run. Garbage collection is irregular and up to 16 MiB are pending for each slow reader, so
 * even the lowest values vary by some 40 MiB. A leak of 4 KiB per short session is found in five minutes.
 */
export const MEMORY_TOLERANCE: Tolerance = { absolute: 64 * MiB, share: 0.4 };

/** How much V8's heap may grow. It excludes the buffers, so it varies less. */
export const HEAP_TOLERANCE: Tolerance = { absolute: 8 * MiB, share: 0.5 };

/** How much the number of descriptors may grow: the number of short sessions and slow consumers varies. */
export const DESCRIPTOR_TOLERANCE: Tolerance = { absolute: 5, share: 0.05 };

/** Longer than the default: on a busy machine a subscriber that only pauses may look slow. */
const SLOW_CONSUMER_TIMEOUT_SECONDS = 10;

/** How long the server may take to close the last connections. */
const SETTLE_MS = 15_000;

/** The result of a soak. */
export interface SoakResult {
  readonly seconds: number;
  readonly seed: number;
  /** When the run began. */
  readonly date: string;
  /** The command that started the server; `undefined` for `server.ts` of this checkout. */
  readonly server?: readonly string[];
  readonly samples: readonly Sample[];
  readonly warmUpSeconds: number;
  /** `undefined` if the run was too short. */
  readonly memory?: Trend;
  /** `undefined` also if the server does not report its heap. */
  readonly heap?: Trend;
  readonly descriptors?: Trend;
  /** Before and after the load. */
  readonly descriptorsBefore: number;
  readonly descriptorsAfter: number;
  readonly counters: Readonly<Counters>;
  readonly stopped?: Stopped;
  /** Violated expectations; empty if the run passed. */
  readonly problems: readonly string[];
}

/** Runs the load and the checks. `onSample` receives each sample. */
export async function soak(
  { seconds, seed, server: command }: SoakOptions,
  onSample: (sample: Sample, counters: Counters) => void = () => {},
  { workloads = WORKLOADS, slowConsumerSeconds = SLOW_CONSUMER_TIMEOUT_SECONDS, signal }: {
    workloads?: Readonly<Record<string, Workload>>;
    slowConsumerSeconds?: number;
    signal?: AbortSignal;
  } = {},
): Promise<SoakResult> {
  const date = new Date().toISOString();
  const counters = new Counters();
  const over = Promise.withResolvers<void>();
  const lastHeap = { bytes: undefined as number | undefined };
  await using server = await startObserved({
    command,
    args: ["--slow-consumer-timeout", String(slowConsumerSeconds)],
    // Compiled programs ignore this variable; then the heap is unknown.
    env: { DENO_V8_FLAGS: "--trace-gc" },
    onOutputLine: (line) => lastHeap.bytes = heapAfter(line) ?? lastHeap.bytes,
  });
  const descriptorsBefore = server.descriptors();
  const sampler = new Sampler(server, counters, seconds, () => lastHeap.bytes, (sample) => {
    onSample(sample, counters);
    if (server.code !== undefined) {
      counters.addProblem(`the server ended with ${server.code}: ${server.log.last}`);
      over.resolve();
    }
  });
  const timer = setTimeout(over.resolve, seconds * 1000);
  signal?.addEventListener("abort", () => over.resolve());
  const load = runLoad(new Harness(counters, server, over.promise, seed), workloads);
  await over.promise;
  clearTimeout(timer);
  sampler.stop();
  await load;
  const deadline = performance.now() + SETTLE_MS;
  while (server.descriptors() > descriptorsBefore && performance.now() < deadline) await pause(50);
  const descriptorsAfter = server.descriptors();
  const problems = counters.problems;
  if (descriptorsAfter > descriptorsBefore) {
    problems.push(
      `${descriptorsAfter} descriptors after the load, ${descriptorsBefore} before it`,
    );
  }
  const stopped = server.code === undefined ? await stop(server, problems) : undefined;
  for (const line of server.log.problems) problems.push(`the server logged: ${line}`);
  const { samples } = sampler;
  const warmUp = warmUpSeconds(seconds);
  const trend = (pick: (sample: Sample) => number | undefined) => trendOf(pointsOf(samples, pick), warmUp);
  const memory = trend(({ residentBytes }) => residentBytes);
  const heap = trend(({ heapBytes }) => heapBytes);
  const descriptors = trend((sample) => sample.descriptors);
  problems.push(
    ...growth("memory", memory, MEMORY_TOLERANCE, (bytes) => `${(bytes / MiB).toFixed(0)} MiB`),
    ...growth("the heap", heap, HEAP_TOLERANCE, (bytes) => `${(bytes / MiB).toFixed(1)} MiB`),
    ...growth("the number of descriptors", descriptors, DESCRIPTOR_TOLERANCE, (count) => count.toFixed(0)),
  );
  return {
    ...{ seconds, seed, date, server: command, samples, warmUpSeconds: warmUp, memory, heap, descriptors },
    ...{ descriptorsBefore, descriptorsAfter, counters, stopped, problems },
  };
}

/** The problem to report if the trend exceeds its tolerance. */
function growth(
  what: string,
  trend: Trend | undefined,
  tolerance: Tolerance,
  text: (value: number) => string,
): string[] {
  if (trend === undefined || !isGrowing(trend, tolerance)) return [];
  return [`${what} grows: from ${text(trend.from.value)} to ${text(trend.to.value)}`];
}

async function stop(server: ObservedServer, problems: string[]): Promise<Stopped | undefined> {
  try {
    const stopped = await server.terminate();
    if (stopped.code !== 0) problems.push(`the server ended with ${stopped.code} on SIGTERM`);
    return stopped;
  } catch (error) {
    problems.push(String(error));
    return undefined;
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
