/**
 * What a soak found, for people: a page, and some lines for the terminal.
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
  const { tally, samples, stopped, descriptorsBefore, descriptorsAfter } = result;
  const most = (pick: (sample: Sample) => number) =>
    samples.reduce((max, sample) => Math.max(max, pick(sample)), 0);
  const judged = (trend: Trend | undefined, tolerance: Tolerance, text: (value: number) => string) => {
    if (trend === undefined) return `not judged: that takes ${LEAST_SECONDS} s after the warm-up`;
    const may = Math.max(tolerance.absolute, tolerance.share * trend.from.value);
    return `${text(trend.from.value)} after the warm-up, ${text(trend.to.value)} at the end (may grow by ${
      text(may)
    })`;
  };
  return [
    ["load", `${result.seconds} s, seed ${result.seed}; warm-up ${result.warmUpSeconds.toFixed(0)} s`],
    ["messages", `${countText(tally.published)} published, ${countText(tally.delivered)} delivered`],
    ["answers", countText(tally.answers)],
    ["visits", `${countText(tally.visits)}; ${tally.slowClosed} sleepers closed`],
    [
      "memory",
      `${judged(result.memory, MEMORY_TOLERANCE, mib)}, ${
        mib(most(({ residentBytes }) => residentBytes))
      } at most`,
    ],
    [
      "V8 heap",
      most(({ heapBytes = 0 }) => heapBytes) > 0 ? judged(result.heap, HEAP_TOLERANCE, mib) : "not told",
    ],
    [
      "descriptors",
      `${judged(result.descriptors, DESCRIPTOR_TOLERANCE, (count) => count.toFixed(0))}; ` +
      `${descriptorsBefore} before all came, ${descriptorsAfter} after all left`,
    ],
    [
      "server",
      stopped ? `exit code ${stopped.code}, ${Math.round(stopped.ms)} ms after SIGTERM` : "did not stop",
    ],
    ["soak itself", `kept from running for ${Math.round(most(({ lateMs }) => lateMs))} ms at most`],
  ];
}

function mib(bytes: number): string {
  return `${(bytes / MiB).toFixed(bytes < 30 * MiB ? 1 : 0)} MiB`;
}

/** The result for a terminal. */
export function toText(result: SoakResult): string {
  const verdict = result.problems.length === 0
    ? ["ok"]
    : result.problems.map((problem) => `FAILED: ${problem}`);
  return [...rowsOf(result).map(([name, value]) => `  ${name.padEnd(12)} ${value}`), ...verdict].join("\n");
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
<h1>Parley under load: ${problems.length === 0 ? "all is well" : "failed"}</h1>
${problems.length === 0 ? "" : `<ul>\n${problems.join("\n")}\n</ul>`}
<table>
${rows.join("\n")}
</table>
${toSvg(result)}
<p>Growth is judged after the warm-up: time is cut into 20 windows, the lowest value of each is taken, and the dotted
lines have the median of the slopes between them (Theil and Sen).</p>
</html>
`;
}
