import { assert, assertEquals } from "@std/assert";
import type { EndReason } from "../../lib/errors.ts";
import { BUFFER_BYTES, LINGER_BYTES, LINGER_MS } from "../../lib/limits.ts";
import { Connection, type Receiver } from "../../lib/net/connection.ts";
import { within } from "../harness/deadline.ts";
import { concat } from "../harness/raw_client.ts";
import { seeded, seedFrom } from "../harness/seeded.ts";
import { CountingPool, FakeSocket, settled } from "./fake_socket.ts";

const SMALLEST = BUFFER_BYTES[0];
const LARGEST = BUFFER_BYTES[BUFFER_BYTES.length - 1];

/** A connection on a fake socket; its receiver takes what `take` says and keeps it. */
class Bench implements Receiver, AsyncDisposable {
  readonly socket = new FakeSocket();
  readonly pool = new CountingPool();
  readonly connection: Connection;
  readonly received: Uint8Array[] = [];
  readonly events: string[] = [];
  calls = 0;

  /** @param take how many of the bytes offered are taken; all, unless given */
  constructor(
    readonly take: (bytes: Uint8Array, bench: Bench) => number = (bytes) => bytes.length,
    { pendingBytes = 1000, slowConsumerTimeoutMs = 60_000, drainMs = 60_000 } = {},
  ) {
    const limits = { pendingBytes, slowConsumerTimeoutMs, drainMs };
    this.connection = new Connection(this.socket, this.pool, limits, () => this);
    this.connection.start();
  }

  receive(bytes: Uint8Array, end: number): number {
    this.calls++;
    const count = this.take(bytes.subarray(0, end), this);
    this.received.push(bytes.slice(0, count));
    return count;
  }

  failed(error: unknown): void {
    this.events.push(`failed: ${(error as Error).message}`);
  }

  onSlowConsumer(): void {
    this.events.push("slow");
  }

  ended(reason: EndReason): void {
    this.events.push(`ended: ${reason}`);
  }

  /** The bytes received so far, as text. */
  get text(): string {
    return new TextDecoder().decode(concat(this.received));
  }

  /** The other end sends text. */
  push(text: string): void {
    this.socket.push(new TextEncoder().encode(text));
  }

  /** Sends text to the other end. */
  send(text: string): void {
    const bytes = new TextEncoder().encode(text);
    this.connection.outbox.send(bytes, 0, bytes.length);
  }

  /** Ends it, if the test did not: then it must have settled, with the socket closed and every buffer back. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.connection.destroy("reset");
    await within(this.connection.closed, "end of the connection");
    await settled();
    assert(this.socket.closed);
    assertEquals(this.pool.lent.size, 0);
    assertEquals(this.events.filter((event) => event.startsWith("ended")).length, 1);
  }
}

// Receiving

Deno.test("what the receiver does not take stands before what comes next", async () => {
  await using bench = new Bench((bytes) => bytes.length - bytes.length % 4);
  for (const part of ["abcd", "e", "fg", "hijklmn", "op"]) {
    bench.push(part);
    await settled();
  }
  const taken = bench.received.map((bytes) => new TextDecoder().decode(bytes));
  assertEquals(taken, ["abcd", "", "", "efghijkl", "mnop"]);
});

Deno.test("a frame longer than the buffer makes it grow, by what has really come", async () => {
  const whole = 3 * LARGEST;
  await using bench = new Bench((bytes) => bytes.length < whole ? 0 : whole);
  assertEquals(bench.socket.readSize, SMALLEST, "a header alone promises anything");
  const payload = seeded(seedFrom()).bytes(whole);
  bench.socket.push(payload.subarray(0, 100_000));
  await settled();
  assert(bench.socket.readSize <= 200_000);
  bench.socket.push(payload.subarray(100_000));
  await settled();
  assertEquals(concat(bench.received), payload);
});

Deno.test("a busy connection reads into larger buffers, an idle one into the smallest", async () => {
  await using bench = new Bench();
  const busy = new Uint8Array(LARGEST);
  for (let i = 0; i < 10; i++) {
    bench.socket.push(busy);
    await settled();
  }
  assertEquals(bench.socket.readSize, LARGEST);
  for (let i = 0; i < 10; i++) {
    bench.push("few");
    await settled();
  }
  assertEquals(bench.socket.readSize, SMALLEST);
});

Deno.test("whatever the chunks and whatever is taken of them, the receiver sees the stream", async () => {
  const random = seeded(seedFrom());
  for (let round = 0; round < 20; round++) {
    await using bench = new Bench((bytes) => random.int(bytes.length + 1));
    const chunks = Array.from(
      { length: 30 },
      () => random.bytes(1 + random.int(random.pick([5, 2000, 60_000]))),
    );
    for (const chunk of chunks) {
      bench.socket.push(chunk);
      if (random.int(2) === 0) await settled();
    }
    await settled();
    const stream = concat(chunks);
    const seen = concat(bench.received);
    assert(seen.length <= stream.length && seen.every((byte, i) => byte === stream[i]));
  }
});

Deno.test("while held nothing is read; on resuming, what was not taken is offered first", async () => {
  let willing = false;
  await using bench = new Bench((bytes, { connection }) => {
    if (willing) return bytes.length;
    connection.pause();
    return 2;
  });
  bench.push("abcdef");
  bench.push("ghi");
  await settled();
  assertEquals([bench.text, bench.socket.isReading, bench.calls], ["ab", false, 1]);
  willing = true;
  bench.connection.resume();
  assertEquals(bench.text, "abcdef");
  await settled();
  assertEquals([bench.text, bench.calls], ["abcdefghi", 3]);
});

Deno.test("resuming from within receive is not holding at all", async () => {
  await using bench = new Bench((bytes, { connection }) => {
    connection.pause();
    connection.resume();
    return bytes.length;
  });
  bench.push("a");
  await settled();
  bench.push("b");
  await settled();
  assertEquals([bench.text, bench.calls], ["ab", 2]);
});

Deno.test("resuming what is not held does nothing", async () => {
  await using bench = new Bench();
  bench.connection.resume();
  await settled();
  assertEquals(bench.calls, 0);
});

Deno.test("a receiver that throws is told so, and nothing else happens", async () => {
  await using bench = new Bench(() => {
    throw new Error("a bug");
  });
  bench.push("boom");
  await settled();
  assertEquals(bench.events, ["failed: a bug"]);
  assert(!bench.socket.closed, "what the peer is told is the receiver's to decide");
});

Deno.test("a peer that does not read for the grace time is slow", async () => {
  await using bench = new Bench(undefined, { slowConsumerTimeoutMs: 20 });
  bench.socket.byHand = true;
  bench.send("x".repeat(1000));
  const slow = Promise.withResolvers<void>();
  bench.onSlowConsumer = slow.resolve;
  bench.connection.outbox.whenRoom(() => {});
  await within(slow.promise, "call of onSlowConsumer()");
});

// Ending

Deno.test("the end of the stream ends it, once what is to be written is written", async () => {
  await using bench = new Bench();
  bench.socket.byHand = true;
  bench.push("last words");
  await settled();
  bench.send("an answer");
  bench.socket.push(null);
  await settled();
  assertEquals([bench.text, bench.events, bench.socket.closed], ["last words", ["ended: eof"], false]);
  bench.socket.accept();
  await within(bench.connection.closed, "end of the connection");
  assertEquals(new TextDecoder().decode(bench.socket.written), "an answer");
});

Deno.test("a read that fails ends it as reset", async () => {
  await using bench = new Bench();
  bench.socket.fail();
  await within(bench.connection.closed, "end of the connection");
  assertEquals(bench.events, ["ended: reset"]);
});

Deno.test("a write that fails ends it as reset", async () => {
  await using bench = new Bench();
  bench.socket.byHand = true;
  bench.send("to nobody");
  await settled();
  bench.socket.fail();
  await within(bench.connection.closed, "end of the connection");
  assertEquals(bench.events, ["ended: reset"]);
});

Deno.test("finishing writes what waits, says the end, and waits for the peer's", async () => {
  await using bench = new Bench();
  bench.socket.byHand = true;
  bench.send("goodbye");
  await settled();
  bench.connection.finish("bye");
  assertEquals(bench.events, ["ended: bye"], "said before anything else");
  await settled();
  assertEquals([bench.socket.saidEnd, bench.socket.closed], [false, false]);
  bench.socket.accept();
  await settled();
  assertEquals([bench.socket.saidEnd, bench.socket.closed], [true, false]);
  bench.push("not listened to any more");
  await settled();
  assertEquals([bench.calls, bench.socket.closed], [0, false]);
  bench.socket.push(null);
  await within(bench.connection.closed, "end of the connection");
  assertEquals(bench.events, ["ended: bye"]);
});

Deno.test("finishing from within receive takes nothing more of the stream", async () => {
  await using bench = new Bench((bytes, { connection }) => {
    connection.finish("bye");
    return bytes.length;
  });
  bench.push("BYE");
  await settled();
  bench.push("and more");
  bench.socket.push(null);
  await within(bench.connection.closed, "end of the connection");
  assertEquals(bench.text, "BYE");
});

Deno.test("finishing what is held reads on, to see the peer's end", async () => {
  await using bench = new Bench((_, { connection }) => {
    connection.pause();
    return 0;
  });
  bench.push("held");
  await settled();
  bench.connection.finish("shutting_down");
  bench.push("thrown away");
  bench.socket.push(null);
  await within(bench.connection.closed, "end of the connection");
  assertEquals(bench.calls, 1);
});

Deno.test("finishing lets those go on who wait for room", async () => {
  await using bench = new Bench();
  bench.socket.byHand = true;
  bench.send("x".repeat(1000));
  let went = 0;
  bench.connection.outbox.whenRoom(() => went++);
  bench.connection.finish("slow_consumer");
  assertEquals(went, 1);
});

Deno.test("a peer that does not read what is left is closed when the time is over", async () => {
  await using bench = new Bench(undefined, { drainMs: 30 });
  bench.socket.byHand = true;
  bench.send("never read");
  const start = performance.now();
  bench.connection.finish("shutting_down");
  await within(bench.connection.closed, "end of the connection");
  assert(performance.now() - start >= 29);
  assertEquals([bench.socket.saidEnd, bench.events], [false, ["ended: shutting_down"]]);
});

Deno.test("a peer that does not end its side is closed after the lingering time, or when the time is over", async () => {
  for (const [withinMs, least] of [[60_000, LINGER_MS], [30, 30]]) {
    await using bench = new Bench();
    bench.send("goodbye");
    const start = performance.now();
    bench.connection.finish("bye", withinMs);
    await within(bench.connection.closed, "end of the connection");
    const took = performance.now() - start;
    assert(took >= least - 1 && took < least + 5000, `${took}`);
    assertEquals(new TextDecoder().decode(bench.socket.written), "goodbye");
  }
});

Deno.test("a peer that goes on sending is closed after so many bytes", async () => {
  await using bench = new Bench();
  bench.connection.finish("bad_frame");
  const chunk = new Uint8Array(LARGEST);
  for (let sent = 0; sent <= LINGER_BYTES + LARGEST; sent += LARGEST) bench.socket.push(chunk);
  await within(bench.connection.closed, "end of the connection");
  assertEquals(bench.calls, 0);
});

Deno.test("destroying ends it at once, whatever is under way", async () => {
  await using bench = new Bench();
  bench.socket.byHand = true;
  bench.send("dropped");
  await settled();
  let went = 0;
  bench.connection.outbox.whenRoom(() => went++);
  bench.connection.destroy("timeout");
  assertEquals([bench.socket.closed, went, bench.events], [true, 1, ["ended: timeout"]]);
  bench.connection.finish("bye");
  bench.connection.destroy("reset");
  bench.connection.resume();
  await within(bench.connection.closed, "end of the connection");
  assertEquals(bench.events, ["ended: timeout"]);
});

Deno.test("destroying from within receive is possible, held or not", async () => {
  for (const held of [false, true]) {
    await using bench = new Bench((bytes, { connection }) => {
      if (held) connection.pause();
      connection.destroy("reset");
      return bytes.length;
    });
    bench.push("the end");
    await within(bench.connection.closed, "end of the connection");
    assertEquals(bench.events, ["ended: reset"]);
  }
});
