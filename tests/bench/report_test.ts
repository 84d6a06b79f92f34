import { assert, assertAlmostEquals, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { toSvg } from "../../bench/report/chart.ts";
import { makeRow, median, ratiosByRound, type Report, spreadOf } from "../../bench/report/data.ts";
import { digits, formatValue } from "../../bench/report/format.ts";
import { BEGIN, END, inserted, table, toMarkdown } from "../../bench/report/markdown.ts";
import type { Outcome } from "../../bench/rounds.ts";
import { WORKLOADS } from "../../bench/workloads.ts";

function values(...values: number[]): Outcome[] {
  return values.map((value) => ({ value }));
}

function workloadOf(id: string) {
  return WORKLOADS.find((workload) => workload.id === id)!;
}

const lost: Outcome = { error: "lost 3 of 4 messages" };

Deno.test("the median is the middle value, or the mean of the two in the middle", () => {
  assertEquals(median([3, 1, 2]), 2);
  assertEquals(median([4, 1, 3, 2]), 2.5);
  assertEquals(spreadOf([2, 9, 4]), { median: 4, min: 2, max: 9 });
  assertEquals(spreadOf([]), undefined);
});

Deno.test("ratios are taken within a round, and a round in which either failed is left out", () => {
  const ours: Outcome[] = [...values(10, 30), lost, ...values(8)];
  assertEquals(ratiosByRound(ours, values(5, 10, 7, 2), true), [2, 3, 4]);
  assertEquals(ratiosByRound(values(10, 30), [lost, ...values(10)], true), [3]);
});

Deno.test("above 1 is better also for units of which less is better", () => {
  assertEquals(ratiosByRound(values(10), values(20), false), [2]);
});

Deno.test("the median of the ratios is not the ratio of the medians", () => {
  // The machine became slower from round to round, for both alike.
  const outcomes = new Map([["parley", values(100, 20, 10)], ["nats", values(50, 10, 5)]]);
  const row = makeRow({ workload: workloadOf("one16"), outcomes }, "parley");
  assertEquals(row.ratios, { nats: { median: 2, min: 2, max: 2 } });
});

Deno.test("a goal is reached by the median, and not if the workload failed", () => {
  const goalsOf = (ours: Outcome[]) => {
    const outcomes = new Map([["parley", ours], ["nats", values(1)], ["redis", values(2)]]);
    return makeRow({ workload: workloadOf("one16"), outcomes }, "parley").goals;
  };
  assertEquals(goalsOf(values(20)), [
    { over: "nats", goal: "15x", isReached: true },
    { over: "redis", goal: "15x", isReached: false },
  ]);
  assertEquals(goalsOf([lost]).map(({ isReached }) => isReached), [false, false]);
});

Deno.test("an absolute limit is a goal too, and so is another server's p99", () => {
  const memory = makeRow(
    { workload: workloadOf("idle10k"), outcomes: new Map([["parley", values(13_000)]]) },
    "parley",
  );
  assertEquals(memory.goals, [{ goal: "at most 12.0 KiB", isReached: false }]);
  const latencies = (p99: number): Outcome[] => [{ value: 1, latency: { p50: 1, p99, p999: 99 } }];
  const outcomes = new Map([["parley", latencies(20)], ["nats", latencies(25)]]);
  const echo = makeRow({ workload: workloadOf("echo500"), outcomes }, "parley");
  assertEquals(echo.goals.at(-1), { goal: "p99 no higher than nats's", isReached: true });
});

/** Rounds of a build with these values. */
function builds(...rounds: [string, ...number[]][]) {
  return new Map(rounds.map(([name, ...results]) => [name, values(...results)]));
}

Deno.test("later builds are compared with the first one only", () => {
  const outcomes = builds(["before", 10, 20, 40], ["again", 10, 20, 40], ["after", 20, 40, 80]);
  const row = makeRow({ workload: workloadOf("one16"), outcomes }, "before", ["before", "again", "after"]);
  assertEquals(row.ratios, {});
  assertEquals(Object.keys(row.builds), ["again", "after"]);
  assertEquals(row.builds.again, { ratio: 1, low: 1, high: 1 });
  assertAlmostEquals(row.builds.after.ratio, 2);
  const slower = makeRow(
    { workload: workloadOf("start"), outcomes: builds(["before", 50], ["after", 100]) },
    "before",
    ["before", "after"],
  );
  assertAlmostEquals(slower.builds.after.ratio, 0.5, 1e-12, "twice the time is half as good");
});

Deno.test("the report of builds has one line per workload, and marks intervals below 0.97", () => {
  const rows = [["one16", 1], ["echo1", 0.9]].map(([id, factor]) => {
    const before = [100, 110, 90, 105, 95];
    const after = before.map((value, round) =>
      value * (factor as number) * [1, 1.02, 0.98, 1.01, 0.99][round]
    );
    const outcomes = builds(["before", ...before], ["after", ...after]);
    return makeRow({ workload: workloadOf(id as string), outcomes }, "before", ["before", "after"]);
  });
  const contenders = ["before", "after"].map((name) => ({ name, title: name, version: "0.1.0" }));
  const text = toMarkdown({ ...report, contenders, rows });
  assertMatch(text, /^\| workload +\| after \/ before +\|$/m);
  assertMatch(text, /^\| 16 B, 1 → 1 +\| 1\.000x \(0\.980 – 1\.020\) +\|$/m);
  assertMatch(text, /^\| 64 B echo, 1 connection +\| 0\.900x \(0\.882 – 0\.918\), ✗ +\|$/m);
});

Deno.test("numbers have three significant digits", () => {
  const written = [0.5, 9.994, 9.996, 99.94, 99.96, 1234].map(digits);
  assertEquals(written, ["0.50", "9.99", "10.0", "99.9", "100", "1234"]);
  assertEquals(formatValue(30_336_888, "/s"), "30.3 M");
  assertEquals(formatValue(6677, "/s"), "6677");
  assertEquals(formatValue(13_410, "bytes"), "13.1 KiB");
});

Deno.test("a table is aligned as by deno fmt", () => {
  assertEquals(
    table(["work", "a"], [["1 → 1", "30.3 M"]]),
    "| work  | a      |\n| ----- | ------ |\n| 1 → 1 | 30.3 M |",
  );
});

const report: Report = {
  date: "2026-01-02T03:04:05.678Z",
  machine: {
    cpu: "Some CPU",
    cores: 2,
    memoryBytes: 2 ** 34,
    os: "Linux",
    deno: "2.9.6",
    fileSystem: "ext4 on /dev/sda",
    load: 0.1,
  },
  effort: { rounds: 3, seconds: 1, warmUpSeconds: 0.5, isServerFresh: false, syncMs: 0 },
  contenders: [
    { name: "parley", title: "Parley", version: "0.1.0" },
    { name: "nats", title: "NATS", version: "2.9.10" },
    { name: "ceiling", title: "ceiling", version: "bench/relay.ts" },
  ],
  rows: [
    makeRow({
      workload: workloadOf("one16"),
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

Deno.test("a report has versions, machine, results and failures", () => {
  const text = toMarkdown(report);
  assertStringIncludes(text, "2026-01-02, 3 rounds of 1 s after 0.5 s of warm-up");
  assertStringIncludes(text, "Some CPU, 2 cores, 16 GiB; Linux; load before the run 0.10");
  assertStringIncludes(text, "Parley 0.1.0, NATS 2.9.10; Deno 2.9.6");
  assertStringIncludes(text, "| 16 B, 1 → 1 | 30.0 M (20.0 M – 40.0 M) | 2.00 M (2.00 M – 2.00 M) |");
  assertStringIncludes(text, "| 16 B, 1 → 1 | 12.5x (10.0 – 15.0), ✗ 15x | –");
  assertStringIncludes(text, "0.95 + 0.45");
  assertStringIncludes(text, "- 16 B, 1 → 1: NATS: lost 3 of 4 messages");
});

Deno.test("stored workloads have tables of their own, with the durability of each server and their goals", () => {
  const latency = (p99: number, bareP99 = 2): Outcome[] => [
    { value: 1e3, latency: { p50: 1, p99, p999: 9 }, bareLatency: { p50: 0.5, p99: bareP99, p999: 8 } },
  ];
  const rows = [
    ...report.rows,
    makeRow({
      workload: workloadOf("stored1"),
      outcomes: new Map([["parley", latency(2.9)], ["redis-always", latency(3, 6)]]),
    }, "parley"),
    makeRow({
      workload: workloadOf("storedreplay"),
      outcomes: builds(["parley", 12e6], ["redis-always", 4e6]),
    }, "parley"),
    makeRow({ workload: workloadOf("storedecho50"), outcomes: new Map([["parley", latency(11)]]) }, "parley"),
  ];
  const contenders = [
    { ...report.contenders[0], durability: "fsync" },
    ...report.contenders.slice(1),
    { name: "redis-always", title: "Redis, always", version: "7", durability: "fsync of each turn" },
  ];
  const text = toMarkdown({ ...report, contenders, rows });
  const [messages, stored] = text.split("### Stored channels");
  assertMatch(messages, /^\| workload +\| Parley +\| NATS +\|$/m);
  assert(!messages.includes("Redis, always |"), messages);
  assertStringIncludes(
    stored,
    "on ext4 on /dev/sda:\n\n- Parley: fsync\n- Redis, always: fsync of each turn\n\n",
  );
  assertMatch(stored, /^\| workload +\| Parley \| Redis, always \|$/m);
  assertMatch(stored, /one at a time +\|.*\| ✓ p99 at most 1\.5x a bare write's +\|$/m);
  assertMatch(
    stored,
    /^\| in turn with it: .* +\| 0\.50 \/ 2\.00 \/ 8\.00 +\| 0\.50 \/ 6\.00 \/ 8\.00 +\|$/m,
  );
  assertMatch(stored, /^\| p99 of the one over p99 of the other +\| 1\.45x +\| 0\.50x +\|$/m);
  assertMatch(stored, /replay to one subscriber +\| 3\.00x +\| ✓ at least 10\.0 M +\|$/m);
  assertMatch(stored, /beside 100,000 stored a second +\|.*\| ✗ p99 at most 10\.0 ms +\|$/m);
});

Deno.test("results replace the text between the marks of a document, and nothing else", () => {
  const document = `# Speed\n\n${BEGIN}\nold\n${END}\n\nThe end.\n`;
  const once = inserted(document, "new\n");
  assert(once.startsWith(`# Speed\n\n${BEGIN}\n`) && once.endsWith(`\n${END}\n\nThe end.\n`), once);
  assert(!once.includes("old"));
  assertEquals(inserted(once, "new\n"), once);
  assertEquals(inserted(undefined, "new\n"), "new\n");
  assertEquals(inserted("no marks", "new\n"), "new\n");
});

Deno.test("a chart has a mark and a range for each server with results", () => {
  const svg = toSvg(report);
  assertEquals(svg.match(/<title>[^<]+/g), [
    "<title>ceiling: 90.0 M",
    "<title>NATS: 2.00 M",
    "<title>Parley: 30.0 M",
  ]);
  assertEquals(svg.match(/<circle /g)?.length, 4, "two in the legend, two in the row");
  assert(!svg.includes("NaN") && svg.endsWith("</svg>\n"));
});
