/**
 * What came out, as data: medians, ranges, ratios and goals. No I/O.
 *
 * @module
 */

import type { Latency, Result } from "../load/job.ts";
import type { Effort, Measured, Outcome } from "../rounds.ts";
import { unitOf, type Workload } from "../workloads.ts";
import { formatValue } from "./format.ts";
import type { Machine } from "./machine.ts";

/** The middle and the ends of some values. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** What one contender reached in one work. */
export interface Cell {
  /** One value a round, in the row's unit. */
  readonly values: readonly number[];
  /** Missing where no round succeeded. */
  readonly spread?: Spread;
  /** Medians over the rounds, of each quantile by itself. */
  readonly latency?: Latency;
  /** Medians over the rounds, of processor time a second; 1 is one core. */
  readonly serverCores?: number;
  readonly generatorCores?: number;
  /** What went wrong in the first round that failed. */
  readonly error?: string;
}

/** A goal and whether it was reached. */
export interface Verdict {
  /** Whom it is to be surpassed by the factor `goal`, or `undefined` for any other goal. */
  readonly over?: string;
  readonly goal: string;
  readonly isReached: boolean;
}

/** One work and all who did it. */
export interface Row {
  readonly id: string;
  readonly title: string;
  readonly kind: Workload["kind"];
  readonly unit: string;
  readonly moreIsBetter: boolean;
  readonly cells: Readonly<Record<string, Cell>>;
  /** How many times as good as each other contender the first one is: above 1 is better, whatever the unit. */
  readonly ratios: Readonly<Record<string, Spread>>;
  readonly verdicts: readonly Verdict[];
}

/** A server that took part. */
export interface Entrant {
  readonly name: string;
  readonly title: string;
  readonly version: string;
}

/** One run of the benchmark. */
export interface Report {
  /** When it began, in RFC 3339. */
  readonly date: string;
  readonly machine: Machine;
  readonly effort: Effort;
  /** The first is the one all others are compared with. */
  readonly entrants: readonly Entrant[];
  readonly rows: readonly Row[];
}

/** The name of the relay that stands for what could be measured at most; it is no rival. */
export const CEILING_NAME = "ceiling";

/** Makes a row of what was measured; `first` is the contender the ratios and goals are about. */
export function makeRow({ work, outcomes }: Measured, first: string): Row {
  const { unit, moreIsBetter } = unitOf(work.kind);
  const cells: Record<string, Cell> = {};
  for (const [name, rounds] of outcomes) cells[name] = makeCell(rounds);
  const ratios: Record<string, Spread> = {};
  for (const [name, rounds] of outcomes) {
    if (name === first) continue;
    const ratio = spreadOf(ratiosByRound(outcomes.get(first) ?? [], rounds, moreIsBetter));
    if (ratio !== undefined) ratios[name] = ratio;
  }
  const verdicts = judge(work, cells, ratios, first);
  return { id: work.id, title: work.title, kind: work.kind, unit, moreIsBetter, cells, ratios, verdicts };
}

/**
 * How many times as good `ours` was as `theirs`, round by round; rounds that failed for either are left out. Rounds are
 * compared one by one because what the machine does beside changes slowly: two neighbours share it, two medians don't.
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

/** The median and the range of `values`; `undefined` where there are none. */
export function spreadOf(values: readonly number[]): Spread | undefined {
  if (values.length === 0) return undefined;
  return { median: median(values), min: Math.min(...values), max: Math.max(...values) };
}

/** The middle of `values`, or the mean of the two in the middle. */
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
  const p50 = medianOf(({ latency }) => latency?.p50);
  const p99 = medianOf(({ latency }) => latency?.p99);
  const p999 = medianOf(({ latency }) => latency?.p999);
  return {
    values,
    spread: spreadOf(values),
    latency: p50 === undefined ? undefined : { p50, p99: p99!, p999: p999! },
    serverCores: medianOf(({ serverCores }) => serverCores),
    generatorCores: medianOf(({ generatorCores }) => generatorCores),
    error: failure !== undefined && "error" in failure ? failure.error : undefined,
  };
}

function judge(
  work: Workload,
  cells: Record<string, Cell>,
  ratios: Record<string, Spread>,
  first: string,
): Verdict[] {
  const ours = cells[first];
  const verdicts: Verdict[] = [];
  for (const [name, goal] of Object.entries(work.goals ?? {})) {
    // What we cannot do at all we have not reached, as soon as somebody else can.
    if (cells[name]?.spread === undefined) continue;
    verdicts.push({ over: name, goal: `${goal}x`, isReached: ratios[name]?.median >= goal });
  }
  if ("atMost" in work && ours?.spread !== undefined) {
    const goal = `at most ${formatValue(work.atMost, unitOf(work.kind).unit)}`;
    verdicts.push({ goal, isReached: ours.spread.median <= work.atMost });
  }
  for (const name of "p99NoHigherThan" in work ? work.p99NoHigherThan ?? [] : []) {
    const theirs = cells[name]?.latency;
    if (ours?.latency === undefined || theirs === undefined) continue;
    verdicts.push({ goal: `p99 no higher than ${name}'s`, isReached: ours.latency.p99 <= theirs.p99 });
  }
  return verdicts;
}
