import { assert, assertEquals } from "@std/assert";
import { Histogram } from "../../bench/load/histogram.ts";
import { seeded, seedFrom } from "../harness/seeded.ts";

Deno.test("quantiles are exact to the width of a bucket", () => {
  const random = seeded(seedFrom());
  const times = Array.from({ length: 10_000 }, () => 2 ** (random.int(2000) / 100 - 8));
  const histogram = new Histogram();
  for (const time of times) histogram.add(time);
  times.sort((a, b) => a - b);
  for (const q of [0.001, 0.5, 0.99, 0.999, 1]) {
    const exact = times[Math.ceil(q * times.length) - 1];
    const off = Math.abs(histogram.quantile(q) / exact - 1);
    assert(off < 0.023, `the ${q} quantile of ${exact} ms is off by ${off}`);
  }
  assertEquals(histogram.total, 10_000);
});

Deno.test("times outside the range of the buckets count in the first or the last one", () => {
  const histogram = new Histogram();
  assertEquals(histogram.quantile(0.5), NaN);
  histogram.add(0);
  assert(histogram.quantile(1) < 0.002);
  histogram.add(1e12);
  assert(histogram.quantile(1) > 1e6);
});
