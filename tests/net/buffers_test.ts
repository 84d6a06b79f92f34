import { assert, assertEquals } from "@std/assert";
import { BUFFER_BYTES, MAX_FREE_BUFFERS, MAX_LENT_BYTES, SCARCE_READ_BYTES } from "../../lib/limits.ts";
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
  assertEquals(pool.take(LARGEST + 1).length, LARGEST + 1, "allocated to fit");
});

Deno.test("a pool lends a returned buffer again, and none to two users", () => {
  const pool = new BufferPool();
  const first = pool.take(SMALLEST);
  const second = pool.take(SMALLEST);
  assert(first !== second);
  pool.give(first);
  assert(pool.take(SMALLEST) === first);
  assert(pool.take(SMALLEST) !== first);
});

Deno.test("a pool keeps MAX_FREE_BUFFERS per size, and none of other sizes", () => {
  const pool = new BufferPool();
  const lent = new Set(Array.from({ length: MAX_FREE_BUFFERS + 10 }, () => pool.take(SMALLEST)));
  for (const buffer of lent) pool.give(buffer);
  const again = Array.from({ length: MAX_FREE_BUFFERS + 10 }, () => pool.take(SMALLEST));
  assertEquals(again.filter((buffer) => lent.has(buffer)).length, MAX_FREE_BUFFERS);
  const large = pool.take(LARGEST + 1);
  pool.give(large);
  assert(pool.take(LARGEST + 1) !== large);
});

Deno.test("reads get the requested size up to the largest, and a useful one once MAX_LENT_BYTES are lent", () => {
  const pool = new BufferPool();
  assertEquals(pool.takeForRead(5000).length, 16 * 1024);
  const large = pool.takeForRead(MAX_LENT_BYTES);
  assertEquals(large.length, LARGEST);
  const most = Array.from({ length: MAX_LENT_BYTES / LARGEST - 1 }, () => pool.takeForRead(LARGEST));
  assertEquals(pool.takeForRead(LARGEST).length, SCARCE_READ_BYTES);
  assertEquals(pool.takeForRead(SMALLEST).length, SMALLEST);
  assertEquals(pool.take(LARGEST).length, LARGEST, "not a limit for `take`");
  for (const buffer of most) pool.give(buffer);
  assertEquals(pool.takeForRead(LARGEST).length, LARGEST);
});

Deno.test("a retained buffer is lent again only after its last release", () => {
  const pool = new BufferPool();
  const buffer = pool.takeForRead(LARGEST);
  assert(!pool.retain(buffer), "not before it is offered");
  pool.offer(buffer);
  assert(pool.retain(buffer) && pool.retain(buffer));
  assert(pool.withdraw(buffer), "it no longer belongs to its connection");
  pool.release(buffer);
  assert(pool.take(LARGEST) !== buffer);
  pool.release(buffer);
  assert(pool.take(LARGEST) === buffer);
});

Deno.test("a buffer released before the offer ends stays with its connection", () => {
  const pool = new BufferPool();
  const buffer = pool.takeForRead(LARGEST);
  pool.offer(buffer);
  pool.retain(buffer);
  pool.release(buffer); // the outbox was closed while the publisher's chunk was processed
  assert(!pool.withdraw(buffer));
  assert(pool.take(LARGEST) !== buffer);
});

Deno.test("a follower is called once when the offer ends, and may retain the buffer then", () => {
  const pool = new BufferPool();
  const buffer = pool.takeForRead(LARGEST);
  const retained: boolean[] = [];
  const follower = { offerEnds: () => void retained.push(pool.retain(buffer)) };
  assert(!pool.follow(buffer, follower), "not before it is offered");
  pool.offer(buffer);
  assert(pool.follow(buffer, follower));
  assert(pool.withdraw(buffer));
  assertEquals(retained, [true]);
  pool.release(buffer);
  const other = pool.takeForRead(LARGEST);
  pool.offer(other);
  assert(!pool.withdraw(other));
  assertEquals(retained, [true]);
});

Deno.test("buffers of silent connections do not make those of others smaller", () => {
  const pool = new BufferPool();
  const silent = Array.from({ length: MAX_LENT_BYTES / LARGEST }, () => pool.takeForRead(LARGEST));
  assertEquals(pool.takeForRead(LARGEST).length, SCARCE_READ_BYTES);
  for (const buffer of silent) pool.markIdle(buffer);
  assertEquals(pool.takeForRead(LARGEST).length, LARGEST);
  for (const buffer of silent) pool.markBusy(buffer);
  assertEquals(pool.takeForRead(LARGEST).length, SCARCE_READ_BYTES);
});

Deno.test("a pool knows how many bytes it has lent", () => {
  const pool = new BufferPool();
  const buffers = [pool.take(100), pool.takeForRead(5000), pool.take(LARGEST + 1)];
  assertEquals(pool.lentBytes, 256 + 16 * 1024 + LARGEST + 1);
  pool.offer(buffers[1]);
  pool.retain(buffers[1]);
  pool.withdraw(buffers[1]);
  assertEquals(pool.lentBytes, 256 + 16 * 1024 + LARGEST + 1, "an outbox retains it");
  pool.release(buffers[1]);
  pool.give(buffers[0]);
  pool.give(buffers[2]);
  assertEquals(pool.lentBytes, 0);
});
