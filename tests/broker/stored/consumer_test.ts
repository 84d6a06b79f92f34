/** Consumers: each message is delivered to one session, until it is dealt with. */

import { assert, assertEquals } from "@std/assert";
import { MAX_DELAYED } from "../../../lib/limits.ts";
import { SET_ASIDE_NOW } from "../../../lib/wire/sequences.ts";
import { ConsumerHarness, ConsumerPeer } from "./consumer_harness.ts";

Deno.test("a new consumer begins with what is stored, and goes on with what is new", async () => {
  const harness = new ConsumerHarness({ stored: 3, isNew: true });
  assertEquals(harness.changes, 1, "it is stored before anything is acknowledged");
  const ada = await harness.open(1);
  assertEquals(ada.read(), "1 2 3");
  harness.source.append(2);
  assertEquals(ada.read(), "4 5", "at once");
  assertEquals([ada.positions, ada.slices], [1, 3], "one POSITION, and each run as one slice");
});

Deno.test("a consumer begins after its position, and passes over what is set aside", async () => {
  const setAside = [{ sequence: 4, deliveries: 3, since: 17 }, { sequence: 6, deliveries: 3, since: 18 }];
  const harness = new ConsumerHarness({ stored: 7, position: 2, setAside });
  const ada = await harness.open(1);
  assertEquals(ada.read(), "3 5 7");
  assertEquals(ada.positions, 3, "a POSITION before each jump");
  assertEquals(harness.consumer.setAsideMessages(), setAside);
});

Deno.test("at most a window of messages is on its way", async () => {
  const harness = new ConsumerHarness({ stored: 10 });
  const ada = await harness.open(1, { window: 4 });
  assertEquals(ada.read(), "1 2 3 4");
  harness.consumer.ack(ada, 3);
  await harness.settle();
  assertEquals(ada.read(), "5 6 7");
  harness.consumer.ackRange(ada, 6, 6);
  await harness.settle();
  assertEquals(ada.read(), "8");
  await harness.open(ada, { window: 6 });
  assertEquals(ada.read(), "9 10", "an OPEN changes the window");
  assertEquals(harness.consumer.stats.outstanding, 6);
  assertEquals(harness.source.reads, 1, "what was read for the first part of a run serves all of it");
});

Deno.test("the position is what comes before the first message that is not acknowledged", async () => {
  const harness = new ConsumerHarness({ stored: 6 });
  const ada = await harness.open(1);
  const position = () => harness.consumer.takeState().position;
  assertEquals(position(), 0);
  harness.consumer.ackRange(ada, 2, 3);
  assertEquals(position(), 0);
  harness.consumer.ackRange(ada, 1, 1);
  assertEquals(position(), 3);
  harness.consumer.ack(ada, 5);
  assertEquals(position(), 5);
  harness.consumer.ack(ada, 2 ** 60);
  assertEquals(position(), 6);
});

Deno.test("each message goes to one session, in about equal parts", async () => {
  const harness = new ConsumerHarness();
  const [ada, grace, alan] = [await harness.open(1), await harness.open(2), await harness.open(3)];
  harness.source.append(9);
  assertEquals([ada.read(), grace.read(), alan.read()], ["1 2 3", "4 5 6", "7 8 9"]);
  harness.source.append(1);
  harness.source.append(1);
  harness.source.append(2);
  assertEquals([ada.read(), grace.read(), alan.read()], ["10 13", "11", "12"], "they take turns");
});

Deno.test("a session with a window of 1 has one message, and the others the rest", async () => {
  const harness = new ConsumerHarness();
  const [ada, grace] = [await harness.open(1, { window: 1 }), await harness.open(2, { window: 100 })];
  harness.source.append(8);
  assertEquals([ada.read(), grace.read()], ["1", "2 3 4 5 6 7 8"]);
});

Deno.test("workers with a window of 1 have a message each, and the next when they are done", async () => {
  const harness = new ConsumerHarness();
  const workers = await Promise.all([1, 2, 3].map((number) => harness.open(number, { window: 1 })));
  harness.source.append(5);
  await harness.settle();
  assertEquals(workers.map((worker) => worker.read()), ["1", "2", "3"]);
  harness.consumer.ack(workers[1], 2);
  await harness.settle();
  assertEquals(workers.map((worker) => worker.read()), ["", "4", ""]);
});

Deno.test("an exclusive consumer is the session that opened first, then the next one, at the position", async () => {
  const harness = new ConsumerHarness({ stored: 3 });
  const ada = await harness.open(1, { exclusive: true });
  const grace = await harness.open(2, { exclusive: true });
  harness.source.append(1);
  assertEquals([ada.read(), grace.read()], ["1 2 3 4", ""]);
  harness.consumer.ack(ada, 2);
  harness.consumer.leave(ada);
  harness.source.append(1);
  await harness.settle();
  assertEquals([ada.read(), grace.read()], ["", "3×1 4×1 5"]);
});

Deno.test("whether a consumer is exclusive is as the last OPEN says", async () => {
  const harness = new ConsumerHarness();
  const ada = await harness.open(1, { exclusive: true });
  const grace = await harness.open(2);
  harness.source.append(2);
  assertEquals([ada.read(), grace.read()], ["1", "2"]);
  await harness.open(grace, { exclusive: true });
  harness.source.append(2);
  assertEquals([ada.read(), grace.read()], ["3 4", ""]);
});

Deno.test("a message that is not acknowledged in time is delivered again, with its count", async () => {
  const harness = new ConsumerHarness({ stored: 3 });
  const ada = await harness.open(1, { ackSeconds: 2 });
  harness.consumer.ackRange(ada, 2, 2);
  ada.read();
  await harness.pass(1_900);
  assertEquals(ada.read(), "");
  await harness.pass(200);
  assertEquals(ada.read(), "1×1 3×1");
  await harness.pass(2_100);
  assertEquals(ada.read(), "1×2 3×2");
  harness.consumer.ackRange(ada, 1, 3);
  await harness.pass(5_000);
  assertEquals([ada.read(), harness.consumer.stats.position], ["", 3]);
});

Deno.test("after the process was stopped, ACKs that came meanwhile are read before anything is delivered again", async () => {
  const harness = new ConsumerHarness({ stored: 2 });
  const ada = await harness.open(1, { ackSeconds: 2 });
  ada.read();
  harness.now += 60_000;
  await harness.pass(10);
  harness.consumer.ackRange(ada, 1, 1);
  await harness.pass(30);
  assertEquals(ada.read(), "");
  await harness.pass(20);
  assertEquals(ada.read(), "2×1");
});

Deno.test("the time of a delivery is that of the OPEN before it", async () => {
  const harness = new ConsumerHarness({ stored: 1 });
  const ada = await harness.open(1, { ackSeconds: 10 });
  await harness.open(ada, { ackSeconds: 1 });
  harness.source.append(1);
  ada.read();
  await harness.pass(1_100);
  assertEquals(ada.read(), "2×1");
  harness.consumer.ackRange(ada, 2, 2);
  await harness.pass(9_000);
  assertEquals(ada.read(), "1×1");
});

Deno.test("what a session had when it ended is delivered again, lowest first, before what is new", async () => {
  const harness = new ConsumerHarness({ stored: 8 });
  const ada = await harness.open(1, { window: 3 });
  const grace = await harness.open(2, { window: 2 });
  assertEquals([ada.read(), grace.read()], ["1 2 3", "4 5"]);
  harness.consumer.leave(ada);
  await harness.settle();
  assertEquals(grace.read(), "", "its window is full");
  await harness.open(grace, { window: 6 });
  assertEquals(grace.read(), "1×1 2×1 3×1 6");
  harness.consumer.ack(ada, 3);
  harness.consumer.ackRange(ada, 1, 3);
  assertEquals(harness.consumer.stats.outstanding, 6, "the ACK of a session that has left changes nothing");
});

Deno.test("what is due goes first also if messages are stored meanwhile", async () => {
  const harness = new ConsumerHarness({ stored: 2 });
  const ada = await harness.open(1);
  ada.read();
  harness.consumer.nak(ada, 2, 0);
  harness.source.append(2);
  assertEquals(ada.read(), "", "2 is being read");
  await harness.settle();
  assertEquals(ada.read(), "2×1 3 4");
});

Deno.test("an ACK of one sequence covers first deliveries alone", async () => {
  const harness = new ConsumerHarness({ stored: 3 });
  const ada = await harness.open(1);
  harness.consumer.nak(ada, 1, 0);
  await harness.settle();
  assertEquals(ada.read(), "1 2 3 1×1");
  harness.consumer.ack(ada, 3);
  assertEquals(harness.consumer.stats, {
    position: 0,
    next: 4,
    outstanding: 1,
    due: 0,
    delayed: 0,
    setAside: 0,
    lost: 0,
    sessions: 1,
    isPaused: false,
  });
  harness.consumer.ackRange(ada, 1, 1);
  assertEquals(harness.consumer.stats.position, 3);
});

Deno.test("an ACK of what was not delivered to the session, or given to another since, changes nothing", async () => {
  const harness = new ConsumerHarness({ stored: 4 });
  const ada = await harness.open(1, { window: 2, ackSeconds: 1 });
  const grace = await harness.open(2, { window: 2, ackSeconds: 1 });
  assertEquals([ada.read(), grace.read()], ["1 2", "3 4"]);
  harness.consumer.ack(grace, 2);
  harness.consumer.ackRange(ada, 3, 4);
  harness.consumer.ackRange(ada, 5, 100);
  harness.consumer.ackRange(ada, 2, 1);
  harness.consumer.nak(ada, 3, 0);
  harness.consumer.ack(new ConsumerPeer(3), 4);
  assertEquals(harness.consumer.stats.outstanding, 4);
  harness.consumer.ackRange(grace, 3, 4);
  harness.consumer.leave(ada);
  await harness.settle();
  const alan = await harness.open(ada, { ackSeconds: 1 });
  assertEquals([alan.read(), grace.read()], ["", "1×1 2×1"]);
  harness.consumer.ackRange(alan, 1, 2);
  assertEquals(harness.consumer.stats.outstanding, 2);
});

Deno.test("an ACK that is late counts until the message is given to another session", async () => {
  const harness = new ConsumerHarness({ stored: 4 });
  const ada = await harness.open(1, { ackSeconds: 1 });
  harness.consumer.pause();
  await harness.pass(1_500);
  assertEquals(harness.consumer.stats.due, 4);
  harness.consumer.ack(ada, 2);
  harness.consumer.ackRange(ada, 4, 4);
  harness.consumer.resume();
  ada.read();
  await harness.settle();
  assertEquals(ada.read(), "3×1");
});

Deno.test("a NAK that is late counts until the message is given to another session", async () => {
  const harness = new ConsumerHarness({ stored: 2 });
  const ada = await harness.open(1, { ackSeconds: 1 });
  harness.consumer.pause();
  await harness.pass(1_500);
  harness.consumer.nak(ada, 1, SET_ASIDE_NOW);
  harness.consumer.nak(ada, 2, 5_000);
  harness.consumer.resume();
  assertEquals([harness.consumer.stats.setAside, harness.consumer.stats.delayed], [1, 1]);
});

Deno.test("a message that is not dealt with is delivered again after the delay, to a tenth of a second", async () => {
  const harness = new ConsumerHarness({ stored: 3 });
  const ada = await harness.open(1);
  harness.consumer.nak(ada, 2, 300);
  harness.consumer.nak(ada, 1, 120_000);
  ada.read();
  assertEquals(harness.consumer.stats.delayed, 2);
  await harness.pass(299);
  assertEquals(ada.read(), "");
  await harness.pass(100);
  assertEquals(ada.read(), "2×1");
  harness.consumer.ack(ada, 3);
  harness.consumer.ackRange(ada, 2, 2);
  await harness.pass(119_000);
  assertEquals([ada.read(), harness.consumer.stats.position], ["", 0]);
  await harness.pass(1_000);
  assertEquals(ada.read(), "1×1");
});

Deno.test("with as many messages delayed as may be, delivery pauses", async () => {
  const harness = new ConsumerHarness({ stored: MAX_DELAYED + 10 });
  const ada = await harness.open(1, { window: MAX_DELAYED });
  for (let sequence = 1; sequence <= MAX_DELAYED; sequence++) harness.consumer.nak(ada, sequence, 5_000);
  await harness.settle();
  const { delayed, outstanding } = harness.consumer.stats;
  assertEquals({ delayed, outstanding }, { delayed: MAX_DELAYED, outstanding: 0 });
  ada.delivered.splice(0);
  await harness.pass(5_100);
  assertEquals(ada.delivered.length, MAX_DELAYED, "all of them again");
  assertEquals(ada.delivered.at(0), { sequence: 1, before: 1 });
});

Deno.test("a message that was delivered as often as it may be is set aside", async () => {
  const harness = new ConsumerHarness({ stored: 3 });
  const ada = await harness.open(1, { deliveries: 2, ackSeconds: 1 });
  harness.consumer.ack(ada, 1);
  harness.consumer.nak(ada, 2, 0);
  await harness.settle();
  assertEquals(ada.read(), "1 2 3 2×1");
  await harness.pass(1_100);
  assertEquals(ada.read(), "3×1");
  assertEquals(harness.consumer.setAsideMessages(), [{
    sequence: 2,
    deliveries: 2,
    since: 5_000_000 + 1_001_000,
  }]);
  harness.consumer.leave(ada);
  assertEquals(harness.consumer.setAsideMessages().map(({ sequence }) => sequence), [2, 3]);
  assertEquals(harness.consumer.takeState().position, 3, "what is set aside does not hold the position");
  assertEquals(harness.consumer.takeState().setAside.map(({ sequence }) => sequence), [2, 3]);
});

Deno.test("a session can set a message aside at once", async () => {
  const harness = new ConsumerHarness({ stored: 2 });
  const ada = await harness.open(1);
  harness.consumer.nak(ada, 1, SET_ASIDE_NOW);
  harness.consumer.ack(ada, 2);
  assertEquals(
    harness.consumer.setAsideMessages().map(({ sequence, deliveries }) => [sequence, deliveries]),
    [[1, 1]],
  );
  assertEquals(harness.consumer.stats.position, 2);
});

Deno.test("RENEW begins the time of messages anew", async () => {
  const harness = new ConsumerHarness({ stored: 4 });
  const ada = await harness.open(1, { ackSeconds: 2 });
  ada.read();
  await harness.pass(1_500);
  harness.consumer.renew(ada, 2);
  harness.consumer.renewRange(ada, 4, 4);
  harness.consumer.renewRange(new ConsumerPeer(2), 1, 4);
  await harness.pass(1_000);
  assertEquals(ada.read(), "3×1");
  harness.consumer.renewRange(ada, 3, 3);
  await harness.pass(1_100);
  assertEquals(ada.read(), "1×1 2×1 4×1");
  await harness.pass(850);
  assertEquals(ada.read(), "", "a message that was delivered again is renewed, too");
  await harness.pass(100);
  assertEquals(ada.read(), "3×2");
  harness.consumer.ackRange(ada, 1, 4);
  assertEquals(harness.consumer.stats.position, 4);
});

Deno.test("retention does not wait: what it removes is lost to the consumer", async () => {
  const setAside = [{ sequence: 2, deliveries: 3, since: 1 }, { sequence: 9, deliveries: 1, since: 1 }];
  const harness = new ConsumerHarness({ stored: 10, setAside });
  const ada = await harness.open(1, { window: 4 });
  assertEquals(ada.read(), "1 3 4 5");
  harness.consumer.ackRange(ada, 3, 3);
  harness.consumer.nak(ada, 4, 1_000);
  await harness.settle();
  assertEquals(ada.read(), "6 7");
  harness.source.trim(8);
  harness.consumer.trimmed(8);
  harness.consumer.trimmed(8);
  // 1, 5, 6 and 7 are on their way, 4 is delayed, 2 is set aside.
  assertEquals([harness.consumer.stats.lost, harness.consumer.stats.position], [6, 7]);
  await harness.settle();
  assertEquals(ada.read(), "", "the window counts what is on its way");
  harness.consumer.nak(ada, 1, 1_000);
  assertEquals(
    [harness.consumer.stats.delayed, harness.consumer.stats.lost],
    [0, 6],
    "it is not lost once more",
  );
  harness.consumer.ack(ada, 7);
  await harness.settle();
  assertEquals(ada.read(), "8 10");
  await harness.pass(40_000);
  assertEquals(ada.read(), "8×1 10×1");
  harness.source.trim(11);
  harness.consumer.trimmed(11);
  assertEquals([harness.consumer.stats.lost, harness.consumer.stats.position], [9, 10]);
});

Deno.test("retention may overtake delivery", async () => {
  const harness = new ConsumerHarness({ stored: 10, setAside: [{ sequence: 5, deliveries: 1, since: 1 }] });
  const ada = await harness.open(1, { window: 1 });
  harness.source.append(5);
  harness.source.trim(11);
  harness.consumer.trimmed(11);
  assertEquals(harness.consumer.stats.lost, 10);
  harness.consumer.ack(ada, 1);
  await harness.settle();
  assertEquals(ada.read(), "1 11");
  assertEquals(harness.consumer.stats.setAside, 0);
});

Deno.test("what is found damaged is lost, and the rest is delivered", async () => {
  const harness = new ConsumerHarness({ stored: 2 });
  for (let i = 0; i < 3; i++) harness.source.append(2);
  const ada = await harness.open(1, { window: 6 });
  harness.source.runs = harness.source.runs.filter(({ first }) => first !== 1 && first !== 5);
  harness.consumer.leave(ada);
  const grace = await harness.open(2);
  assertEquals(grace.read(), "3×1 4×1 7 8");
  assertEquals([harness.consumer.stats.lost, harness.consumer.stats.due], [4, 0]);
  harness.consumer.leave(grace);
  harness.source.runs = [];
  await harness.open(3);
  assertEquals([harness.consumer.stats.lost, harness.consumer.stats.due], [8, 0]);
});

Deno.test("a read that fails is tried again", async () => {
  const harness = new ConsumerHarness({ stored: 2 });
  const ada = await harness.open(1);
  harness.source.error = new Error("the disk is gone");
  harness.consumer.nak(ada, 1, 0);
  await harness.settle();
  assertEquals([ada.read(), harness.source.failed.length], ["1 2", 1]);
  harness.source.error = undefined;
  await harness.pass(1_000);
  assertEquals(ada.read(), "1×1");
});

Deno.test("a session without room is passed over, and gets no more than it has room for", async () => {
  const harness = new ConsumerHarness();
  const [ada, grace] = [await harness.open(1), await harness.open(2)];
  ada.room = 0;
  harness.source.append(4);
  assertEquals([ada.read(), grace.read()], ["", "1 2 3 4"]);
  assert(ada.isPatient, "it is not closed as a slow consumer");
  grace.room = 0;
  harness.source.append(2);
  harness.consumer.nak(grace, 2, 0);
  await harness.settle();
  assertEquals([ada.read(), grace.read()], ["", ""]);
  ada.drain();
  assertEquals(ada.read(), "", "not within the call of its outbox");
  await harness.settle();
  assertEquals([ada.read(), grace.read()], ["2×1 5 6", ""]);
});

Deno.test("a session that has ended is sent nothing", async () => {
  const harness = new ConsumerHarness();
  const [ada, grace] = [await harness.open(1), await harness.open(2)];
  ada.isEnded = true;
  harness.source.append(2);
  assertEquals([ada.read(), grace.read()], ["", "1 2"]);
});

Deno.test("much that is to be delivered again leaves other sessions their turns", async () => {
  const harness = new ConsumerHarness({ stored: 1_000, perTurn: 100 });
  const ada = await harness.open(1);
  harness.consumer.leave(ada);
  const { budget } = harness.context;
  const turns = budget.turns;
  const grace = await harness.open(2);
  while (grace.delivered.length < 1_000) await harness.settle();
  assert(budget.turns - turns >= 10, `it took ${budget.turns - turns} turns`);
});

Deno.test("an operator pauses and resumes a consumer", async () => {
  const harness = new ConsumerHarness({ stored: 2 });
  const ada = await harness.open(1, { window: 1 });
  harness.consumer.pause();
  assert(harness.consumer.takeState().isPaused);
  harness.consumer.nak(ada, 1, 0);
  harness.source.append(1);
  await harness.pass(60_000);
  assertEquals(ada.read(), "1");
  harness.consumer.resume();
  await harness.settle();
  assertEquals([ada.read(), harness.consumer.takeState().isPaused], ["1×1", false]);
});

Deno.test("an operator resets the position", async () => {
  const harness = new ConsumerHarness({ stored: 6 });
  const ada = await harness.open(1, { window: 4 });
  harness.consumer.nak(ada, 2, 1_000);
  harness.consumer.nak(ada, 3, SET_ASIDE_NOW);
  await harness.settle();
  assertEquals(ada.read(), "1 2 3 4 5 6");
  harness.consumer.reset(1);
  assertEquals(harness.consumer.takeState().position, 1);
  await harness.settle();
  assertEquals(
    ada.read(),
    "2 4 5 6",
    "all after it is delivered as for the first time, but for what is set aside",
  );
  await harness.pass(2_000);
  assertEquals(ada.read(), "");
  harness.consumer.reset(1_000);
  assertEquals(harness.consumer.takeState().position, 6);
  harness.source.append(1);
  await harness.settle();
  assertEquals(ada.read(), "7");
});

Deno.test("an operator gives messages back that were set aside, or drops them", async () => {
  const harness = new ConsumerHarness({ stored: 6 });
  const ada = await harness.open(1, { deliveries: 1 });
  for (let sequence = 1; sequence <= 5; sequence++) harness.consumer.nak(ada, sequence, 0);
  harness.consumer.ack(ada, 6);
  assertEquals([harness.consumer.stats.setAside, harness.consumer.stats.position], [5, 6]);
  ada.read();
  assertEquals([harness.consumer.giveBack(3), harness.consumer.giveBack(3), harness.consumer.drop(4)], [
    1,
    0,
    1,
  ]);
  await harness.settle();
  assertEquals(ada.read(), "3×1");
  const stored = () => harness.consumer.takeState().setAside.map(({ sequence }) => sequence);
  assertEquals(stored(), [1, 2, 3, 5], "one that was given back must not be lost by a restart");
  assertEquals(harness.consumer.setAsideMessages().map(({ sequence }) => sequence), [1, 2, 5]);
  harness.consumer.ackRange(ada, 3, 3);
  assertEquals(stored(), [1, 2, 5]);
  assertEquals(harness.consumer.giveBack("all"), 3);
  await harness.settle();
  assertEquals(ada.read(), "1×1 2×1 5×1");
  harness.consumer.nak(ada, 2, 0);
  assertEquals(
    harness.consumer.setAsideMessages().map(({ sequence, deliveries }) => [sequence, deliveries]),
    [[2, 2]],
  );
  assertEquals(harness.consumer.drop("all"), 1);
  harness.consumer.leave(ada);
  assertEquals(stored(), [1, 5], "set aside again: one delivery for each time it is given back");
});

Deno.test("the limit of deliveries counts from when a message was given back", async () => {
  const harness = new ConsumerHarness({ stored: 1 });
  const ada = await harness.open(1, { deliveries: 2 });
  harness.consumer.nak(ada, 1, SET_ASIDE_NOW);
  harness.consumer.giveBack("all");
  await harness.settle();
  harness.consumer.nak(ada, 1, 0);
  await harness.settle();
  harness.consumer.nak(ada, 1, 0);
  await harness.settle();
  assertEquals([ada.read(), harness.consumer.stats.setAside], ["1 1×1 1×2", 1]);
});

Deno.test("what was set aside before a restart and not delivered since is given back as a first delivery", async () => {
  const setAside = [{ sequence: 1, deliveries: 3, since: 1 }, { sequence: 3, deliveries: 3, since: 1 }];
  const harness = new ConsumerHarness({ stored: 3, position: 1, setAside });
  harness.consumer.giveBack("all");
  const ada = await harness.open(1);
  assertEquals(ada.read(), "1×3 2 3");
  harness.consumer.ack(ada, 3);
  harness.consumer.ackRange(ada, 1, 1);
  assertEquals(harness.consumer.takeState(), {
    channel: 7,
    consumer: "/billing",
    position: 3,
    isPaused: false,
    setAside: [],
  });
});

Deno.test("what was set aside before a restart and is dropped is not delivered", async () => {
  const setAside = [{ sequence: 2, deliveries: 3, since: 1 }];
  const harness = new ConsumerHarness({ stored: 3, setAside });
  assertEquals(harness.consumer.drop(2), 1);
  const ada = await harness.open(1);
  assertEquals(ada.read(), "1 3");
});

Deno.test("a position is stored soon, a decision of an operator with the next commit", async () => {
  const harness = new ConsumerHarness({ stored: 100 });
  const ada = await harness.open(1);
  for (let sequence = 1; sequence <= 100; sequence++) harness.consumer.ack(ada, sequence);
  assertEquals(harness.changes, 0);
  await harness.pass(100);
  assertEquals(harness.changes, 1);
  harness.consumer.takeState();
  await harness.pass(60_000);
  assertEquals(harness.changes, 1);
  harness.consumer.pause();
  assertEquals(harness.changes, 2);
});

Deno.test("a consumer whose channel is deleted does nothing any more", async () => {
  const harness = new ConsumerHarness({ stored: 4 });
  const ada = await harness.open(1, { window: 2, ackSeconds: 1 });
  harness.consumer.end();
  harness.consumer.ack(ada, 1);
  await harness.pass(10_000);
  assertEquals([ada.read(), harness.consumer.isEnded, harness.timers], ["1 2", true, 0]);
  assertEquals(harness.context.readAhead.bytes, 0);
});

Deno.test("an idle consumer keeps nothing that it has read", async () => {
  const harness = new ConsumerHarness({ stored: 100 });
  const ada = await harness.open(1, { window: 10 });
  assert(harness.context.readAhead.bytes > 0);
  await harness.pass(2_000);
  assertEquals(harness.context.readAhead.bytes, 0);
  harness.consumer.ack(ada, 10);
  await harness.settle();
  assertEquals(ada.delivered.length, 20);
});
