import { assertEquals } from "@std/assert";
import { Deadline } from "../../lib/deadline.ts";

/** As if the process were stopped: no timer and no socket has its turn. */
function standStill(ms: number): void {
  for (const end = performance.now() + ms; performance.now() < end;);
}

Deno.test("a deadline of a process that stood still gives the time again that was missed", async () => {
  const calls: string[] = [];
  const later = (ms: number, call: string) => setTimeout(() => calls.push(call), ms);
  const over = Promise.withResolvers<void>();
  const start = performance.now();
  new Deadline(100, () => {
    calls.push("late");
    over.resolve();
  });
  standStill(300);
  later(75, "three quarters");
  await over.promise;
  assertEquals([calls, performance.now() - start >= 400], [["three quarters", "late"], true]);
});

Deno.test("it gives no more than its whole time again, and can be stopped meanwhile", async () => {
  const calls: string[] = [];
  const over = Promise.withResolvers<void>();
  new Deadline(60, () => calls.push("late"));
  const stopped = new Deadline(60, () => calls.push("stopped"));
  standStill(600);
  setTimeout(() => stopped.stop(), 30);
  setTimeout(() => over.resolve(), 200);
  await over.promise;
  assertEquals(calls, ["late"]);
});
