import { assertEquals, assertRejects } from "@std/assert";
import { MEMORY_SOCKET_BYTES_PER_TURN } from "../../lib/limits.ts";
import { memorySocketPair } from "../../lib/net/memory_socket.ts";
import type { Socket } from "../../lib/net/socket.ts";
import { within } from "../harness/deadline.ts";
import { seeded, seedFrom } from "../harness/seeded.ts";

const bytes = (...values: number[]) => new Uint8Array(values);

/** Reads up to `size` bytes. */
async function read(socket: Socket, size = 100): Promise<number[] | null> {
  const buffer = new Uint8Array(size);
  const count = await within(socket.read(buffer), "bytes");
  return count === null ? null : [...buffer.subarray(0, count)];
}

/** Whether `promise` is still pending after everything that could settle it has run. */
async function isPending(promise: Promise<unknown>): Promise<boolean> {
  let pending = true;
  promise.then(() => pending = false, () => pending = false);
  await new Promise((resolve) => setTimeout(resolve));
  return pending;
}

Deno.test("what is written to one socket is read from the other, both ways", async () => {
  const [one, other] = memorySocketPair();
  assertEquals(await one.write(bytes(1, 2)), 2);
  assertEquals(await other.write(bytes(3)), 1);
  assertEquals([await read(other), await read(one)], [[1, 2], [3]]);
});

Deno.test("a read waits for bytes, and its buffer need not be the writer's size", async () => {
  const [one, other] = memorySocketPair();
  const first = read(other, 2);
  await one.write(bytes(1, 2, 3, 4, 5));
  assertEquals([await first, await read(other, 1), await read(other)], [[1, 2], [3], [4, 5]]);
});

Deno.test("the writer may use its bytes again once a write has resolved", async () => {
  const [one, other] = memorySocketPair();
  const written = bytes(1, 2, 3);
  await one.write(written);
  written.fill(9);
  assertEquals(await read(other), [1, 2, 3]);
});

Deno.test("a write takes what there is room for, and waits if there is none", async () => {
  const [one, other] = memorySocketPair(4);
  assertEquals(await one.write(bytes(1, 2, 3, 4, 5, 6)), 4);
  const waiting = one.write(bytes(5, 6));
  assertEquals(await isPending(waiting), true);
  assertEquals(await read(other, 1), [1]);
  assertEquals([await waiting, await read(other)], [1, [2, 3, 4, 5]]);
});

Deno.test("closeWrite is the end of the stream behind what was written; the other direction goes on", async () => {
  const [one, other] = memorySocketPair();
  await one.write(bytes(1));
  await one.closeWrite();
  assertEquals([await read(other), await read(other)], [[1], null]);
  await other.write(bytes(2));
  assertEquals(await read(one), [2]);
  await assertRejects(() => one.write(bytes(3)), Error, "end of the stream");
});

Deno.test("the end of the stream reaches a read that waits", async () => {
  const [one, other] = memorySocketPair();
  const waiting = read(other);
  await one.closeWrite();
  assertEquals(await waiting, null);
});

Deno.test("close delivers what was written before; pending operations of both sides end", async () => {
  const [one, other] = memorySocketPair(2);
  await one.write(bytes(1, 2));
  await other.write(bytes(3, 4));
  const [reading, writing] = [
    read(one, 1).then(() => read(one, 1)).then(() => read(one)),
    one.write(bytes(5)),
  ];
  const blocked = (async () => {
    while (true) await other.write(bytes(6, 7, 8));
  })();
  blocked.catch(() => {});
  await isPending(writing);
  const failures = [
    assertRejects(() => writing, Error, "closed"),
    assertRejects(() => blocked, Error, "peer has closed"),
  ];
  one.close();
  await Promise.all(failures);
  reading.catch(() => {});
  await assertRejects(() => one.read(bytes(0)), Error, "closed");
  await assertRejects(() => one.write(bytes(0)), Error, "closed");
  assertEquals([await read(other), await read(other)], [[1, 2], null]);
  await assertRejects(() => other.write(bytes(0)), Error, "peer has closed");
});

Deno.test("abort delivers nothing that was not read", async () => {
  const [one, other] = memorySocketPair();
  await one.write(bytes(1, 2));
  one.abort!();
  one.close();
  await assertRejects(() => other.read(bytes(0)), Error, "dropped");
  const [next, peer] = memorySocketPair();
  const waiting = assertRejects(() => peer.read(bytes(0)), Error, "dropped");
  next.abort!();
  await waiting;
});

Deno.test("a stream that never pauses leaves the event loop time for others", async () => {
  const [one, other] = memorySocketPair();
  let total = 0;
  let isDone = false;
  const chunk = new Uint8Array(16 * 1024);
  const buffer = new Uint8Array(64 * 1024);
  const writing = (async () => {
    while (!isDone) await one.write(chunk);
    one.close();
  })();
  const reading = (async () => {
    for (let count; (count = await other.read(buffer)) !== null;) total += count;
  })();
  await new Promise((resolve) => setTimeout(resolve, 5));
  isDone = true;
  await within(Promise.all([writing, reading]), "the end of the stream");
  assertEquals(total > MEMORY_SOCKET_BYTES_PER_TURN, true, `${total} bytes`);
});

Deno.test("whatever the sizes of reads and writes, the stream is the same", async () => {
  const random = seeded(seedFrom());
  const [one, other] = memorySocketPair(50);
  const sent = random.bytes(20_000);
  const writing = (async () => {
    for (let at = 0; at < sent.length;) {
      at += await one.write(sent.subarray(at, at + 1 + random.int(120)));
    }
    one.close();
  })();
  const received: number[] = [];
  for (let part; (part = await read(other, 1 + random.int(120))) !== null;) received.push(...part);
  await writing;
  assertEquals(Uint8Array.from(received), sent);
});
