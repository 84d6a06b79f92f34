import { assert, assertEquals } from "@std/assert";
import { BUFFER_BYTES, CONTROL_RESERVE_BYTES, HEADER_BYTES } from "../../lib/limits.ts";
import { Outbox } from "../../lib/net/outbox.ts";
import { encodeFrame, Type } from "../../lib/wire/header.ts";
import { within } from "../harness/deadline.ts";
import { concat } from "../harness/raw_client.ts";
import { seeded, seedFrom } from "../harness/seeded.ts";
import { CountingPool, FakeSocket, settled } from "./fake_socket.ts";

const LARGEST = BUFFER_BYTES[BUFFER_BYTES.length - 1];

/** An outbox on a fake socket, and its events. */
class Harness implements AsyncDisposable {
  readonly socket = new FakeSocket();
  readonly pool = new CountingPool();
  readonly events: string[] = [];
  readonly outbox: Outbox;
  #event = Promise.withResolvers<void>();

  constructor(
    { limit = 1000, slowConsumerTimeoutMs = 60_000, acceptsByHand = false, maxWrite = Infinity } = {},
  ) {
    this.socket.acceptsByHand = acceptsByHand;
    this.socket.maxWrite = maxWrite;
    this.outbox = new Outbox(this.socket, this.pool, limit, slowConsumerTimeoutMs, {
      writeFailed: () => this.#record("failed"),
      written: () => {},
      drained: () => this.#record("drained"),
      waiterFailed: (error) => this.#record(`waiter failed: ${(error as Error).message}`),
      onSlowConsumer: () => this.#record("slow"),
    });
  }

  /** Sends text. */
  send(text: string): void {
    const bytes = new TextEncoder().encode(text);
    this.outbox.send(bytes, 0, bytes.length);
  }

  /** Sends `count` bytes. */
  fill(count: number): void {
    this.outbox.send(new Uint8Array(count), 0, count);
  }

  /** Each write so far, as text. */
  get writes(): string[] {
    return this.socket.writes.map((bytes) => new TextDecoder().decode(bytes));
  }

  /** Waits for an event. */
  async until(name: string): Promise<void> {
    while (!this.events.includes(name)) await within(this.#event.promise, `event "${name}"`);
  }

  #record(name: string): void {
    this.events.push(name);
    this.#event.resolve();
    this.#event = Promise.withResolvers();
  }

  /** Closes the outbox. Every buffer must be returned. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.outbox.close();
    if (this.socket.isWriting) this.socket.fail();
    await settled();
    assertEquals(this.pool.lent.size, 0);
  }
}

// Writing

Deno.test("a frame can be written where it is sent from, if there is room behind what waits", async () => {
  await using harness = new Harness({ limit: 40, acceptsByHand: true });
  const reserve = (text: string) => {
    const at = harness.outbox.reserve(text.length);
    if (at >= 0) new TextEncoder().encodeInto(text, harness.outbox.tail.subarray(at));
    return at >= 0;
  };
  assertEquals(reserve("nothing waits"), false);
  harness.send("one ");
  assertEquals([reserve("two "), reserve("x".repeat(33))], [true, false]);
  await settled();
  assertEquals(reserve("three "), true); // behind what is being written
  harness.send("four");
  assertEquals(harness.outbox.pending, 18);
  while (harness.socket.isWriting) {
    harness.socket.accept(5);
    await settled();
  }
  assertEquals(harness.writes.join(""), "one two three four");
  harness.outbox.close();
  assertEquals(reserve("too late"), false);
});

Deno.test("everything sent in one turn goes out in one write", async () => {
  await using harness = new Harness();
  for (const part of ["one ", "two ", "", "three"]) harness.send(part);
  assertEquals(harness.writes, [], "not before the turn is over");
  assertEquals(harness.outbox.pending, 13);
  await settled();
  assertEquals(harness.writes, ["one two three"]);
  assertEquals([harness.outbox.pending, harness.events], [0, ["drained"]]);
});

Deno.test("only the given range is sent, and it is copied", async () => {
  await using harness = new Harness();
  const bytes = new TextEncoder().encode("a chunk that is reused");
  harness.outbox.send(bytes, 2, 7);
  bytes.fill(0);
  await settled();
  assertEquals(harness.writes, ["chunk"]);
});

Deno.test("everything sent during a write goes out in the next one", async () => {
  await using harness = new Harness({ acceptsByHand: true });
  harness.send("first");
  await settled();
  harness.send("second ");
  harness.send("third");
  await settled();
  harness.socket.accept();
  await settled();
  assertEquals(harness.events, []);
  harness.socket.accept();
  await settled();
  assertEquals([harness.writes, harness.events], [["first", "second third"], ["drained"]]);
});

Deno.test("a short write is followed by another", async () => {
  await using harness = new Harness({ acceptsByHand: true });
  harness.send("hello");
  await settled();
  harness.socket.accept(2);
  await settled();
  assertEquals(harness.outbox.pending, 3);
  harness.send("!");
  harness.socket.accept(3);
  await settled();
  harness.socket.accept();
  await settled();
  assertEquals(harness.writes.join(""), "hello!");
  assertEquals(harness.events, ["drained"]);
});

Deno.test("with sends and writes of any size, all bytes arrive in order", async () => {
  const random = seeded(seedFrom());
  for (let round = 0; round < 30; round++) {
    await using harness = new Harness({ limit: 1e9, acceptsByHand: true });
    const sent: Uint8Array[] = [];
    for (let i = 0; i < 40; i++) {
      const bytes = random.bytes(random.pick([0, 1, 16, 47, 48, 49, 1024, random.int(70_000)]));
      const from = random.int(bytes.length + 1);
      harness.outbox.send(bytes, from, bytes.length);
      sent.push(bytes.subarray(from));
      if (random.int(2) === 0) await settled();
      if (harness.socket.isWriting) harness.socket.accept(random.pick([1, 7, 1000, Infinity]));
    }
    while (harness.outbox.pending > 0) {
      await settled();
      if (harness.socket.isWriting) harness.socket.accept(random.pick([999, 20_000, Infinity]));
    }
    const [written, expected] = [harness.socket.written, concat(sent)];
    assertEquals(written.length, expected.length);
    assert(written.every((byte, i) => byte === expected[i]));
  }
});

Deno.test("slices of a buffer on offer arrive in order, adjacent or not, even if the buffer is reused", async () => {
  const random = seeded(seedFrom());
  for (let round = 0; round < 30; round++) {
    await using harness = new Harness({ limit: 1e9, acceptsByHand: true });
    const sent: Uint8Array[] = [];
    const send = (bytes: Uint8Array, from: number, to: number) => {
      harness.outbox.send(bytes, from, to);
      sent.push(bytes.slice(from, to));
    };
    for (let i = 0; i < 5; i++) {
      const buffer = harness.pool.takeForRead(random.pick([512, 16 * 1024, LARGEST]));
      buffer.set(random.bytes(buffer.length));
      harness.pool.offer(buffer);
      const most = random.pick([40, 3000, buffer.length]);
      for (let at = 0; at < buffer.length;) {
        const to = Math.min(buffer.length, at + 1 + random.int(most));
        if (random.int(8) > 0) send(buffer, at, to); // or not: a gap
        if (random.int(8) === 0) send(random.bytes(16), 0, 16);
        at = to;
      }
      if (!harness.pool.withdraw(buffer)) {
        buffer.fill(0);
        harness.pool.give(buffer);
      }
      await settled();
      if (harness.socket.isWriting) harness.socket.accept(random.pick([1, 1000, Infinity]));
    }
    while (harness.outbox.pending > 0) {
      await settled();
      if (harness.socket.isWriting) harness.socket.accept();
    }
    const [written, expected] = [harness.socket.written, concat(sent)];
    assertEquals(written.length, expected.length);
    assert(written.every((byte, i) => byte === expected[i]));
  }
});

Deno.test("adjacent slices that fill most of a buffer are not copied; few small ones are", async () => {
  for (const count of [1000, 10]) {
    await using harness = new Harness({ limit: 1e9, acceptsByHand: true });
    const buffer = harness.pool.takeForRead(16 * 1024);
    harness.pool.offer(buffer);
    for (let i = 0; i < count; i++) harness.outbox.send(buffer, i * 16, i * 16 + 16);
    assertEquals(harness.outbox.pending, count * 16);
    const isRetained = harness.pool.withdraw(buffer);
    assertEquals(isRetained, count === 1000);
    await settled();
    harness.socket.accept();
    await settled();
    assertEquals(harness.socket.writes.map(({ length }) => length), [count * 16]);
    if (!isRetained) harness.pool.give(buffer);
  }
});

Deno.test("closing during an offer drops the slice, and does not retain the buffer", async () => {
  await using harness = new Harness({ limit: 1e9 });
  const buffer = harness.pool.takeForRead(LARGEST);
  harness.pool.offer(buffer);
  harness.outbox.send(buffer, 0, LARGEST);
  harness.outbox.close();
  assert(!harness.pool.withdraw(buffer));
  harness.pool.give(buffer);
  await settled();
  assertEquals(harness.socket.writes, []);
});

Deno.test("one write is at most the largest buffer", async () => {
  await using harness = new Harness({ limit: 1e9 });
  harness.fill(LARGEST * 2 + 5);
  await settled();
  assertEquals(harness.socket.writes.map(({ length }) => length), [LARGEST, LARGEST, 5]);
});

// Room

Deno.test("there is room up to the limit, and for one larger frame if nothing is pending", async () => {
  await using harness = new Harness({ limit: 1000, acceptsByHand: true });
  assert(harness.outbox.hasRoom(5000));
  harness.fill(400);
  assert(harness.outbox.hasRoom(600));
  assert(!harness.outbox.hasRoom(601));
  await settled();
  assert(!harness.outbox.hasRoom(601), "a write in progress has not been accepted yet");
  harness.socket.accept();
  await settled();
  assert(harness.outbox.hasRoom(5000));
});

Deno.test("with a waiter there is no room before half is written; then all waiters are called once", async () => {
  await using harness = new Harness({ limit: 1000, acceptsByHand: true });
  const called: string[] = [];
  harness.fill(900);
  harness.outbox.whenRoom(() => called.push("first"));
  harness.outbox.whenRoom(() => called.push("second"));
  assert(!harness.outbox.hasRoom(1), "or the waiters would resume one by one");
  await settled();
  harness.socket.accept(399);
  await settled();
  assertEquals([called, harness.outbox.hasRoom(1)], [[], false]);
  harness.socket.accept(1);
  await settled();
  assertEquals([called, harness.outbox.hasRoom(500)], [["first", "second"], true]);
  harness.socket.accept();
  await settled();
  assertEquals(called.length, 2);
});

Deno.test("a waiter may register again from within its call", async () => {
  await using harness = new Harness({ limit: 1000, acceptsByHand: true });
  let calls = 0;
  const waiter = () => {
    if (++calls < 3) harness.outbox.whenRoom(waiter);
  };
  harness.fill(900);
  harness.outbox.whenRoom(waiter);
  await settled();
  for (const [accepted, expected] of [[400, 1], [1, 2], [1, 3], [1, 3]]) {
    harness.socket.accept(accepted);
    await settled();
    assertEquals(calls, expected);
  }
});

Deno.test("a peer is a slow consumer if a sender waits for the whole timeout", async () => {
  await using harness = new Harness({ limit: 1000, slowConsumerTimeoutMs: 50, acceptsByHand: true });
  const start = performance.now();
  harness.fill(1000);
  harness.outbox.whenRoom(() => {});
  await harness.until("slow");
  assert(performance.now() - start >= 49);
  assertEquals(harness.events, ["slow"]);
});

Deno.test("a peer that takes half within the timeout is not a slow consumer", async () => {
  await using harness = new Harness({ limit: 1000, slowConsumerTimeoutMs: 50, acceptsByHand: true });
  await using other = new Harness({ limit: 1000, slowConsumerTimeoutMs: 60, acceptsByHand: true });
  for (const { outbox } of [harness, other]) {
    outbox.send(new Uint8Array(1000), 0, 1000);
    outbox.whenRoom(() => {});
  }
  await settled();
  harness.socket.accept(500);
  await other.until("slow"); // the first one's timeout is over by then
  assertEquals(harness.events, []);
});

Deno.test("without a waiter a full outbox is not a slow consumer", async () => {
  await using harness = new Harness({ limit: 1000, slowConsumerTimeoutMs: 20, acceptsByHand: true });
  await using other = new Harness({ limit: 1000, slowConsumerTimeoutMs: 40, acceptsByHand: true });
  harness.fill(1000);
  other.fill(1000);
  other.outbox.whenRoom(() => {});
  await other.until("slow");
  assertEquals(harness.events, []);
});

Deno.test("sends without hasRoom may exceed the limit by the reserve; beyond it the peer is a slow consumer", async () => {
  await using harness = new Harness({ limit: 1000, acceptsByHand: true });
  harness.fill(1000 + CONTROL_RESERVE_BYTES);
  await settled();
  assertEquals(harness.events, []);
  harness.fill(1);
  assertEquals(harness.events, [], "not from within send: its caller may be iterating over the subscribers");
  harness.fill(1);
  await settled();
  assertEquals(harness.events, ["slow"]);
});

// Ending

Deno.test("a peer for which only patient waiters wait is never a slow consumer", async () => {
  await using harness = new Harness({ acceptsByHand: true, slowConsumerTimeoutMs: 1 });
  harness.fill(1000);
  let calls = 0;
  harness.outbox.whenRoom(() => calls++, true);
  assert(!harness.outbox.hasRoom(1));
  await new Promise((resolve) => setTimeout(resolve, 20));
  assertEquals(harness.events, []);
  harness.socket.accept();
  await harness.until("drained");
  assertEquals(calls, 1);
  assert(harness.outbox.hasRoom(1000));
});

Deno.test("an impatient waiter after a patient one starts the timeout", async () => {
  await using harness = new Harness({ acceptsByHand: true, slowConsumerTimeoutMs: 1 });
  harness.fill(1000);
  harness.outbox.whenRoom(() => {}, true);
  harness.outbox.whenRoom(() => {});
  await harness.until("slow");
});

Deno.test("dropFrames keeps what is in a write and ends after a whole frame, wherever frames and segments end", async () => {
  const random = seeded(seedFrom());
  for (let round = 0; round < 100; round++) {
    await using harness = new Harness({ limit: Infinity, acceptsByHand: true });
    const sent: Uint8Array[] = [];
    for (let i = 1 + random.int(12); i > 0; i--) {
      // Up to several frames at once, some larger than the largest segment.
      const frames: Uint8Array[] = [];
      for (let n = 1 + random.int(30); n > 0; n--) {
        const length = random.int(5) === 0 ? random.int(LARGEST) : random.int(2000);
        frames.push(encodeFrame({ type: Type.MESSAGE, channel: 1, id: sent.length }, new Uint8Array(length)));
      }
      const run = concat(frames);
      harness.outbox.send(run, 0, run.length);
      sent.push(...frames);
      if (random.int(2) === 0) await settled();
    }
    await settled(); // now the first write is on its way
    const before = harness.outbox.pending;
    harness.outbox.dropFrames();
    assert(harness.outbox.pending <= before);
    const last = encodeFrame({ type: Type.BYE }, new Uint8Array(3));
    harness.outbox.send(last, 0, last.length);
    harness.socket.acceptsByHand = false;
    harness.socket.accept();
    await harness.until("drained");
    const written = concat(harness.socket.writes);
    const all = concat(sent);
    const kept = written.length - last.length;
    assertEquals(written.subarray(kept), last);
    assertEquals(written.subarray(0, kept), all.subarray(0, kept));
    let end = 0;
    for (const frame of sent) if (end < kept) end += frame.length;
    assertEquals(end, kept, "a frame was cut");
    assert(kept <= 2 * LARGEST + HEADER_BYTES, `${kept} bytes were kept`);
    assertEquals(harness.outbox.pending, 0);
  }
});

Deno.test("close drops pending bytes, calls all waiters, and accepts nothing more", async () => {
  await using harness = new Harness({ limit: 1000, slowConsumerTimeoutMs: 20, acceptsByHand: true });
  let waiterCalls = 0;
  harness.fill(900);
  await settled();
  harness.fill(100);
  harness.outbox.whenRoom(() => waiterCalls++);
  harness.outbox.close();
  assertEquals([waiterCalls, harness.outbox.pending, harness.outbox.hasRoom(1e6)], [1, 0, true]);
  harness.send("too late");
  harness.socket.accept();
  await settled();
  assertEquals([harness.socket.writes.length, harness.events, waiterCalls], [1, [], 1]);
});

Deno.test("a buffer in a write is not returned before the write settles, even after close", async () => {
  await using harness = new Harness({ acceptsByHand: true });
  harness.send("in progress");
  await settled();
  harness.outbox.close();
  assertEquals(harness.pool.lent.size, 1);
  harness.socket.accept();
  await settled();
  assertEquals(harness.pool.lent.size, 0);
});

Deno.test("close in the turn of a send writes nothing", async () => {
  await using harness = new Harness();
  harness.send("never");
  harness.outbox.close();
  await settled();
  assertEquals([harness.writes, harness.events, harness.pool.lent.size], [[], [], 0]);
});

Deno.test("a failed write is reported once, and all buffers are returned", async () => {
  await using harness = new Harness({ acceptsByHand: true });
  harness.send("in progress");
  await settled();
  harness.send("waiting");
  harness.socket.fail();
  await settled();
  assertEquals([harness.events, harness.pool.lent.size], [["failed"], 0]);
});

Deno.test("a write that fails because of close is not reported", async () => {
  await using harness = new Harness({ acceptsByHand: true });
  harness.send("in progress");
  await settled();
  harness.outbox.close();
  harness.socket.close();
  await settled();
  assertEquals(harness.events, []);
});

Deno.test("a waiter that throws is reported, after all others were called", async () => {
  await using harness = new Harness();
  const called: string[] = [];
  harness.fill(1000);
  harness.outbox.whenRoom(() => {
    throw new Error("a bug");
  });
  harness.outbox.whenRoom(() => void called.push("the other"));
  harness.outbox.close();
  assertEquals([called, harness.events], [["the other"], ["waiter failed: a bug"]]);
});

Deno.test("a sealed outbox writes what it has, drops what comes, and holds up no sender", async () => {
  await using harness = new Harness({ limit: 10 });
  let calls = 0;
  harness.send("the last words");
  harness.outbox.whenRoom(() => calls++);
  assertEquals(harness.outbox.hasRoom(1), false);
  harness.outbox.seal();
  assertEquals([calls, harness.outbox.hasRoom(1_000_000)], [1, true]);
  harness.send("too late");
  await harness.until("drained");
  assertEquals(harness.writes, ["the last words"]);
});
