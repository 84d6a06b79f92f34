import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { Latencies } from "../../../../lib/cli/client/bench/latencies.ts";
import { grantsFor, planOf, WORKLOADS } from "../../../../lib/cli/client/bench/plan.ts";
import { formatProgress } from "../../../../lib/cli/client/bench/progress_bar.ts";
import { formatResult, jsonOf, type Result } from "../../../../lib/cli/client/bench/report.ts";
import { ParleyError } from "../../../../lib/errors.ts";

const CHOICES = { size: 128, connections: undefined, subscribers: undefined, underWay: undefined };

/** A measurement of a second, of a hundred times from 0.1 ms to 10 ms. */
function result(changes: Partial<Result> = {}): Result {
  const latencies = new Latencies();
  for (let i = 1; i <= 100; i++) latencies.record(i / 10);
  return {
    plan: planOf("publish", CHOICES),
    messages: 1_234_567,
    ms: 1_000,
    latencies: latencies.encode(),
    sending: 0.5,
    receiving: 0.5,
    cores: 1,
    isInterrupted: false,
    ...changes,
  };
}

Deno.test("percentiles are exact to three digits, also in another thread's copy", () => {
  const latencies = new Latencies(result().latencies);
  assertEquals(latencies.percentiles(), {
    min: 0.1,
    p50: 5,
    p90: 9.01,
    p99: 9.9,
    p999: 10,
    max: 10,
  });
  latencies.record(1e9);
  latencies.record(0);
  assertEquals(latencies.count, 102);
  latencies.clear();
  assertEquals([latencies.percentiles(), latencies.bars()], [undefined, []]);
});

Deno.test("the bars of a chart cover all times without a gap", () => {
  const latencies = new Latencies();
  for (const ms of [0.3, 0.3, 0.3, 5, 1.5]) latencies.record(ms);
  const bars = latencies.bars();
  assertEquals(bars.map(({ ms }) => ms), [0.5, 1, 2, 5]);
  assertEquals(bars.map(({ share }) => Math.round(share * 10)), [6, 0, 2, 2]);
});

Deno.test("a report says what was measured, and how it went", () => {
  const lines = formatResult(result()).split("\n");
  assertEquals(lines.slice(0, 4), [
    "publish: 128 B, 1 publisher, 1 subscriber, 14,563 under way, 1.0 s",
    "  1,234,567 messages/s, 158,024,576 B/s of payload",
    "  latency in ms: min 0.100, p50 5.00, p90 9.01, p99 9.90, p99.9 10.0, max 10.0",
    "  up to 100 µs   1.0% ▊",
  ]);
  const interrupted = formatResult(result({ plan: planOf("request", CHOICES), isInterrupted: true }));
  assertStringIncludes(interrupted, "1 requester, 1 responder, 100 under way, 1.0 s, interrupted\n");
  assertStringIncludes(interrupted, "1,234,567 requests/s");
});

Deno.test("a report without a message has no latency", () => {
  const empty = result({ messages: 0, latencies: new Latencies().encode() });
  assertEquals(formatResult(empty).split("\n").length, 2);
  assertEquals(jsonOf(empty).latencyMs, null);
});

Deno.test("a thread that never waits is reported as the limit", () => {
  const limited = (changes: Partial<Result>) => {
    const text = formatResult(result(changes)).split("\n").at(-1)!.trim();
    assertEquals(jsonOf(result(changes)).isLimitedByBench, text.startsWith("bench itself"));
    return text;
  };
  const advice = "the server may be faster than this";
  const was = "bench itself was the limit: its thread that";
  assertEquals(limited({ sending: 0.97 }), `${was} sends was busy 97% of the time; ${advice}`);
  assertEquals(limited({ receiving: 1 }), `${was} receives was busy 100% of the time; ${advice}`);
  // Older runtimes do not tell the time of a thread.
  const unknown = { sending: undefined, receiving: undefined };
  const mayBe = `bench itself may have been the limit: its threads used 1.3 processors; ${advice}`;
  assertEquals(limited({ ...unknown, cores: 1.3 }), mayBe);
  for (const idle of [{ ...unknown, cores: 0.4 }, { cores: 1.3 }]) assert(!limited(idle).startsWith("bench"));
});

Deno.test("a plan bounds the bytes under way, and the requests by the ids of the wire", () => {
  const underWay = (changes: Partial<typeof CHOICES>, workload = WORKLOADS[0]) =>
    planOf(workload, { ...CHOICES, ...changes }).underWay;
  assertEquals(underWay({ size: 8 }), 65_536);
  assertEquals(underWay({ size: 1 << 20 }), 8);
  assert(underWay({}, "fan-out") * 10 * 144 <= 33_554_432);
  assertThrows(() => planOf("request", { ...CHOICES, underWay: 65_536 } as never), ParleyError, "65535");
  assertEquals(planOf("fan-out", CHOICES).subscribers, 10);
});

Deno.test("only the permissions that the workloads need are asked for", () => {
  assertEquals(grantsFor(["request"]), "--publish 'parley-bench.*' --respond 'parley-bench.*'");
  assertEquals(grantsFor(["fan-out"]), "--publish 'parley-bench.*' --subscribe 'parley-bench.*'");
});

Deno.test("the bar stays within its bounds and fits a terminal", () => {
  const bars = [-0.4, 0, 0.5, 1.2].map((share) => formatProgress({ title: "publish", share, perSecond: 0 }));
  assertEquals(bars.map((bar) => bar.split("█").length - 1), [0, 0, 15, 30]);
  assert(formatProgress({ title: "fan-out", share: 1, perSecond: 123_456_789 }).length < 80);
});
