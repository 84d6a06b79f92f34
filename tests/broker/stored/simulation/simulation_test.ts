import { assertEquals } from "@std/assert";
import { seedFrom } from "../../../harness/seeded.ts";
import { runSchedule } from "./schedule.ts";

const SCHEDULES = 2_500;

Deno.test(`${SCHEDULES} schedules lose, repeat and reorder nothing`, async () => {
  const first = seedFrom();
  for (let seed = first; seed < first + SCHEDULES; seed++) {
    const { problems, trace } = await runSchedule(seed);
    if (problems.length > 0) console.log(`seed ${seed}:\n${trace.join("\n")}`);
    assertEquals(problems, [], `seed ${seed}`);
  }
});
