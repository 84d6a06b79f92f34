import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { ratioInterval, tQuantile } from "../../bench/report/interval.ts";
import { seeded, seedFrom } from "../harness/seeded.ts";

Deno.test("the quantiles of Student's t distribution match the tables", () => {
  const table = [[1, 12.706], [4, 2.776], [5, 2.571], [6, 2.447], [14, 2.145], [29, 2.045], [100, 1.984]];
  for (const [degrees, quantile] of table) {
    assertAlmostEquals(tQuantile(degrees) / quantile, 1, 0.002, `${degrees} degrees of freedom`);
  }
});

Deno.test("the interval of a ratio is that of its logarithms", () => {
  const { ratio, low, high } = ratioInterval([Math.exp(1), Math.exp(2), Math.exp(3)])!;
  const margin = 4.3027 / Math.sqrt(3); // standard deviation 1
  assertAlmostEquals(Math.log(ratio), 2);
  assertAlmostEquals(Math.log(low!), 2 - margin);
  assertAlmostEquals(Math.log(high!), 2 + margin);
});

Deno.test("the inverse ratios have the inverse interval", () => {
  const ratios = [0.9, 1.3, 1.1, 0.95];
  const { ratio, low, high } = ratioInterval(ratios)!;
  const inverse = ratioInterval(ratios.map((ratio) => 1 / ratio))!;
  assertAlmostEquals(inverse.ratio, 1 / ratio);
  assertAlmostEquals(inverse.low!, 1 / high!);
  assertAlmostEquals(inverse.high!, 1 / low!);
});

Deno.test("one round has no interval, and no round no ratio", () => {
  const single = ratioInterval([1.5])!;
  assertAlmostEquals(single.ratio, 1.5);
  assertEquals([single.low, single.high], [undefined, undefined]);
  assertEquals(ratioInterval([]), undefined);
});

Deno.test("19 of 20 intervals contain the true ratio", () => {
  const random = seeded(seedFrom());
  const uniform = () => (random.int(1_000_001) + 1) / 1_000_002;
  const normal = () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
  const runs = 4000;
  let covered = 0;
  for (let run = 0; run < runs; run++) {
    const ratios = Array.from({ length: 15 }, () => 1.1 * Math.exp(0.1 * normal()));
    const { low, high } = ratioInterval(ratios)!;
    if (low! <= 1.1 && 1.1 <= high!) covered++;
  }
  assert(Math.abs(covered / runs - 0.95) < 0.015, `${covered} of ${runs}`); // more than 4 standard deviations
});
