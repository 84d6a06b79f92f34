/**
 * Tests the order of reads with fake readers, in turns of the real event loop.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { setImmediate } from "node:timers";
import { CROWDED_OPERATIONS, SLICE_READERS, TURNS_TO_POLL } from "../../lib/limits.ts";
import { type Reader, ReadScheduler } from "../../lib/net/read_scheduler.ts";

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** Readers that record the order of their reads. `onRead` is called with each read. */
function fakeReaders(count: number, onRead: (reader: Reader, index: number) => void = () => {}) {
  const scheduler = new ReadScheduler();
  const order: number[] = [];
  const readers = Array.from({ length: count }, (_, index): Reader => ({
    read() {
      order.push(index);
      onRead(this, index);
    },
  }));
  return { scheduler, order, readers, inOrder: readers.map((_, index) => index) };
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
