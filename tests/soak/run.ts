/**
 * One soak: a server under load, looked at all the time, and the judgement at the end.
 *
 * @module
 */

import { ServerProcess, type Stopped } from "../fuzz/server_process.ts";
import { PARTS, putLoadOn } from "./load.ts";
import type { SoakOptions } from "./options.ts";
import { heapAfter, pointsOf, type Sample, Sampler } from "./sampler.ts";
import { Harness, type Part } from "./harness.ts";
import { Tally } from "./tally.ts";
import { isGrowing, type Tolerance, type Trend, trendOf, warmUpSeconds } from "./trend.ts";

const MiB = 1024 * 1024;

/**
 * What memory may grow by in a run: buffers are collected when V8 likes, and some 16 MiB may wait for each slow reader,
 * so even the bottom goes up and down by some 40 MiB. A visitor's leak of 4 KiB is found in five minutes.
 */
export const MEMORY_TOLERANCE: Tolerance = { absolute: 64 * MiB, share: 0.4 };

/** What V8's heap may grow by, where it is told: without the buffers, it is even. */
export const HEAP_TOLERANCE: Tolerance = { absolute: 8 * MiB, share: 0.5 };

/** What descriptors may grow by: the load's visitors and sleepers are some more or fewer at any time. */
export const DESCRIPTOR_TOLERANCE: Tolerance = { absolute: 5, share: 0.05 };

/** How long a reader may be slow: on a machine that is busy with other things, one that only thinks may be, too. */
const SLOW_CONSUMER_TIMEOUT_SECONDS = 10;

/** How long the server has to let go of the last sessions. */
const SETTLE_MS = 15_000;

/** What a soak found. */
export interface SoakResult {
  readonly seconds: number;
  readonly seed: number;
  /** When it began. */
  readonly date: string;
  /** The server's command; nothing for the one of this checkout. */
  readonly server?: readonly string[];
  readonly samples: readonly Sample[];
  readonly warmUpSeconds: number;
  /** Not there where the run was too short to judge. */
  readonly memory?: Trend;
  /** Not there either where V8 does not tell. */
  readonly heap?: Trend;
  readonly descriptors?: Trend;
  /** Before the load and after it. */
  readonly descriptorsBefore: number;
  readonly descriptorsAfter: number;
  readonly tally: Readonly<Tally>;
  readonly stopped?: Stopped;
  /** What must not have happened; empty where all is well. */
  readonly problems: readonly string[];
}

/** Puts load on a server as `options` say, and judges it. `onSample` hears of each look at it. */
export async function soak(
  { seconds, seed, server: command }: SoakOptions,
  onSample: (sample: Sample, tally: Tally) => void = () => {},
  { parts = PARTS, signal }: { parts?: Readonly<Record<string, Part>>; signal?: AbortSignal } = {},
): Promise<SoakResult> {
  const date = new Date().toISOString();
  const tally = new Tally();
  const over = Promise.withResolvers<void>();
  const told = { bytes: undefined as number | undefined };
  await using server = await ServerProcess.start({
    command,
    args: ["--slow-consumer-timeout", String(SLOW_CONSUMER_TIMEOUT_SECONDS)],
    // Compiled programs do not listen to this; then there is no heap to be seen.
    env: { DENO_V8_FLAGS: "--trace-gc" },
    onOutput: (line) => told.bytes = heapAfter(line) ?? told.bytes,
  });
  const descriptorsBefore = server.descriptors();
  const sampler = new Sampler(server, tally, seconds, () => told.bytes, (sample) => {
    onSample(sample, tally);
    if (server.code !== undefined) {
      tally.found(`the server ended with ${server.code}: ${server.log.last}`);
      over.resolve();
    }
  });
  const timer = setTimeout(over.resolve, seconds * 1000);
  signal?.addEventListener("abort", () => over.resolve());
  const load = putLoadOn(new Harness(tally, server, over.promise, seed), parts);
  await over.promise;
  clearTimeout(timer);
  sampler.stop();
  await load;
  const deadline = performance.now() + SETTLE_MS;
  while (server.descriptors() > descriptorsBefore && performance.now() < deadline) await pause(50);
  const descriptorsAfter = server.descriptors();
  const problems = tally.problems;
  if (descriptorsAfter > descriptorsBefore) {
    problems.push(
      `${descriptorsAfter} descriptors after all have left, ${descriptorsBefore} before they came`,
    );
  }
  const stopped = server.code === undefined ? await stop(server, problems) : undefined;
  for (const line of server.log.complaints) problems.push(`the server logged: ${line}`);
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
    ...{ descriptorsBefore, descriptorsAfter, tally, stopped, problems },
  };
}

/** Says so where something grows beyond its tolerance. */
function growth(
  what: string,
  trend: Trend | undefined,
  tolerance: Tolerance,
  text: (value: number) => string,
): string[] {
  if (trend === undefined || !isGrowing(trend, tolerance)) return [];
  return [`${what} grows: from ${text(trend.from.value)} to ${text(trend.to.value)}`];
}

async function stop(server: ServerProcess, problems: string[]): Promise<Stopped | undefined> {
  try {
    const stopped = await server.stop();
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
