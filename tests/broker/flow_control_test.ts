/** Flow control: what pauses a session, and what resumes it. */

import { assertEquals } from "@std/assert";
import { HeldBack } from "../../lib/broker/counters.ts";
import { FlowControl } from "../../lib/broker/flow_control.ts";
import type { Transport } from "../../lib/broker/peer.ts";
import { RateLimiter } from "../../lib/broker/rate_limiter.ts";
import { FakePeer } from "./fake_peer.ts";
import { newBudget, turnOfLoop } from "./test_broker.ts";

/** Flow control over a transport that notes what it is told. */
function make(rate?: RateLimiter, budget = newBudget(), now: () => number = () => 0) {
  const calls: string[] = [];
  const outbox = new FakePeer(0);
  const resumed = Promise.withResolvers<void>();
  const transport: Transport = {
    outbox,
    pause: () => void calls.push("pause"),
    resume: () => {
      calls.push("resume");
      resumed.resolve();
    },
    finish: () => {},
  };
  const held = new HeldBack(now);
  const flow = new FlowControl(transport, budget, rate, held);
  return { calls, outbox, resumed: resumed.promise, budget, held, flow };
}

/** Allows so many messages a second, or so many bytes. */
function rateOf(messagesPerSecond: number, bytesPerSecond: number, now: () => number = () => 0) {
  return new RateLimiter({ messagesPerSecond, bytesPerSecond }, now);
}

Deno.test("a frame that was not taken pauses the session until the turn after resume", async () => {
  const { flow, calls } = make();
  assertEquals([flow.pauseUnless(true), flow.isPaused, calls], [true, false, []]);
  assertEquals([flow.pauseUnless(false), flow.isPaused, calls], [false, true, ["pause"]]);
  flow.resume();
  flow.resume();
  assertEquals([flow.isPaused, calls], [true, ["pause"]], "not from within what made room");
  await turnOfLoop();
  assertEquals([flow.isPaused, calls], [false, ["pause", "resume"]]);
});

Deno.test("a session without room for its own answer is paused until it has read", async () => {
  const { flow, calls, outbox } = make();
  outbox.room = 100;
  assertEquals([flow.hasRoom(100), flow.hasRoom(101)], [true, false]);
  assertEquals([flow.isPaused, outbox.waiters.size], [true, 1]);
  outbox.drain();
  await turnOfLoop();
  assertEquals([flow.isPaused, calls], [false, ["pause", "resume"]]);
});

Deno.test("without a rate limiter any number of frames may be handled", () => {
  const { flow } = make();
  flow.spend(1e9, 1e12);
  assertEquals([flow.mayHandle(), flow.isPaused], [true, false]);
});

Deno.test("a session that has sent more than its rate is paused, and resumes by itself", async () => {
  const { flow, resumed } = make(rateOf(1000, 0, () => performance.now()));
  flow.spend(1020, 0);
  assertEquals([flow.mayHandle(), flow.isPaused], [false, true]);
  await resumed;
  assertEquals([flow.isPaused, flow.mayHandle()], [false, true]);
});

Deno.test("a session that waits for its rate has one timer, and none once it has ended", () => {
  const { flow } = make(rateOf(1, 0));
  flow.spend(100, 0);
  for (let count = 0; count < 3; count++) assertEquals(flow.mayHandle(), false);
  flow.stop(); // the sanitizers see a timer that is left
});

Deno.test("a wait of months is no timer that goes off at once", async () => {
  const { flow, calls } = make(rateOf(0, 1));
  flow.spend(1, 64 * 1024 * 1024);
  assertEquals(flow.mayHandle(), false);
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setTimeout(resolve));
  assertEquals(calls, ["pause"]);
  flow.stop();
});

Deno.test("once the turn's budget is spent, the session is paused until the next turn", async () => {
  const { flow, calls, budget } = make(undefined, newBudget(10));
  budget.spend(9);
  assertEquals(flow.mayHandle(), true);
  budget.spend(1);
  assertEquals([flow.mayHandle(), flow.isPaused, calls], [false, true, ["pause"]]);
  await turnOfLoop();
  assertEquals([flow.isPaused, calls, flow.mayHandle()], [false, ["pause", "resume"], true]);
});

Deno.test("sessions that wait for the next turn resume in the order in which they were paused", async () => {
  const budget = newBudget(10);
  const order: number[] = [];
  const flows = [1, 2, 3].map((number) => {
    const resume = () => void order.push(number);
    const transport = { outbox: new FakePeer(0), pause: () => {}, resume, finish: () => {} };
    return new FlowControl(transport, budget, undefined, new HeldBack(() => 0));
  });
  budget.spend(10);
  for (const flow of flows) flow.mayHandle();
  await turnOfLoop();
  assertEquals(order, [1, 2, 3]);
});

Deno.test("a paused session is to be sent a PING now and then, if it reads", () => {
  const { flow, outbox } = make();
  const ticks = (count: number) => Array.from({ length: count }, () => flow.mustPing(3));
  assertEquals(ticks(4), [false, false, false, false]);
  flow.pauseUnless(false);
  assertEquals(ticks(7), [false, false, true, false, false, true, false]);
  outbox.room = 0;
  assertEquals(ticks(3), [false, false, false]);
});

Deno.test("how long a session is held back by others is measured, and how often", async () => {
  let now = 1000;
  const { flow, held, resumed } = make(undefined, undefined, () => now);
  const [one, other] = [new FakePeer(1), new FakePeer(2)];
  flow.holdBack(one);
  flow.holdBack(other); // it waits for another one now, and has not been resumed
  flow.pauseUnless(false);
  now += 250;
  assertEquals([flow.heldOn, flow.heldMs], [other, 250]);
  assertEquals([held.now, held.times, held.ms], [1, 1, 250]);
  flow.resume();
  assertEquals(held.now, 1, "it is resumed in a later turn");
  await resumed;
  assertEquals([flow.heldOn, flow.heldMs], [undefined, 0]);
  assertEquals([held.now, held.times, held.ms], [0, 1, 250]);
  flow.pauseForTurn();
  assertEquals(held.times, 1, "waiting for its turn is another thing");
  flow.holdBack(one);
  now += 50;
  flow.stop();
  assertEquals([held.now, held.times, held.ms], [0, 2, 300], "it ended while it waited");
});
