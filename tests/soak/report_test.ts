/**
 * The report of a soak: axes with round numbers, a plot with all measurements; and the options.
 */

import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { countText, marks, timeMarks } from "./axis.ts";
import { readOptions } from "./options.ts";
import { toSvg } from "./plot.ts";
import { toHtml, toText } from "./report.ts";
import type { SoakResult } from "./run.ts";
import { heapAfter } from "./sampler.ts";
import { Counters } from "./counters.ts";
import { trendOf } from "./trend.ts";

const MiB = 1024 * 1024;

/** A soak of two minutes that looked four times a second, with or without V8's heap. */
function result(heap: boolean, problems: string[] = []): SoakResult {
  const samples = Array.from({ length: 480 }, (_, index) => ({
    seconds: index / 4,
    residentBytes: (100 + index % 9) * MiB,
    heapBytes: heap && index > 10 ? 12 * MiB : undefined,
    descriptors: 40 + index % 3,
    deliveredPerSecond: 20_000,
    lateMs: 3,
  }));
  const trend = (pick: (sample: typeof samples[number]) => number) =>
    trendOf(samples.map((sample) => ({ seconds: sample.seconds, value: pick(sample) })), 24);
  const counters = Object.assign(new Counters(), {
    published: 1_000_000,
    delivered: 2_400_000,
    replies: 950,
    shortSessions: 12,
  });
  return {
    ...{
      seconds: 120,
      seed: 7,
      date: "2026-01-02T03:04:05.678Z",
      samples,
      warmUpSeconds: 24,
      counters,
      problems,
    },
    memory: trend(({ residentBytes }) => residentBytes),
    descriptors: trend(({ descriptors }) => descriptors),
    ...{ descriptorsBefore: 20, descriptorsAfter: 20, stopped: { code: 0, ms: 12 } },
  };
}

Deno.test("marks are round, begin at 0 and reach the highest value", () => {
  assertEquals(marks(182, 4), [0, 50, 100, 150, 200]);
  assertEquals(marks(75, 4), [0, 20, 40, 60, 80]);
  assertEquals(marks(200, 4), [0, 50, 100, 150, 200]);
  assertEquals(marks(0.3, 3), [0, 0.1, 0.2, 0.3]);
  assertEquals(marks(0, 4), [0, 1]);
});

Deno.test("times are marked in the unit that fits, and never beyond their end", () => {
  const texts = (seconds: number) => timeMarks(seconds, 10).map(({ text }) => text);
  assertEquals(texts(60), ["0 s", "10 s", "20 s", "30 s", "40 s", "50 s", "60 s"]);
  assertEquals(texts(5.2), ["0 s", "1 s", "2 s", "3 s", "4 s", "5 s"]);
  assertEquals(texts(300), ["0 min", "1 min", "2 min", "3 min", "4 min", "5 min"]);
  assertEquals(texts(6 * 3600).at(-1), "6 h");
  assert(texts(7 * 86_400).length <= 12);
});

Deno.test("counts are short", () => {
  assertEquals([0, 950, 12_500, 3e6].map(countText), ["0", "950", "12.5 k", "3 M"]);
});

Deno.test("the plot is an SVG with axes, a line for each measurement, and light and dark colours", () => {
  const svg = toSvg(result(true));
  assert(svg.startsWith("<svg ") && svg.endsWith("</svg>\n"));
  for (
    const text of ["Memory, MiB", "Descriptors", "Messages delivered a second", "120 s", "V8 heap", "warm-up"]
  ) {
    assert(svg.includes(`>${text}`), text);
  }
  assert(svg.includes("prefers-color-scheme: dark"));
  assert(!/NaN|Infinity|undefined/.test(svg), "a number is missing");
  const points = svg.match(/<path class="first" d="M[^"]*"/)![0].split("L").length;
  assertEquals(points, 480);
  assert(!toSvg(result(false)).includes("V8 heap"));
});

Deno.test("a soak without samples has a plot", () => {
  const svg = toSvg({ ...result(true), samples: [], memory: undefined, descriptors: undefined });
  assert(!/NaN|Infinity|undefined/.test(svg), "a number is missing");
});

Deno.test("the page and the text contain the problems, escaped", () => {
  const failed = result(true, ["memory grows: <b>from 1 & to 2"]);
  assertStringIncludes(toText(failed), "FAILED: memory grows");
  assertStringIncludes(toText(result(true)), "\nok");
  const page = toHtml(failed);
  assert(page.includes("<li>memory grows: &#60;b&#62;from 1 &#38; to 2</li>"));
  assert(page.includes("<svg "));
  assertStringIncludes(toText({ ...failed, memory: undefined }), "too short for a trend");
});

Deno.test("the heap size is parsed from V8's garbage collection trace", () => {
  const scavenge =
    "[651:0x562efbfc9000]  53 ms: Scavenge 4.8 (5.4) -> 4.5 (6.4) MB, pooled: 0.0 MB, 1.16 / 0.00 ms";
  const full =
    "[651:0x1]  9000 ms: Mark-Compact (reduce) 9.8 (11.4) -> 4.0 (6.4) MB, pooled: 0.0 MB, 1.16 / 0.00 ms";
  assertEquals([scavenge, full, "parley ping --url x"].map(heapAfter), [4.5 * MiB, 4 * MiB, undefined]);
});

Deno.test("options: defaults and invalid arguments", () => {
  const options = readOptions([], () => 7)!;
  assertEquals([options.seconds, options.seed, options.report, options.server], [
    120,
    7,
    undefined,
    undefined,
  ]);
  assertEquals(readOptions(["--report", "out.html"], () => 7)!.report, "out.html");
  assertEquals(readOptions(["--help"], () => 7), undefined);
  for (const args of [["--seconds", "0"], ["--report", "out.png"], ["--reports", "out.svg"], ["--server"]]) {
    assertThrows(() => readOptions(args, () => 7), TypeError);
  }
});
