/** Which peers count as slow, as far as it is decided once a second; deadlines are tested with the outbox. */

import { assertEquals } from "@std/assert";
import { SlowConsumerDetector } from "../../lib/net/slow_consumer.ts";

/** How often a peer counts as slow that has taken so many bytes at each tick, and whether it owed progress then. */
function slowAt(timeoutMs: number, ticks: readonly (readonly [taken: number, isOwed: boolean])[]): number[] {
  const found: number[] = [];
  let at = 0;
  const detector = new SlowConsumerDetector(1024, timeoutMs, {
    taken: () => ticks[at][0],
    onSlow: () => found.push(at),
  });
  for (; at < ticks.length; at++) detector.tick(ticks[at][1]);
  return found;
}

Deno.test("a peer that takes nothing of what is pending is slow once that has lasted for the timeout", () => {
  const stalled = Array.from({ length: 7 }, () => [10, true] as const);
  assertEquals(slowAt(5000, stalled.slice(0, 5)), []);
  assertEquals(slowAt(5000, stalled)[0], 5);
  assertEquals(slowAt(1500, stalled)[0], 2);
  assertEquals(slowAt(100, stalled)[0], 1);
});

Deno.test("a peer that was sent something just before a tick, for the first time in a while, is not slow", () => {
  assertEquals(slowAt(500, [[10, false], [10, false], [10, true], [60, false], [60, true], [90, true]]), []);
});

Deno.test("a peer that takes something between two ticks has made progress", () => {
  assertEquals(slowAt(500, [[10, true], [11, true], [12, true], [13, true]]), []);
});
