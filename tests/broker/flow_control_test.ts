/** Flow: a session is held for want of room or rate, and let go on. */

import { assertEquals } from "@std/assert";
import { FlowControl } from "../../lib/broker/flow_control.ts";
import type { Transport } from "../../lib/broker/peer.ts";
import { RateLimiter } from "../../lib/broker/rate_limiter.ts";

/** A link that writes down what it is told. */
function makeLink() {
  const calls: string[] = [];
  const waiters: (() => void)[] = [];
  const harness = { calls, waiters, room: Infinity, transport: undefined as unknown as Transport };
  harness.transport = {
    outbox: {
      hasRoom: (bytes) => bytes <= harness.room,
      whenRoom: (waiter) => void waiters.push(waiter),
      send: () => {},
    },
    pause: () => void calls.push("pause"),
    resume: () => void calls.push("resume"),
    finish: () => {},
  };
  return harness;
}

Deno.test("what is taken holds nobody, what is not holds until resume", () => {
  const { transport, calls } = makeLink();
  const flow = new FlowControl(transport, undefined);
  assertEquals([flow.taken(true), flow.paused, calls], [true, false, []]);
  assertEquals([flow.taken(false), flow.paused, calls], [false, true, ["pause"]]);
  flow.resume();
  assertEquals([flow.paused, calls], [false, ["pause", "resume"]]);
});

Deno.test("without room for the answer the session waits for its own outlet", () => {
  const harness = makeLink();
  const flow = new FlowControl(harness.transport, undefined);
  harness.room = 100;
  assertEquals([flow.hasRoom(100), flow.hasRoom(101)], [true, false]);
  assertEquals([flow.paused, harness.waiters.length], [true, 1]);
  harness.waiters[0]();
  assertEquals([flow.paused, harness.calls], [false, ["pause", "resume"]]);
});

Deno.test("without a rate there is always more", () => {
  const { transport } = makeLink();
  const flow = new FlowControl(transport, undefined);
  flow.spend(1e9, 1e12);
  assertEquals(flow.hasRate(), true);
});

Deno.test("beyond the rate the session is held, and goes on by itself", async () => {
  const harness = makeLink();
  const went = Promise.withResolvers<void>();
  const transport = { ...harness.transport, resume: () => went.resolve() };
  const flow = new FlowControl(
    transport,
    new RateLimiter({ messagesPerSecond: 1000, bytesPerSecond: 0 }, () => performance.now()),
  );
  flow.spend(1020, 0);
  assertEquals([flow.hasRate(), flow.paused], [false, true]);
  await went.promise;
  assertEquals([flow.paused, flow.hasRate()], [false, true]);
});

Deno.test("asked again while it waits, it has one timer; stopped, it has none", () => {
  const { transport } = makeLink();
  const flow = new FlowControl(
    transport,
    new RateLimiter({ messagesPerSecond: 1, bytesPerSecond: 0 }, () => 0),
  );
  flow.spend(100, 0);
  for (let count = 0; count < 3; count++) assertEquals(flow.hasRate(), false);
  flow.stop(); // the sanitizers see a timer that is left
});

Deno.test("a debt of months is no timer that goes off at once", async () => {
  const { transport, calls } = makeLink();
  const flow = new FlowControl(
    transport,
    new RateLimiter({ messagesPerSecond: 0, bytesPerSecond: 1 }, () => 0),
  );
  flow.spend(1, 64 * 1024 * 1024);
  assertEquals(flow.hasRate(), false);
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setTimeout(resolve));
  assertEquals(calls, ["pause"]);
  flow.stop();
});

Deno.test("a session that is held hears from us now and then, if it reads", () => {
  const harness = makeLink();
  const flow = new FlowControl(harness.transport, undefined);
  const ticks = (count: number) => Array.from({ length: count }, () => flow.mustSpeak(3));
  assertEquals(ticks(4), [false, false, false, false]);
  flow.taken(false);
  assertEquals(ticks(7), [false, false, true, false, false, true, false]);
  harness.room = 0;
  assertEquals(ticks(3), [false, false, false]);
});
