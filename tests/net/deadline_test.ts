import { assert, assertEquals } from "@std/assert";
import process from "node:process";
import { Deadline } from "../../lib/deadline.ts";

/** As if the process were stopped: no timer and no socket has its turn. */
function standStill(ms: number): void {
  for (const end = performance.now() + ms; performance.now() < end;);
}

/** Makes a deadline of `ms`, stands still for `stillMs`, and tells what came first then: a timer of `afterMs`, or it. */
async function order(ms: number, stillMs: number, afterMs: number): Promise<string[]> {
  const calls: string[] = [];
  const late = Promise.withResolvers<void>();
  new Deadline(ms, () => late.resolve(void calls.push("late")));
  standStill(stillMs);
  const timer = Promise.withResolvers<void>();
  setTimeout(() => timer.resolve(void calls.push("timer")), afterMs);
  await Promise.all([late.promise, timer.promise]);
  return calls;
}

Deno.test("standing still costs a deadline a quarter of its time at most, however long it takes", async () => {
  for (const stillMs of [100, 380, 1000]) assertEquals(await order(400, stillMs, 280), ["timer", "late"]);
});

Deno.test("a deadline of a process that stood still is over in its time again at the latest", async () => {
  assertEquals(await order(100, 500, 400), ["late", "timer"]);
});

Deno.test("a deadline that is stopped does not call back, whichever slice it is in", async () => {
  const calls: number[] = [];
  for (const ms of [0, 20, 50, 90]) {
    const deadline = new Deadline(60, () => calls.push(ms));
    setTimeout(() => deadline.stop(), ms);
  }
  await new Promise((resolve) => setTimeout(resolve, 300));
  assertEquals(calls, []);
});

Deno.test("what a deadline has spent does not count the time in which the process stood still", async () => {
  const late = Promise.withResolvers<void>();
  const deadline = new Deadline(400, late.resolve);
  standStill(1000);
  assert(deadline.spentMs <= 100, `${deadline.spentMs} ms`);
  await new Promise((resolve) => setTimeout(resolve, 150));
  const { spentMs } = deadline;
  assert(spentMs >= 200 && spentMs <= 400, `${spentMs} ms`);
  await late.promise;
  assertEquals(deadline.spentMs, 400);
});

Deno.test("a deadline in the past is over once what arrived is read, without a warning", async () => {
  const warnings: string[] = [];
  const warned = ({ message }: Error) => warnings.push(message);
  process.on("warning", warned);
  await new Promise<void>((resolve) => new Deadline(-5, resolve));
  process.off("warning", warned);
  assertEquals(warnings, []);
});
