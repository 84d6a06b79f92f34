/**
 * Growth detection: a leak is found, variation is not.
 */

import { assert, assertEquals } from "@std/assert";
import { seeded, seedFrom } from "../harness/seeded.ts";
import { isGrowing, type Point, trendOf } from "./trend.ts";

const TOLERANCE = { absolute: 16, share: 0.1 };

function assertNear(actual: number, expected: number, distance: number): void {
  assert(Math.abs(actual - expected) <= distance, `${actual} is not within ${distance} of ${expected}`);
}

/** Four samples a second of `value` for `seconds`. */
function series(seconds: number, value: (seconds: number) => number): Point[] {
  return Array.from({ length: seconds * 4 }, (_, index) => ({ seconds: index / 4, value: value(index / 4) }));
}

Deno.test("a straight line is its own trend", () => {
  const trend = trendOf(series(100, (seconds) => 50 + 2 * seconds), 0)!;
  assertNear(trend.growth, 2 * (trend.to.seconds - trend.from.seconds), 0.001);
  assertNear(trend.from.value, 50 + 2 * trend.from.seconds, 0.001);
  assert(isGrowing(trend, TOLERANCE));
});

Deno.test("a sawtooth is no growth, whatever its height", () => {
  const random = seeded(seedFrom());
  const saw = series(120, (seconds) => 100 + 80 * (seconds % 7) / 7 + random.int(3));
  const trend = trendOf(saw, 24)!;
  assert(Math.abs(trend.growth) < 3, String(trend.growth));
  assert(!isGrowing(trend, TOLERANCE));
});

Deno.test("a slow leak under a sawtooth is growth", () => {
  const random = seeded(seedFrom());
  const leak = series(120, (seconds) => 100 + 0.3 * seconds + 80 * (seconds % 5) / 5 + random.int(3));
  const trend = trendOf(leak, 24)!;
  assertNear(trend.growth, 0.3 * 92, 4);
  assert(isGrowing(trend, TOLERANCE));
});

Deno.test("a rise during the warm-up is no growth", () => {
  const trend = trendOf(series(100, (seconds) => 200 - 150 * Math.exp(-seconds / 4)), 40)!;
  assert(Math.abs(trend.growth) < 0.1, String(trend.growth));
});

Deno.test("one outlier window does not change the trend", () => {
  const trend = trendOf(series(100, (seconds) => seconds > 50 && seconds < 54 ? 1000 : 40), 20)!;
  assertNear(trend.growth, 0, 0.001);
});

Deno.test("one step at the end is no growth", () => {
  const trend = trendOf(series(100, (seconds) => seconds > 95 ? 70 : 40), 20)!;
  assert(!isGrowing(trend, TOLERANCE), String(trend.growth));
});

Deno.test("the tolerance is the larger of the two", () => {
  const trend = (from: number, growth: number) => ({
    from: { seconds: 0, value: from },
    to: { seconds: 1, value: from + growth },
    growth,
  });
  assertEquals([16, 17].map((growth) => isGrowing(trend(100, growth), TOLERANCE)), [false, true]);
  assertEquals([40, 41].map((growth) => isGrowing(trend(400, growth), TOLERANCE)), [false, true]);
  assertEquals(isGrowing(trend(100, -50), TOLERANCE), false);
});

Deno.test("too short a time and too few samples give no trend", () => {
  assertEquals(trendOf(series(29, () => 1), 0), undefined);
  assertEquals(trendOf(series(100, () => 1), 75), undefined);
  assertEquals(trendOf(series(100, () => 1).filter((_, index) => index % 40 === 0), 0), undefined);
  assertEquals(trendOf([], 0), undefined);
});
