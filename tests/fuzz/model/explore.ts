/**
 * Runs one schedule after the other and collects what they find: `deno task fuzz --model`.
 *
 * @module
 */

import type { Finding, Kind } from "./invariants.ts";
import { runSchedule } from "./schedule.ts";

/** Which schedules to run. */
export interface ExploreOptions {
  /** The seed of the first schedule; each one after it has the next number. */
  readonly seed: number;
  readonly seconds: number;
  /** The most schedules to run. */
  readonly count: number;
}

/** A violation, and the schedule that found it first. */
export interface SeededFinding extends Finding {
  readonly seed: number;
  /** What the sessions of that schedule did. */
  readonly trace: readonly string[];
}

/** What the schedules have found so far. */
export interface Exploration {
  schedules: number;
  steps: number;
  /** The largest share of the allowed work that a turn has used. */
  maxLoad: number;
  /** The first violation of each kind. */
  readonly findings: Map<Kind, SeededFinding>;
  /** How many schedules found each kind. */
  readonly counts: Map<Kind, number>;
}

/** Runs schedules until the time is over, all are done, or `signal` is aborted. */
export async function explore(
  { seed: first, seconds, count }: ExploreOptions,
  onProgress: (exploration: Exploration) => void = () => {},
  signal?: AbortSignal,
): Promise<Exploration> {
  const exploration: Exploration = {
    ...{ schedules: 0, steps: 0, maxLoad: 0 },
    findings: new Map(),
    counts: new Map(),
  };
  const end = performance.now() + seconds * 1000;
  for (let seed = first; seed < first + count && performance.now() < end && !signal?.aborted; seed++) {
    const { findings, trace, maxLoad } = await runSchedule(seed);
    exploration.schedules++;
    exploration.steps += trace.length;
    exploration.maxLoad = Math.max(exploration.maxLoad, maxLoad);
    for (const finding of findings) {
      const { counts } = exploration;
      counts.set(finding.kind, (counts.get(finding.kind) ?? 0) + 1);
      if (!exploration.findings.has(finding.kind)) {
        exploration.findings.set(finding.kind, { ...finding, seed, trace });
      }
    }
    onProgress(exploration);
  }
  return exploration;
}

/** The status line of an exploration in progress. */
export function formatExploring({ schedules, steps, findings }: Exploration): string {
  return `${schedules.toLocaleString("en")} schedules  ${
    steps.toLocaleString("en")
  } steps  ${findings.size} problems`;
}

/** What a finished exploration has found, each kind with the command that repeats it. */
export function formatExploration({ schedules, steps, maxLoad, findings, counts }: Exploration): string {
  const problems = [...findings].map(([kind, { seed, detail, trace }]) =>
    [
      `FAILED: ${kind} (${counts.get(kind)} schedules): ${detail}`,
      `  to repeat: deno task fuzz --model --seed ${seed} --count 1`,
      `  last steps: ${trace.slice(-10).join(", ")}`,
    ].join("\n")
  );
  return [
    `  schedules    ${schedules.toLocaleString("en")}, ${steps.toLocaleString("en")} steps`,
    `  work         ${Math.round(100 * maxLoad)}% of what one turn may do, at most`,
    ...(problems.length > 0 ? problems : ["ok"]),
  ].join("\n");
}
