/**
 * The order in which connections are read from, without any: readers that count, in turns of the real loop.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { setImmediate } from "node:timers";
import { CROWDED_OPERATIONS, SLICE_READERS, TURNS_TO_POLL } from "../../lib/limits.ts";
import { type Reader, ReadScheduler } from "../../lib/net/read_scheduler.ts";

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** Readers that write down in which order, and in which turn, they read; `answer` is what comes of a read. */
function stage(count: number, answer: (reader: Reader, index: number) => void = () => {}) {
  const scheduler = new ReadScheduler();
  const order: number[] = [];
  const readers = Array.from({ length: count }, (_, index): Reader => ({
    read() {
      order.push(index);
      answer(this, index);
    },
  }));
  return { scheduler, order, readers, everybody: readers.map((_, index) => index) };
}

Deno.test("in a turn that is not crowded everybody reads again at its end, and not before", async () => {
  const { scheduler, order, readers, everybody } = stage(CROWDED_OPERATIONS - 1);
  for (const reader of readers) scheduler.readNext(reader);
  assertEquals(order, []);
  await Promise.resolve();
  assertEquals(order, everybody);
});

Deno.test("after a crowded turn everybody reads again in order, one slice a turn, and nobody is forgotten", async () => {
  const { scheduler, order, readers, everybody } = stage(CROWDED_OPERATIONS + SLICE_READERS / 2);
  for (const reader of readers) scheduler.readNext(reader);
  await Promise.resolve();
  assertEquals(order, [], "read in the crowded turn itself");
  for (let i = 0; order.length < readers.length; i++) {
    assert(i < 2 * TURNS_TO_POLL, `only ${order.length} of ${readers.length} have read`);
    const before = order.length;
    await turn();
    assert(order.length - before <= SLICE_READERS, `${order.length - before} have read in one turn`);
  }
  assertEquals(order, everybody);
});

Deno.test("writes make a turn crowded as reads do", async () => {
  const { scheduler, order, readers } = stage(1);
  scheduler.readNext(readers[0]);
  for (let i = 1; i < CROWDED_OPERATIONS; i++) scheduler.operationFinished();
  await Promise.resolve();
  assertEquals(order, []);
  for (let i = 0; i < TURNS_TO_POLL && order.length === 0; i++) await turn();
  assertEquals(order, [0]);
});

Deno.test("as long as turns are crowded nobody reads: what waits in the runtime's queue comes first", async () => {
  const { scheduler, order, readers } = stage(1);
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

Deno.test("in rounds nobody reads a second time before everybody has once, however fast their peers are", async () => {
  const rounds = 5;
  const { scheduler, order, readers, everybody } = stage(300, (reader) => {
    if (order.length < rounds * 300) queueMicrotask(() => scheduler.readNext(reader));
  });
  for (const reader of readers) scheduler.readNext(reader);
  for (let i = 0; order.length < rounds * 300; i++) {
    assert(i < 10 * rounds * TURNS_TO_POLL, `only ${order.length} reads`);
    await turn();
  }
  for (let i = 0; i < rounds; i++) assertEquals(order.slice(i * 300, (i + 1) * 300), everybody, `round ${i}`);
});

Deno.test("who waited in the runtime's queue is in the very next round", async () => {
  const { scheduler, order, readers } = stage(CROWDED_OPERATIONS + 1);
  const late = readers.pop()!;
  for (const reader of readers) scheduler.readNext(reader);
  while (order.length < readers.length) await turn();
  scheduler.readNext(readers[0]);
  scheduler.readNext(late);
  for (let i = 0; i <= TURNS_TO_POLL && order.length < readers.length + 2; i++) await turn();
  assertEquals(order.slice(readers.length), [0, readers.length]);
});

Deno.test("rounds end when few are left: then everybody reads at the end of the turn again", async () => {
  const { scheduler, order, readers } = stage(CROWDED_OPERATIONS);
  for (const reader of readers) scheduler.readNext(reader);
  while (order.length < readers.length) await turn();
  for (let i = 0; i <= TURNS_TO_POLL; i++) await turn();
  order.length = 0;
  scheduler.readNext(readers[7]);
  await Promise.resolve();
  assertEquals(order, [7]);
});
