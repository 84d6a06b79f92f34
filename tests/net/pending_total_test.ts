/** The bound of what waits for all connections together. */

import { assertEquals } from "@std/assert";
import { BUFFER_BYTES } from "../../lib/limits.ts";
import type { Buffer } from "../../lib/net/buffers.ts";
import { PendingTotal } from "../../lib/net/pending_total.ts";
import { turnOfLoop } from "../broker/test_broker.ts";

const LARGEST = BUFFER_BYTES[BUFFER_BYTES.length - 1];

/** Holds buffers of a pool. When it is shed, it returns all of them but those of a write in progress. */
class Holder {
  isOpen = true;
  buffers: Buffer[] = [];
  readonly #inWrite: number;
  readonly #total: PendingTotal;

  constructor(total: PendingTotal, inWrite: number) {
    this.#total = total;
    this.#inWrite = inWrite;
  }

  get heldBytes(): number {
    return this.buffers.length * LARGEST;
  }

  take(count: number): void {
    for (let i = 0; i < count; i++) this.buffers.push(this.#total.pool.take(LARGEST));
  }

  shed(): void {
    this.isOpen = false;
    for (const buffer of this.buffers.splice(this.#inWrite)) this.#total.pool.give(buffer);
  }
}

/** Holders that may have ten buffers together. */
function make(count: number, inWrite = 0) {
  const holders: Holder[] = [];
  const total = new PendingTotal(10 * LARGEST, holders);
  for (let i = 0; i < count; i++) holders.push(new Holder(total, inWrite));
  return { holders, isOpen: () => holders.map(({ isOpen }) => isOpen) };
}

Deno.test("beyond the bound those that hold most are shed, until the rest is within it", async () => {
  const { holders, isOpen } = make(4);
  [1, 4, 2, 3].forEach((count, i) => holders[i].take(count));
  await turnOfLoop();
  assertEquals(isOpen(), [true, true, true, true], "within it");
  holders[3].take(6);
  assertEquals(isOpen(), [true, true, true, true], "not from within a send");
  await turnOfLoop();
  assertEquals(isOpen(), [true, true, true, false]);
  holders[2].take(9);
  await turnOfLoop();
  assertEquals(isOpen(), [true, true, false, false]);
});

Deno.test("what is still being written of those that were shed closes no more", async () => {
  const { holders, isOpen } = make(3, 2);
  holders[0].take(9);
  holders[1].take(3);
  await turnOfLoop();
  assertEquals(isOpen(), [false, true, true]);
  holders[2].take(6);
  await turnOfLoop();
  assertEquals(isOpen(), [false, true, true], "two are held by the one that was shed");
  holders[2].take(2);
  await turnOfLoop();
  assertEquals(isOpen(), [false, true, false]);
});
