/**
 * Formats the result of a run for the terminal.
 *
 * @module
 */

import { commandOf, type FuzzOptions } from "./options.ts";
import { quantile } from "./quantile.ts";
import type { FuzzProgress, FuzzResult } from "./run.ts";

const MiB = 1024 * 1024;

/** The status line of a run in progress. */
export function formatProgress(progress: FuzzProgress, seconds: number): string {
  const { attacks, sentBytes, messages, residentBytes } = progress;
  return `${Math.floor(progress.seconds)} of ${seconds} s  ${count(attacks)} attacks  ${
    mib(sentBytes)
  } sent  ` +
    `${count(messages)} control messages  ${mib(residentBytes)} used`;
}

/** The summary of a finished run. */
export function formatResult(result: FuzzResult, options: FuzzOptions): string {
  const { control, memory, descriptors, stopped, refusals } = result;
  const codes = [...refusals].sort(([, one], [, other]) => other - one).map(([code, n]) =>
    `${code} ${count(n)}`
  );
  const [p50, p99, worst] = [0.5, 0.99, 1].map((q) => `${quantile(control.latencies, q).toFixed(1)} ms`);
  const rows = [
    [
      "attacks",
      `${count(result.attacks)}, ${count(result.established)} of them established, ${
        mib(result.sentBytes)
      } sent`,
    ],
    ["ended by", codes.join(", ") || "nothing"],
    [
      "control",
      `${count(control.messages)} messages and ${count(control.answers)} answers; ` +
      `latency p50 ${p50}, p99 ${p99}, worst ${worst}; ${count(control.unsolicited)} unsolicited messages`,
    ],
    ["memory", `${mib(memory.before)} before, ${mib(memory.peak)} at most, ${mib(memory.after)} after`],
    ["descriptors", `${descriptors.before} before, ${descriptors.after} after`],
    [
      "server",
      stopped ? `exit code ${stopped.code}, ${Math.round(stopped.ms)} ms after SIGTERM` : "did not stop",
    ],
  ];
  const lines = rows.map(([name, value]) => `  ${name.padEnd(12)} ${value}`);
  const outcome = result.problems.length === 0
    ? ["ok"]
    : [...result.problems.map((problem) => `FAILED: ${problem}`), `to repeat: ${commandOf(options)}`];
  return [...lines, ...outcome].join("\n");
}

function count(value: number): string {
  return value.toLocaleString("en");
}

function mib(bytes: number): string {
  return `${Math.round(bytes / MiB)} MiB`;
}
