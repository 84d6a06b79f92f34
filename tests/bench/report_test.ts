import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { toSvg } from "../../bench/report/chart.ts";
import { makeRow, median, ratiosByRound, type Report, spreadOf } from "../../bench/report/data.ts";
import { digits, formatValue } from "../../bench/report/format.ts";
import { BEGIN, END, inserted, table, toMarkdown } from "../../bench/report/markdown.ts";
import type { Outcome } from "../../bench/rounds.ts";
import { WORKS } from "../../bench/workloads.ts";

function values(...values: number[]): Outcome[] {
  return values.map((value) => ({ value }));
}

function work(id: string) {
  return WORKS.find((work) => work.id === id)!;
}

const lost: Outcome = { error: "lost 3 of 4 messages" };

Deno.test("the median is the middle value, or the mean of the two in the middle", () => {
  assertEquals(median([3, 1, 2]), 2);
  assertEquals(median([4, 1, 3, 2]), 2.5);
  assertEquals(spreadOf([2, 9, 4]), { median: 4, min: 2, max: 9 });
  assertEquals(spreadOf([]), undefined);
});

Deno.test("ratios are taken round by round, and a round that failed for either counts for neither", () => {
  const ours: Outcome[] = [...values(10, 30), lost, ...values(8)];
  assertEquals(ratiosByRound(ours, values(5, 10, 7, 2), true), [2, 3, 4]);
  assertEquals(ratiosByRound(values(10, 30), [lost, ...values(10)], true), [3]);
});

Deno.test("above 1 is better also where less is more", () => {
  assertEquals(ratiosByRound(values(10), values(20), false), [2]);
});

Deno.test("the median of the ratios is not the ratio of the medians", () => {
  // The machine became slower from round to round, for both alike.
  const outcomes = new Map([["parley", values(100, 20, 10)], ["nats", values(50, 10, 5)]]);
  const row = makeRow({ work: work("one16"), outcomes }, "parley");
  assertEquals(row.ratios, { nats: { median: 2, min: 2, max: 2 } });
});

Deno.test("a goal is reached by the median, and not by who cannot do the work", () => {
  const judged = (ours: Outcome[]) => {
    const outcomes = new Map([["parley", ours], ["nats", values(1)], ["redis", values(2)]]);
    return makeRow({ work: work("one16"), outcomes }, "parley").verdicts;
  };
  assertEquals(judged(values(20)), [
    { over: "nats", goal: "15x", isReached: true },
    { over: "redis", goal: "15x", isReached: false },
  ]);
  assertEquals(judged([lost]).map(({ isReached }) => isReached), [false, false]);
});

Deno.test("a bound is a goal too, and so is another server's p99", () => {
  const memory = makeRow(
    { work: work("idle10k"), outcomes: new Map([["parley", values(13_000)]]) },
    "parley",
  );
  assertEquals(memory.verdicts, [{ goal: "at most 12.0 KiB", isReached: false }]);
  const waits = (p99: number): Outcome[] => [{ value: 1, latency: { p50: 1, p99, p999: 99 } }];
  const outcomes = new Map([["parley", waits(20)], ["nats", waits(25)]]);
  const echo = makeRow({ work: work("echo500"), outcomes }, "parley");
  assertEquals(echo.verdicts.at(-1), { goal: "p99 no higher than nats's", isReached: true });
});

Deno.test("numbers have three digits that count", () => {
  const written = [0.5, 9.994, 9.996, 99.94, 99.96, 1234].map(digits);
  assertEquals(written, ["0.50", "9.99", "10.0", "99.9", "100", "1234"]);
  assertEquals(formatValue(30_336_888, "/s"), "30.3 M");
  assertEquals(formatValue(6677, "/s"), "6677");
  assertEquals(formatValue(13_410, "bytes"), "13.1 KiB");
});

Deno.test("a table is aligned as deno fmt would", () => {
  assertEquals(
    table(["work", "a"], [["1 → 1", "30.3 M"]]),
    "| work  | a      |\n| ----- | ------ |\n| 1 → 1 | 30.3 M |",
  );
});

const report: Report = {
  date: "2026-01-02T03:04:05.678Z",
  machine: { cpu: "Some CPU", cores: 2, memoryBytes: 2 ** 34, os: "Linux", deno: "2.9.6", load: 0.1 },
  effort: { rounds: 3, seconds: 1, warmUpSeconds: 0.5 },
  entrants: [
    { name: "parley", title: "Parley", version: "0.1.0" },
    { name: "nats", title: "NATS", version: "2.9.10" },
    { name: "ceiling", title: "ceiling", version: "bench/relay.ts" },
  ],
  rows: [
    makeRow({
      work: work("one16"),
      outcomes: new Map([
        ["parley", [
          { value: 30e6, serverCores: 1, generatorCores: 0.5 },
          ...values(20e6),
          { value: 40e6, serverCores: 0.9, generatorCores: 0.4 },
        ]],
        ["nats", [...values(2e6, 2e6), lost]],
        ["ceiling", values(90e6, 90e6, 90e6)],
      ]),
    }, "parley"),
  ],
};

Deno.test("a report says what ran where, what came out, and what failed", () => {
  const text = toMarkdown(report);
  assertStringIncludes(text, "2026-01-02, 3 rounds of 1 s after 0.5 s of warm-up");
  assertStringIncludes(text, "Some CPU, 2 cores, 16 GiB; Linux; load before the run 0.10");
  assertStringIncludes(text, "Parley 0.1.0, NATS 2.9.10; Deno 2.9.6");
  assertStringIncludes(text, "| 16 B, 1 → 1 | 30.0 M (20.0 M – 40.0 M) | 2.00 M (2.00 M – 2.00 M) |");
  assertStringIncludes(text, "| 16 B, 1 → 1 | 12.5x (10.0 – 15.0), ✗ 15x | –");
  assertStringIncludes(text, "0.95 + 0.45");
  assertStringIncludes(text, "- 16 B, 1 → 1: NATS: lost 3 of 4 messages");
});

Deno.test("results replace those between the marks of a document, and nothing else", () => {
  const document = `# Speed\n\n${BEGIN}\nold\n${END}\n\nThe end.\n`;
  const once = inserted(document, "new\n");
  assert(once.startsWith(`# Speed\n\n${BEGIN}\n`) && once.endsWith(`\n${END}\n\nThe end.\n`), once);
  assert(!once.includes("old"));
  assertEquals(inserted(once, "new\n"), once);
  assertEquals(inserted(undefined, "new\n"), "new\n");
  assertEquals(inserted("no marks", "new\n"), "new\n");
});

Deno.test("a chart has a mark and a range for each who did the work", () => {
  const svg = toSvg(report);
  assertEquals(svg.match(/<title>[^<]+/g), [
    "<title>ceiling: 90.0 M",
    "<title>NATS: 2.00 M",
    "<title>Parley: 30.0 M",
  ]);
  assert(!svg.includes("NaN") && svg.endsWith("</svg>\n"));
});
