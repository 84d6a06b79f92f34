import { assert, assertEquals } from "@std/assert";
import { BUFFER_BYTES, CONTROL_RESERVE_BYTES } from "../../lib/limits.ts";
import { Outbox } from "../../lib/net/outbox.ts";
import { within } from "../harness/deadline.ts";
import { concat } from "../harness/raw_client.ts";
import { seeded, seedFrom } from "../harness/seeded.ts";
import { CountingPool, FakeSocket, settled } from "./fake_socket.ts";

const LARGEST = BUFFER_BYTES[BUFFER_BYTES.length - 1];

/** An outbox on a fake socket, and what it tells its connection. */
class Bench implements AsyncDisposable {
  readonly socket = new FakeSocket();
  readonly pool = new CountingPool();
  readonly events: string[] = [];
  readonly outbox: Outbox;
  #event = Promise.withResolvers<void>();

  constructor({ bound = 1000, slowConsumerTimeoutMs = 60_000, byHand = false, maxWrite = Infinity } = {}) {
    this.socket.byHand = byHand;
    this.socket.maxWrite = maxWrite;
    this.outbox = new Outbox(this.socket, this.pool, bound, slowConsumerTimeoutMs, {
      writeFailed: () => this.#tell("failed"),
      written: () => {},
      drained: () => this.#tell("drained"),
      onSlowConsumer: () => this.#tell("slow"),
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

  /** What was written so far, each write as text. */
  get writes(): string[] {
    return this.socket.writes.map((bytes) => new TextDecoder().decode(bytes));
  }

  /** Waits for an event. */
  async until(name: string): Promise<void> {
    while (!this.events.includes(name)) await within(this.#event.promise, `event "${name}"`);
  }

  #tell(name: string): void {
    this.events.push(name);
    this.#event.resolve();
    this.#event = Promise.withResolvers();
  }

  /** Closes the outbox: every buffer must come back, whatever happened. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.outbox.close();
    if (this.socket.isWriting) this.socket.fail();
    await settled();
    assertEquals(this.pool.lent.size, 0);
  }
}

// Writing

Deno.test("what is sent in one turn goes out in one write", async () => {
  await using bench = new Bench();
  for (const part of ["one ", "two ", "", "three"]) bench.send(part);
  assertEquals(bench.writes, [], "not before the turn is over");
  assertEquals(bench.outbox.pending, 13);
  await settled();
  assertEquals(bench.writes, ["one two three"]);
  assertEquals([bench.outbox.pending, bench.events], [0, ["drained"]]);
});

Deno.test("only the part of the bytes that was meant is sent, and it is copied", async () => {
  await using bench = new Bench();
  const bytes = new TextEncoder().encode("a chunk that is reused");
  bench.outbox.send(bytes, 2, 7);
  bytes.fill(0);
  await settled();
  assertEquals(bench.writes, ["chunk"]);
});

Deno.test("what is sent while a write is under way goes out in the next one", async () => {
  await using bench = new Bench({ byHand: true });
  bench.send("first");
  await settled();
  bench.send("second ");
  bench.send("third");
  await settled();
  bench.socket.accept();
  await settled();
  assertEquals(bench.events, []);
  bench.socket.accept();
  await settled();
  assertEquals([bench.writes, bench.events], [["first", "second third"], ["drained"]]);
});

Deno.test("a short write is followed by another", async () => {
  await using bench = new Bench({ byHand: true });
  bench.send("hello");
  await settled();
  bench.socket.accept(2);
  await settled();
  assertEquals(bench.outbox.pending, 3);
  bench.send("!");
  bench.socket.accept(3);
  await settled();
  bench.socket.accept();
  await settled();
  assertEquals(bench.writes.join(""), "hello!");
  assertEquals(bench.events, ["drained"]);
});

Deno.test("whatever is sent, in whatever pieces it is accepted, all of it arrives in order", async () => {
  const random = seeded(seedFrom());
  for (let round = 0; round < 30; round++) {
    await using bench = new Bench({ bound: 1e9, byHand: true });
    const sent: Uint8Array[] = [];
    for (let i = 0; i < 40; i++) {
      const bytes = random.bytes(random.pick([0, 1, 16, 47, 48, 49, 1024, random.int(70_000)]));
      const from = random.int(bytes.length + 1);
      bench.outbox.send(bytes, from, bytes.length);
      sent.push(bytes.subarray(from));
      if (random.int(2) === 0) await settled();
      if (bench.socket.isWriting) bench.socket.accept(random.pick([1, 7, 1000, Infinity]));
    }
    while (bench.outbox.pending > 0) {
      await settled();
      if (bench.socket.isWriting) bench.socket.accept(random.pick([999, 20_000, Infinity]));
    }
    const [written, expected] = [bench.socket.written, concat(sent)];
    assertEquals(written.length, expected.length);
    assert(written.every((byte, i) => byte === expected[i]));
  }
});

Deno.test("slices of a buffer on offer arrive in order, neighbours and others, whatever the buffer is used for next", async () => {
  const random = seeded(seedFrom());
  for (let round = 0; round < 30; round++) {
    await using bench = new Bench({ bound: 1e9, byHand: true });
    const sent: Uint8Array[] = [];
    const send = (bytes: Uint8Array, from: number, to: number) => {
      bench.outbox.send(bytes, from, to);
      sent.push(bytes.slice(from, to));
    };
    for (let i = 0; i < 5; i++) {
      const buffer = bench.pool.takeForRead(random.pick([512, 16 * 1024, LARGEST]));
      buffer.set(random.bytes(buffer.length));
      bench.pool.offer(buffer);
      const most = random.pick([40, 3000, buffer.length]);
      for (let at = 0; at < buffer.length;) {
        const to = Math.min(buffer.length, at + 1 + random.int(most));
        if (random.int(8) > 0) send(buffer, at, to); // or not: a gap
        if (random.int(8) === 0) send(random.bytes(16), 0, 16);
        at = to;
      }
      if (!bench.pool.withdraw(buffer)) {
        buffer.fill(0);
        bench.pool.give(buffer);
      }
      await settled();
      if (bench.socket.isWriting) bench.socket.accept(random.pick([1, 1000, Infinity]));
    }
    while (bench.outbox.pending > 0) {
      await settled();
      if (bench.socket.isWriting) bench.socket.accept();
    }
    const [written, expected] = [bench.socket.written, concat(sent)];
    assertEquals(written.length, expected.length);
    assert(written.every((byte, i) => byte === expected[i]));
  }
});

Deno.test("neighbouring slices that fill most of a buffer are not copied; alone, small ones are", async () => {
  for (const count of [1000, 10]) {
    await using bench = new Bench({ bound: 1e9, byHand: true });
    const buffer = bench.pool.takeForRead(16 * 1024);
    bench.pool.offer(buffer);
    for (let i = 0; i < count; i++) bench.outbox.send(buffer, i * 16, i * 16 + 16);
    assertEquals(bench.outbox.pending, count * 16);
    const isKept = bench.pool.withdraw(buffer);
    assertEquals(isKept, count === 1000);
    await settled();
    bench.socket.accept();
    await settled();
    assertEquals(bench.socket.writes.map(({ length }) => length), [count * 16]);
    if (!isKept) bench.pool.give(buffer);
  }
});

Deno.test("closing amid an offer drops the slice, and keeps nothing of the buffer", async () => {
  await using bench = new Bench({ bound: 1e9 });
  const buffer = bench.pool.takeForRead(LARGEST);
  bench.pool.offer(buffer);
  bench.outbox.send(buffer, 0, LARGEST);
  bench.outbox.close();
  assert(!bench.pool.withdraw(buffer));
  bench.pool.give(buffer);
  await settled();
  assertEquals(bench.socket.writes, []);
});

Deno.test("one write takes no more than the largest buffer", async () => {
  await using bench = new Bench({ bound: 1e9 });
  bench.fill(LARGEST * 2 + 5);
  await settled();
  assertEquals(bench.socket.writes.map(({ length }) => length), [LARGEST, LARGEST, 5]);
});

// Room

Deno.test("there is room up to the bound, and for one larger frame where nothing waits", async () => {
  await using bench = new Bench({ bound: 1000, byHand: true });
  assert(bench.outbox.hasRoom(5000));
  bench.fill(400);
  assert(bench.outbox.hasRoom(600));
  assert(!bench.outbox.hasRoom(601));
  await settled();
  assert(!bench.outbox.hasRoom(601), "a write under way has not been accepted yet");
  bench.socket.accept();
  await settled();
  assert(bench.outbox.hasRoom(5000));
});

Deno.test("once somebody waits there is no room before half is written; then all who wait go on, once", async () => {
  await using bench = new Bench({ bound: 1000, byHand: true });
  const went: string[] = [];
  bench.fill(900);
  bench.outbox.whenRoom(() => went.push("first"));
  bench.outbox.whenRoom(() => went.push("second"));
  assert(!bench.outbox.hasRoom(1), "or the waiting would come one by one");
  await settled();
  bench.socket.accept(399);
  await settled();
  assertEquals([went, bench.outbox.hasRoom(1)], [[], false]);
  bench.socket.accept(1);
  await settled();
  assertEquals([went, bench.outbox.hasRoom(500)], [["first", "second"], true]);
  bench.socket.accept();
  await settled();
  assertEquals(went.length, 2);
});

Deno.test("who cannot go on yet may wait again from within its call", async () => {
  await using bench = new Bench({ bound: 1000, byHand: true });
  let calls = 0;
  const waiter = () => {
    if (++calls < 3) bench.outbox.whenRoom(waiter);
  };
  bench.fill(900);
  bench.outbox.whenRoom(waiter);
  await settled();
  for (const [accepted, expected] of [[400, 1], [1, 2], [1, 3], [1, 3]]) {
    bench.socket.accept(accepted);
    await settled();
    assertEquals(calls, expected);
  }
});

Deno.test("a peer is slow if somebody waited for the whole grace time", async () => {
  await using bench = new Bench({ bound: 1000, slowConsumerTimeoutMs: 50, byHand: true });
  const start = performance.now();
  bench.fill(1000);
  bench.outbox.whenRoom(() => {});
  await bench.until("slow");
  assert(performance.now() - start >= 49);
  assertEquals(bench.events, ["slow"]);
});

Deno.test("a peer that has written half within the grace time is not slow", async () => {
  await using bench = new Bench({ bound: 1000, slowConsumerTimeoutMs: 50, byHand: true });
  await using other = new Bench({ bound: 1000, slowConsumerTimeoutMs: 60, byHand: true });
  for (const { outbox } of [bench, other]) {
    outbox.send(new Uint8Array(1000), 0, 1000);
    outbox.whenRoom(() => {});
  }
  await settled();
  bench.socket.accept(500);
  await other.until("slow"); // and by then the first's time is long over
  assertEquals(bench.events, []);
});

Deno.test("full is not slow as long as nobody waits", async () => {
  await using bench = new Bench({ bound: 1000, slowConsumerTimeoutMs: 20, byHand: true });
  await using other = new Bench({ bound: 1000, slowConsumerTimeoutMs: 40, byHand: true });
  bench.fill(1000);
  other.fill(1000);
  other.outbox.whenRoom(() => {});
  await other.until("slow");
  assertEquals(bench.events, []);
});

Deno.test("what is sent without asking may exceed the bound by the reserve; beyond it the peer is slow", async () => {
  await using bench = new Bench({ bound: 1000, byHand: true });
  bench.fill(1000 + CONTROL_RESERVE_BYTES);
  await settled();
  assertEquals(bench.events, []);
  bench.fill(1);
  assertEquals(bench.events, [], "not from within send: its caller may be going through the subscribers");
  bench.fill(1);
  await settled();
  assertEquals(bench.events, ["slow"]);
});

// Ending

Deno.test("closing drops what waits, lets all who wait go on, and takes nothing more", async () => {
  await using bench = new Bench({ bound: 1000, slowConsumerTimeoutMs: 20, byHand: true });
  let went = 0;
  bench.fill(900);
  await settled();
  bench.fill(100);
  bench.outbox.whenRoom(() => went++);
  bench.outbox.close();
  assertEquals([went, bench.outbox.pending, bench.outbox.hasRoom(1e6)], [1, 0, true]);
  bench.send("too late");
  bench.socket.accept();
  await settled();
  assertEquals([bench.socket.writes.length, bench.events, went], [1, [], 1]);
});

Deno.test("a buffer that is being written is not lent to others, even after closing", async () => {
  await using bench = new Bench({ byHand: true });
  bench.send("under way");
  await settled();
  bench.outbox.close();
  assertEquals(bench.pool.lent.size, 1);
  bench.socket.accept();
  await settled();
  assertEquals(bench.pool.lent.size, 0);
});

Deno.test("closing in the turn of a send writes nothing", async () => {
  await using bench = new Bench();
  bench.send("never");
  bench.outbox.close();
  await settled();
  assertEquals([bench.writes, bench.events, bench.pool.lent.size], [[], [], 0]);
});

Deno.test("a socket that fails is told once, and gives all buffers back", async () => {
  await using bench = new Bench({ byHand: true });
  bench.send("under way");
  await settled();
  bench.send("waiting");
  bench.socket.fail();
  await settled();
  assertEquals([bench.events, bench.pool.lent.size], [["failed"], 0]);
});

Deno.test("a write that fails because of closing is no news", async () => {
  await using bench = new Bench({ byHand: true });
  bench.send("under way");
  await settled();
  bench.outbox.close();
  bench.socket.close();
  await settled();
  assertEquals(bench.events, []);
});
