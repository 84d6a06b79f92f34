/**
 * Formats the result of a soak for the terminal and as a web page.
 *
 * @module
 */

import { countText } from "./axis.ts";
import { escape, toSvg } from "./plot.ts";
import { DESCRIPTOR_TOLERANCE, HEAP_TOLERANCE, MEMORY_TOLERANCE, type SoakResult } from "./run.ts";
import type { Sample } from "./sampler.ts";
import { LEAST_SECONDS, type Tolerance, type Trend } from "./trend.ts";

const MiB = 1024 * 1024;

/** The result as rows of a name and a value. */
export function rowsOf(result: SoakResult): [string, string][] {
  const { counters, samples, stopped, descriptorsBefore, descriptorsAfter } = result;
  const most = (pick: (sample: Sample) => number) =>
    samples.reduce((max, sample) => Math.max(max, pick(sample)), 0);
  const growthText = (trend: Trend | undefined, tolerance: Tolerance, text: (value: number) => string) => {
    if (trend === undefined) return `too short for a trend: that takes ${LEAST_SECONDS} s after the warm-up`;
    const may = Math.max(tolerance.absolute, tolerance.share * trend.from.value);
    return `${text(trend.from.value)} after the warm-up, ${text(trend.to.value)} at the end (may grow by ${
      text(may)
    })`;
  };
  return [
    ["load", `${result.seconds} s, seed ${result.seed}; warm-up ${result.warmUpSeconds.toFixed(0)} s`],
    ["messages", `${countText(counters.published)} published, ${countText(counters.delivered)} delivered`],
    ["replies", countText(counters.replies)],
    [
      "sessions",
      `${countText(counters.shortSessions)}; ${counters.slowConsumersClosed} slow consumers closed`,
    ],
    [
      "memory",
      `${growthText(result.memory, MEMORY_TOLERANCE, mib)}, ${
        mib(most(({ residentBytes }) => residentBytes))
      } at most`,
    ],
    [
      "V8 heap",
      most(({ heapBytes = 0 }) => heapBytes) > 0 ? growthText(result.heap, HEAP_TOLERANCE, mib) : "unknown",
    ],
    [
      "descriptors",
      `${growthText(result.descriptors, DESCRIPTOR_TOLERANCE, (count) => count.toFixed(0))}; ` +
      `${descriptorsBefore} before the load, ${descriptorsAfter} after it`,
    ],
    [
      "server",
      stopped ? `exit code ${stopped.code}, ${Math.round(stopped.ms)} ms after SIGTERM` : "did not stop",
    ],
    ["soak itself", `delayed by at most ${Math.round(most(({ lateMs }) => lateMs))} ms`],
  ];
}

function mib(bytes: number): string {
  return `${(bytes / MiB).toFixed(bytes < 30 * MiB ? 1 : 0)} MiB`;
}

/** The result for a terminal. */
export function toText(result: SoakResult): string {
  const outcome = result.problems.length === 0
    ? ["ok"]
    : result.problems.map((problem) => `FAILED: ${problem}`);
  return [...rowsOf(result).map(([name, value]) => `  ${name.padEnd(12)} ${value}`), ...outcome].join("\n");
}

/** The result as a page with its plot. */
export function toHtml(result: SoakResult): string {
  const rows = rowsOf(result).map(([name, value]) =>
    `<tr><th>${escape(name)}</th><td>${escape(value)}</td></tr>`
  );
  const problems = result.problems.map((problem) => `<li>${escape(problem)}</li>`);
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>Parley under load</title>
<style>
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
th { text-align: left; padding-right: 2rem; font-weight: 600; vertical-align: top; }
svg { max-width: 100%; height: auto; }
</style>
<h1>Parley under load: ${problems.length === 0 ? "passed" : "failed"}</h1>
${problems.length === 0 ? "" : `<ul>\n${problems.join("\n")}\n</ul>`}
<table>
${rows.join("\n")}
</table>
${toSvg(result)}
<p>Growth is measured after the warm-up: the time is divided into 20 windows, the lowest value of each is taken, and the
dotted line has the median of the slopes between them (Theil-Sen estimator).</p>
</html>
`;
}
