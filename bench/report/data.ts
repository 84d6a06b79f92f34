/**
 * Results as data: medians, ranges, ratios and goals. No I/O.
 *
 * @module
 */

import type { Latency, Result } from "../load/job.ts";
import type { Effort, Measured, Outcome } from "../rounds.ts";
import { unitOf, type Workload } from "../workloads.ts";
import { formatValue } from "./format.ts";
import { type RatioInterval, ratioInterval } from "./interval.ts";
import type { Machine } from "./machine.ts";

/** Median and range of some values. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** The results of one contender in one workload. */
export interface Cell {
  /** One value per round, in the row's unit. */
  readonly values: readonly number[];
  /** Missing if no round succeeded. */
  readonly spread?: Spread;
  /** For each quantile, its median over the rounds. */
  readonly latency?: Latency;
  /** The same of a write and `fdatasync` without a server. */
  readonly bareLatency?: Latency;
  /** The 99th percentile over that of a write and `fdatasync` without a server: the median of the ratios of the rounds. */
  readonly bareP99Ratio?: number;
  /** Median over the rounds of processor time per second; 1 is one core. */
  readonly serverCores?: number;
  readonly generatorCores?: number;
  /** The error of the first round that failed. */
  readonly error?: string;
}

/** A goal and whether it was reached. */
export interface GoalResult {
  /** The server that the goal compares with, or `undefined` for an absolute goal. */
  readonly over?: string;
  readonly goal: string;
  readonly isReached: boolean;
}

/** One workload with the results of all contenders. */
export interface Row {
  readonly id: string;
  readonly title: string;
  readonly kind: Workload["kind"];
  readonly unit: string;
  readonly moreIsBetter: boolean;
  readonly cells: Readonly<Record<string, Cell>>;
  /** The first contender over each other server; above 1 it is better, whatever the unit. */
  readonly ratios: Readonly<Record<string, Spread>>;
  /** Each later build of Parley over the first one; above 1 it is better, whatever the unit. */
  readonly builds: Readonly<Record<string, RatioInterval>>;
  readonly goals: readonly GoalResult[];
}

/** A measured server. */
export interface ContenderInfo {
  readonly name: string;
  readonly title: string;
  readonly version: string;
  /** If it stores messages: what has happened to one when its receipt comes. */
  readonly durability?: string;
}

/** One run of the benchmark. */
export interface Report {
  /** When it began, in RFC 3339. */
  readonly date: string;
  readonly machine: Machine;
  readonly effort: Effort;
  /** The first one is compared with all others. */
  readonly contenders: readonly ContenderInfo[];
  readonly rows: readonly Row[];
}

/** The name of the relay that shows the most that can be measured. */
export const CEILING_NAME = "ceiling";

/**
 * Makes the row of one workload.
 *
 * @param first the contender that ratios and goals are about
 * @param builds all builds of Parley by name; the later ones are compared with the first one only
 */
export function makeRow(
  { workload, outcomes }: Measured,
  first: string,
  builds: readonly string[] = [],
): Row {
  const { unit, moreIsBetter } = unitOf(workload.kind);
  const cells: Record<string, Cell> = {};
  for (const [name, rounds] of outcomes) cells[name] = makeCell(rounds);
  const roundsOf = (name: string) => outcomes.get(name) ?? [];
  const ratios: Record<string, Spread> = {};
  for (const [name, rounds] of outcomes) {
    if (name === first || builds.includes(name)) continue;
    const ratio = spreadOf(ratiosByRound(roundsOf(first), rounds, moreIsBetter));
    if (ratio !== undefined) ratios[name] = ratio;
  }
  const intervals: Record<string, RatioInterval> = {};
  for (const name of builds.slice(1)) {
    const interval = ratioInterval(ratiosByRound(roundsOf(name), roundsOf(builds[0]), moreIsBetter));
    if (interval !== undefined) intervals[name] = interval;
  }
  return {
    id: workload.id,
    title: workload.title,
    kind: workload.kind,
    unit,
    moreIsBetter,
    cells,
    ratios,
    builds: intervals,
    goals: checkGoals(workload, cells, ratios, first),
  };
}

/**
 * The ratio of `ours` to `theirs` in each round, above 1 if ours is better. Rounds in which either failed are left out.
 * Ratios are taken within a round because the load of the machine changes slowly: neighbouring measurements share it,
 * medians over all rounds do not.
 */
export function ratiosByRound(
  ours: readonly Outcome[],
  theirs: readonly Outcome[],
  moreIsBetter: boolean,
): number[] {
  const ratios: number[] = [];
  for (let round = 0; round < Math.min(ours.length, theirs.length); round++) {
    const our = ours[round], their = theirs[round];
    if (!isResult(our) || !isResult(their)) continue;
    ratios.push(moreIsBetter ? our.value / their.value : their.value / our.value);
  }
  return ratios;
}

/** Median and range of `values`; `undefined` if there are none. */
export function spreadOf(values: readonly number[]): Spread | undefined {
  if (values.length === 0) return undefined;
  return { median: median(values), min: Math.min(...values), max: Math.max(...values) };
}

/** The median of `values`: the middle one, or the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length / 2;
  return sorted.length % 2 === 1 ? sorted[Math.floor(half)] : (sorted[half - 1] + sorted[half]) / 2;
}

function isResult(outcome: Outcome): outcome is Result {
  return !("error" in outcome);
}

function makeCell(rounds: readonly Outcome[]): Cell {
  const results = rounds.filter(isResult);
  const failure = rounds.find((outcome) => !isResult(outcome));
  const values = results.map(({ value }) => value);
  const medianOf = (pick: (result: Result) => number | undefined) => {
    const picked = results.map(pick).filter((value) => value !== undefined);
    return picked.length === 0 ? undefined : median(picked);
  };
  const latencyOf = (pick: (result: Result) => Latency | undefined): Latency | undefined => {
    const p50 = medianOf((result) => pick(result)?.p50);
    if (p50 === undefined) return undefined;
    return {
      p50,
      p99: medianOf((result) => pick(result)?.p99)!,
      p999: medianOf((result) => pick(result)?.p999)!,
    };
  };
  return {
    values,
    spread: spreadOf(values),
    latency: latencyOf(({ latency }) => latency),
    bareLatency: latencyOf(({ bareLatency }) => bareLatency),
    bareP99Ratio: medianOf(({ latency, bareLatency }) => bareLatency && latency!.p99 / bareLatency.p99),
    serverCores: medianOf(({ serverCores }) => serverCores),
    generatorCores: medianOf(({ generatorCores }) => generatorCores),
    error: failure !== undefined && "error" in failure ? failure.error : undefined,
  };
}

function checkGoals(
  workload: Workload,
  cells: Record<string, Cell>,
  ratios: Record<string, Spread>,
  first: string,
): GoalResult[] {
  const ours = cells[first];
  const goals: GoalResult[] = [];
  for (const [name, goal] of Object.entries(workload.goals ?? {})) {
    // A workload that only the other server supports is a goal not reached.
    if (cells[name]?.spread === undefined) continue;
    goals.push({ over: name, goal: `${goal}x`, isReached: ratios[name]?.median >= goal });
  }
  if ("atMost" in workload && ours?.spread !== undefined) {
    const goal = `at most ${formatValue(workload.atMost, unitOf(workload.kind).unit)}`;
    goals.push({ goal, isReached: ours.spread.median <= workload.atMost });
  }
  if ("atLeast" in workload && workload.atLeast !== undefined && ours?.spread !== undefined) {
    const goal = `at least ${formatValue(workload.atLeast, unitOf(workload.kind).unit)}`;
    goals.push({ goal, isReached: ours.spread.median >= workload.atLeast });
  }
  if ("p99AtMost" in workload && ours?.latency !== undefined) {
    goals.push({
      goal: `p99 at most ${formatValue(workload.p99AtMost, "ms")}`,
      isReached: ours.latency.p99 <= workload.p99AtMost,
    });
  }
  if (
    "p99AtMostBare" in workload && workload.p99AtMostBare !== undefined && ours?.bareP99Ratio !== undefined
  ) {
    const goal = `p99 at most ${workload.p99AtMostBare}x a bare write's`;
    goals.push({ goal, isReached: ours.bareP99Ratio <= workload.p99AtMostBare });
  }
  for (const name of "p99NoHigherThan" in workload ? workload.p99NoHigherThan ?? [] : []) {
    const theirs = cells[name]?.latency;
    if (ours?.latency === undefined || theirs === undefined) continue;
    goals.push({ goal: `p99 no higher than ${name}'s`, isReached: ours.latency.p99 <= theirs.p99 });
  }
  return goals;
}
