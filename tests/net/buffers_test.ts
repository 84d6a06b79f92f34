import { assert, assertEquals } from "@std/assert";
import { BUFFER_BYTES, MAX_FREE_BUFFERS, MAX_LENT_BYTES } from "../../lib/limits.ts";
import { BufferPool } from "../../lib/net/buffers.ts";

const SMALLEST = BUFFER_BYTES[0];
const LARGEST = BUFFER_BYTES[BUFFER_BYTES.length - 1];

Deno.test("a pool lends the smallest buffer that is large enough", () => {
  const pool = new BufferPool();
  for (const size of BUFFER_BYTES) {
    assertEquals(pool.take(size).length, size);
    assertEquals(pool.take(size - 1).length, size);
  }
  assertEquals(pool.take(0).length, SMALLEST);
  assertEquals(pool.take(LARGEST + 1).length, LARGEST + 1, "made to measure");
});

Deno.test("a pool lends again what it was given back, and lends nothing twice", () => {
  const pool = new BufferPool();
  const first = pool.take(SMALLEST);
  const second = pool.take(SMALLEST);
  assert(first !== second);
  pool.give(first);
  assert(pool.take(SMALLEST) === first);
  assert(pool.take(SMALLEST) !== first);
});

Deno.test("a pool keeps only so many free buffers, and none made to measure", () => {
  const pool = new BufferPool();
  const lent = new Set(Array.from({ length: MAX_FREE_BUFFERS + 10 }, () => pool.take(SMALLEST)));
  for (const buffer of lent) pool.give(buffer);
  const again = Array.from({ length: MAX_FREE_BUFFERS + 10 }, () => pool.take(SMALLEST));
  assertEquals(again.filter((buffer) => lent.has(buffer)).length, MAX_FREE_BUFFERS);
  const large = pool.take(LARGEST + 1);
  pool.give(large);
  assert(pool.take(LARGEST + 1) !== large);
});

Deno.test("reads get what they want up to the largest size, and the smallest once much is lent", () => {
  const pool = new BufferPool();
  assertEquals(pool.takeForRead(5000).length, 16 * 1024);
  const large = pool.takeForRead(MAX_LENT_BYTES);
  assertEquals(large.length, LARGEST);
  const most = Array.from({ length: MAX_LENT_BYTES / LARGEST - 1 }, () => pool.takeForRead(LARGEST));
  assertEquals(pool.takeForRead(LARGEST).length, SMALLEST);
  assertEquals(pool.take(LARGEST).length, LARGEST, "but who must have more gets it");
  for (const buffer of most) pool.give(buffer);
  assertEquals(pool.takeForRead(LARGEST).length, LARGEST);
});

Deno.test("a buffer that outboxes keep is given back by the last of them, and only then lent again", () => {
  const pool = new BufferPool();
  const buffer = pool.takeForRead(LARGEST);
  assert(!pool.keep(buffer), "not before it is offered");
  pool.offer(buffer);
  assert(pool.keep(buffer) && pool.keep(buffer));
  assert(pool.withdraw(buffer), "no longer its connection's");
  pool.release(buffer);
  assert(pool.take(LARGEST) !== buffer);
  pool.release(buffer);
  assert(pool.take(LARGEST) === buffer);
});

Deno.test("a buffer that nobody keeps any more when the offer ends stays with its connection", () => {
  const pool = new BufferPool();
  const buffer = pool.takeForRead(LARGEST);
  pool.offer(buffer);
  pool.keep(buffer);
  pool.release(buffer); // the outbox was closed while its publisher's chunk was looked at
  assert(!pool.withdraw(buffer));
  assert(pool.take(LARGEST) !== buffer);
});

Deno.test("who follows an offer is told once when it ends, and may keep the buffer then", () => {
  const pool = new BufferPool();
  const buffer = pool.takeForRead(LARGEST);
  const told: boolean[] = [];
  const follower = { offerEnds: () => void told.push(pool.keep(buffer)) };
  assert(!pool.follow(buffer, follower), "not before it is offered");
  pool.offer(buffer);
  assert(pool.follow(buffer, follower));
  assert(pool.withdraw(buffer));
  assertEquals(told, [true]);
  pool.release(buffer);
  const other = pool.takeForRead(LARGEST);
  pool.offer(other);
  assert(!pool.withdraw(other));
  assertEquals(told, [true]);
});
