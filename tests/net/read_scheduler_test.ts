/**
 * Tests the order of reads with fake readers, in turns of the real event loop.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { setImmediate } from "node:timers";
import { CROWDED_OPERATIONS, SLICE_READERS, TURNS_TO_POLL } from "../../lib/limits.ts";
import {
  MAX_BEHIND_MS,
  MAX_ROUND_GAP_MS,
  MAX_UNPOLLED_MS,
  type Reader,
  ReadScheduler,
} from "../../lib/net/read_scheduler.ts";

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** Readers that record the order of their reads. `onRead` is called with each read. */
function fakeReaders(count: number, onRead: (reader: Reader, index: number) => void = () => {}) {
  const clock = { now: 0, polls: 0 };
  const poll = (call: () => void) => {
    clock.polls++;
    setImmediate(call);
  };
  const scheduler = new ReadScheduler(() => clock.now, poll);
  const order: number[] = [];
  const readers = Array.from({ length: count }, (_, index) => ({
    isLight: true,
    read() {
      order.push(index);
      onRead(this, index);
    },
  }));
  return { clock, scheduler, order, readers, inOrder: readers.map((_, index) => index) };
}

Deno.test("in a turn that is not crowded, all connections read again at its end", async () => {
  const { scheduler, order, readers, inOrder } = fakeReaders(CROWDED_OPERATIONS - 1);
  for (const reader of readers) scheduler.readNext(reader);
  assertEquals(order, []);
  await Promise.resolve();
  assertEquals(order, inOrder);
});

Deno.test("after a crowded turn, all connections read again in order, one slice per turn", async () => {
  const { scheduler, order, readers, inOrder } = fakeReaders(CROWDED_OPERATIONS + SLICE_READERS / 2);
  for (const reader of readers) scheduler.readNext(reader);
  await Promise.resolve();
  assertEquals(order, [], "read in the crowded turn itself");
  for (let i = 0; order.length < readers.length; i++) {
    assert(i < 2 * TURNS_TO_POLL, `only ${order.length} of ${readers.length} have read`);
    const before = order.length;
    await turn();
    assert(order.length - before <= SLICE_READERS, `${order.length - before} have read in one turn`);
  }
  assertEquals(order, inOrder);
});

/** A scheduler whose every poll finishes as many operations as `finished` says, until it is undefined. */
function behind(finished: (poll: number) => number | undefined) {
  const clock = { now: 0, polls: 0 };
  const scheduler: ReadScheduler = new ReadScheduler(() => clock.now, (call) => {
    for (let left = finished(clock.polls++) ?? 0; left > 0; left--) scheduler.operationFinished();
    setImmediate(call);
  });
  /** Waits for a turn 5 ms later. */
  const after = () => {
    clock.now += 5;
    return new Promise<void>((resolve) => scheduler.afterPoll(resolve));
  };
  return { clock, after };
}

Deno.test("work goes on after one poll while the runtime is behind for a short time only", async () => {
  const { clock, after } = behind((poll) => poll === 0 ? 0 : CROWDED_OPERATIONS);
  await after(); // nothing to catch up with
  let turns = 0;
  for (; clock.now < MAX_BEHIND_MS; turns++) await after();
  // Reading in rounds polls, too.
  assert(clock.polls <= 2 * (1 + turns), `${clock.polls} polls in ${turns} turns`);
});

Deno.test("once the runtime has been behind for long, work waits until it has caught up", async () => {
  const { clock, after } = behind((poll) => poll === 0 || poll >= 40 ? 0 : CROWDED_OPERATIONS);
  await after();
  while (clock.now < MAX_BEHIND_MS) await after();
  assert(clock.polls < 20);
  await after();
  await after();
  assert(clock.polls > 40, `after ${clock.polls} polls`);
});

Deno.test("work does not wait for ever for a runtime that never catches up", async () => {
  const { clock, after } = behind(() => CROWDED_OPERATIONS);
  clock.now = 1000;
  await after();
  assert(clock.polls > 10 && clock.polls < 200, `${clock.polls} polls`);
});

Deno.test("writes make a turn crowded, as reads do", async () => {
  const { scheduler, order, readers } = fakeReaders(1);
  scheduler.readNext(readers[0]);
  for (let i = 1; i < CROWDED_OPERATIONS; i++) scheduler.operationFinished();
  await Promise.resolve();
  assertEquals(order, []);
  for (let i = 0; i < TURNS_TO_POLL && order.length === 0; i++) await turn();
  assertEquals(order, [0]);
});

Deno.test("as long as turns are crowded, no read is issued: what waits in the runtime's queue comes first", async () => {
  const { scheduler, order, readers } = fakeReaders(1);
  scheduler.readNext(readers[0]);
  for (let i = 0; i < 3 * TURNS_TO_POLL; i++) {
    if (i % (TURNS_TO_POLL - 2) === 0) {
      for (let n = 0; n < CROWDED_OPERATIONS; n++) scheduler.operationFinished();
    }
    await turn();
    assertEquals(order, []);
  }
  for (let i = 0; i < TURNS_TO_POLL; i++) await turn();
  assertEquals(order, [0]);
});

Deno.test("light readers wait for turns that are not crowded only so long, others as long as it takes", async () => {
  const { clock, scheduler, order, readers } = fakeReaders(2);
  readers[1].isLight = false;
  for (const reader of readers) scheduler.readNext(reader);
  const crowdedTurn = async () => {
    for (let n = 0; n < CROWDED_OPERATIONS; n++) scheduler.operationFinished();
    await turn();
  };
  await crowdedTurn();
  clock.now += MAX_ROUND_GAP_MS - 1;
  for (let i = 0; i < 3 * TURNS_TO_POLL; i++) await crowdedTurn();
  assertEquals(order, []);
  clock.now++;
  for (let i = 0; i < 3; i++) await crowdedTurn();
  assertEquals(order, [0]);
  clock.now += 10 * MAX_ROUND_GAP_MS;
  for (let i = 0; i < 3 * TURNS_TO_POLL; i++) await crowdedTurn();
  assertEquals(order, [0]);
  for (let i = 0; i <= TURNS_TO_POLL; i++) await turn();
  assertEquals(order, [0, 1]);
});

Deno.test("if turns are long, the sockets are polled between them", async () => {
  const { clock, scheduler, order, readers, inOrder } = fakeReaders(10 * SLICE_READERS);
  for (const reader of readers) scheduler.readNext(reader);
  for (let i = 0; i < 50; i++) {
    clock.now += MAX_UNPOLLED_MS / 2;
    await turn();
  }
  assertEquals(order, inOrder);
  assert(clock.polls >= 5, `${clock.polls} polls`);
});

Deno.test("in rounds no connection reads twice before all have read once, however fast its peer is", async () => {
  const rounds = 5;
  const { scheduler, order, readers, inOrder } = fakeReaders(300, (reader) => {
    if (order.length < rounds * 300) queueMicrotask(() => scheduler.readNext(reader));
  });
  for (const reader of readers) scheduler.readNext(reader);
  for (let i = 0; order.length < rounds * 300; i++) {
    assert(i < 10 * rounds * TURNS_TO_POLL, `only ${order.length} reads`);
    await turn();
  }
  for (let i = 0; i < rounds; i++) assertEquals(order.slice(i * 300, (i + 1) * 300), inOrder, `round ${i}`);
});

Deno.test("a connection that waited in the runtime's queue is in the next round", async () => {
  const { scheduler, order, readers } = fakeReaders(CROWDED_OPERATIONS + 1);
  const late = readers.pop()!;
  for (const reader of readers) scheduler.readNext(reader);
  while (order.length < readers.length) await turn();
  scheduler.readNext(readers[0]);
  scheduler.readNext(late);
  for (let i = 0; i <= TURNS_TO_POLL && order.length < readers.length + 2; i++) await turn();
  assertEquals(order.slice(readers.length), [0, readers.length]);
});

Deno.test("rounds end when few connections are ready: they read at the end of the turn again", async () => {
  const { scheduler, order, readers } = fakeReaders(CROWDED_OPERATIONS);
  for (const reader of readers) scheduler.readNext(reader);
  while (order.length < readers.length) await turn();
  for (let i = 0; i <= TURNS_TO_POLL; i++) await turn();
  order.length = 0;
  scheduler.readNext(readers[7]);
  await Promise.resolve();
  assertEquals(order, [7]);
});
