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

/** A connection on a fake socket. Its receiver records the bytes that `take` takes. */
class Harness implements Receiver, AsyncDisposable {
  readonly socket = new FakeSocket();
  readonly pool = new CountingPool();
  readonly connection: Connection;
  readonly received: Uint8Array[] = [];
  readonly events: string[] = [];
  calls = 0;

  /** @param take returns how many of the offered bytes are taken; all by default */
  constructor(
    readonly take: (bytes: Uint8Array, harness: Harness) => number = (bytes) => bytes.length,
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

  /** The peer sends text. */
  push(text: string): void {
    this.socket.push(new TextEncoder().encode(text));
  }

  /** Sends text to the peer. */
  send(text: string): void {
    const bytes = new TextEncoder().encode(text);
    this.connection.outbox.send(bytes, 0, bytes.length);
  }

  /** Destroys the connection. It must settle, with the socket closed and every buffer returned. */
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

Deno.test("bytes that the receiver does not take are offered again before the next ones", async () => {
  await using harness = new Harness((bytes) => bytes.length - bytes.length % 4);
  for (const part of ["abcd", "e", "fg", "hijklmn", "op"]) {
    harness.push(part);
    await settled();
  }
  const taken = harness.received.map((bytes) => new TextDecoder().decode(bytes));
  assertEquals(taken, ["abcd", "", "", "efghijkl", "mnop"]);
});

Deno.test("a frame longer than the buffer makes it grow, with the bytes received", async () => {
  const whole = 3 * LARGEST;
  await using harness = new Harness((bytes) => bytes.length < whole ? 0 : whole);
  assertEquals(harness.socket.readSize, SMALLEST, "a header may claim any length");
  const payload = seeded(seedFrom()).bytes(whole);
  harness.socket.push(payload.subarray(0, 100_000));
  await settled();
  assert(harness.socket.readSize <= 200_000);
  harness.socket.push(payload.subarray(100_000));
  await settled();
  assertEquals(concat(harness.received), payload);
});

Deno.test("a busy connection reads into larger buffers, an idle one into the smallest", async () => {
  await using harness = new Harness();
  const busy = new Uint8Array(LARGEST);
  for (let i = 0; i < 10; i++) {
    harness.socket.push(busy);
    await settled();
  }
  assertEquals(harness.socket.readSize, LARGEST);
  for (let i = 0; i < 10; i++) {
    harness.push("few");
    await settled();
  }
  assertEquals(harness.socket.readSize, SMALLEST);
});

Deno.test("with chunks of any size, of which any part is taken, the receiver sees the stream", async () => {
  const random = seeded(seedFrom());
  for (let round = 0; round < 20; round++) {
    await using harness = new Harness((bytes) => random.int(bytes.length + 1));
    const chunks = Array.from(
      { length: 30 },
      () => random.bytes(1 + random.int(random.pick([5, 2000, 60_000]))),
    );
    for (const chunk of chunks) {
      harness.socket.push(chunk);
      if (random.int(2) === 0) await settled();
    }
    await settled();
    const stream = concat(chunks);
    const seen = concat(harness.received);
    assert(seen.length <= stream.length && seen.every((byte, i) => byte === stream[i]));
  }
});

Deno.test("a paused connection reads nothing; on resume, bytes not taken are offered first", async () => {
  let accepts = false;
  await using harness = new Harness((bytes, { connection }) => {
    if (accepts) return bytes.length;
    connection.pause();
    return 2;
  });
  harness.push("abcdef");
  harness.push("ghi");
  await settled();
  assertEquals([harness.text, harness.socket.isReading, harness.calls], ["ab", false, 1]);
  accepts = true;
  harness.connection.resume();
  assertEquals(harness.text, "abcdef");
  await settled();
  assertEquals([harness.text, harness.calls], ["abcdefghi", 3]);
});

Deno.test("pause and resume from within receive cancel each other", async () => {
  await using harness = new Harness((bytes, { connection }) => {
    connection.pause();
    connection.resume();
    return bytes.length;
  });
  harness.push("a");
  await settled();
  harness.push("b");
  await settled();
  assertEquals([harness.text, harness.calls], ["ab", 2]);
});

Deno.test("resume without pause does nothing", async () => {
  await using harness = new Harness();
  harness.connection.resume();
  await settled();
  assertEquals(harness.calls, 0);
});

Deno.test("if receive throws, the receiver's failed is called and the socket stays open", async () => {
  await using harness = new Harness(() => {
    throw new Error("a bug");
  });
  harness.push("boom");
  await settled();
  assertEquals(harness.events, ["failed: a bug"]);
  assert(!harness.socket.closed, "the receiver decides what the peer learns");
});

Deno.test("a peer that does not read within the timeout is a slow consumer", async () => {
  await using harness = new Harness(undefined, { slowConsumerTimeoutMs: 20 });
  harness.socket.acceptsByHand = true;
  harness.send("x".repeat(1000));
  const slow = Promise.withResolvers<void>();
  harness.onSlowConsumer = slow.resolve;
  harness.connection.outbox.whenRoom(() => {});
  await within(slow.promise, "call of onSlowConsumer()");
});

// Ending

Deno.test("the end of the stream ends the connection, after pending bytes are written", async () => {
  await using harness = new Harness();
  harness.socket.acceptsByHand = true;
  harness.push("last words");
  await settled();
  harness.send("an answer");
  harness.socket.push(null);
  await settled();
  assertEquals([harness.text, harness.events, harness.socket.closed], ["last words", ["ended: eof"], false]);
  harness.socket.accept();
  await within(harness.connection.closed, "end of the connection");
  assertEquals(new TextDecoder().decode(harness.socket.written), "an answer");
});

Deno.test("a failed read ends the connection as reset", async () => {
  await using harness = new Harness();
  harness.socket.fail();
  await within(harness.connection.closed, "end of the connection");
  assertEquals(harness.events, ["ended: reset"]);
});

Deno.test("a failed write ends the connection as reset", async () => {
  await using harness = new Harness();
  harness.socket.acceptsByHand = true;
  harness.send("not delivered");
  await settled();
  harness.socket.fail();
  await within(harness.connection.closed, "end of the connection");
  assertEquals(harness.events, ["ended: reset"]);
});

Deno.test("finish writes pending bytes, sends the end of the stream, and waits for the peer's", async () => {
  await using harness = new Harness();
  harness.socket.acceptsByHand = true;
  harness.send("goodbye");
  await settled();
  harness.connection.finish("bye");
  assertEquals(harness.events, ["ended: bye"], "reported before anything else");
  await settled();
  assertEquals([harness.socket.wroteEnd, harness.socket.closed], [false, false]);
  harness.socket.accept();
  await settled();
  assertEquals([harness.socket.wroteEnd, harness.socket.closed], [true, false]);
  harness.push("not received any more");
  await settled();
  assertEquals([harness.calls, harness.socket.closed], [0, false]);
  harness.socket.push(null);
  await within(harness.connection.closed, "end of the connection");
  assertEquals(harness.events, ["ended: bye"]);
});

Deno.test("after finish from within receive, nothing more is received", async () => {
  await using harness = new Harness((bytes, { connection }) => {
    connection.finish("bye");
    return bytes.length;
  });
  harness.push("BYE");
  await settled();
  harness.push("and more");
  harness.socket.push(null);
  await within(harness.connection.closed, "end of the connection");
  assertEquals(harness.text, "BYE");
});

Deno.test("finish on a paused connection reads on, to see the peer's end", async () => {
  await using harness = new Harness((_, { connection }) => {
    connection.pause();
    return 0;
  });
  harness.push("not taken");
  await settled();
  harness.connection.finish("shutting_down");
  harness.push("discarded");
  harness.socket.push(null);
  await within(harness.connection.closed, "end of the connection");
  assertEquals(harness.calls, 1);
});

Deno.test("finish calls the waiters of the outbox", async () => {
  await using harness = new Harness();
  harness.socket.acceptsByHand = true;
  harness.send("x".repeat(1000));
  let waiterCalls = 0;
  harness.connection.outbox.whenRoom(() => waiterCalls++);
  harness.connection.finish("slow_consumer");
  assertEquals(waiterCalls, 1);
});

Deno.test("finish closes a peer that does not read, when the time is over", async () => {
  await using harness = new Harness(undefined, { drainMs: 30 });
  harness.socket.acceptsByHand = true;
  harness.send("never read");
  const start = performance.now();
  harness.connection.finish("shutting_down");
  await within(harness.connection.closed, "end of the connection");
  assert(performance.now() - start >= 29);
  assertEquals([harness.socket.wroteEnd, harness.events], [false, ["ended: shutting_down"]]);
});

Deno.test("finish closes a peer that does not end its direction, after the linger time or when the time is over", async () => {
  for (const [withinMs, least] of [[60_000, LINGER_MS], [30, 30]]) {
    await using harness = new Harness();
    harness.send("goodbye");
    const start = performance.now();
    harness.connection.finish("bye", withinMs);
    await within(harness.connection.closed, "end of the connection");
    const took = performance.now() - start;
    assert(took >= least - 1 && took < least + 5000, `${took}`);
    assertEquals(new TextDecoder().decode(harness.socket.written), "goodbye");
  }
});

Deno.test("finish closes a peer that goes on sending, after LINGER_BYTES", async () => {
  await using harness = new Harness();
  harness.connection.finish("bad_frame");
  const chunk = new Uint8Array(LARGEST);
  for (let sent = 0; sent <= LINGER_BYTES + LARGEST; sent += LARGEST) harness.socket.push(chunk);
  await within(harness.connection.closed, "end of the connection");
  assertEquals(harness.calls, 0);
});

Deno.test("destroy closes at once, with a write in progress", async () => {
  await using harness = new Harness();
  harness.socket.acceptsByHand = true;
  harness.send("dropped");
  await settled();
  let waiterCalls = 0;
  harness.connection.outbox.whenRoom(() => waiterCalls++);
  harness.connection.destroy("timeout");
  assertEquals([harness.socket.closed, waiterCalls, harness.events], [true, 1, ["ended: timeout"]]);
  harness.connection.finish("bye");
  harness.connection.destroy("reset");
  harness.connection.resume();
  await within(harness.connection.closed, "end of the connection");
  assertEquals(harness.events, ["ended: timeout"]);
});

Deno.test("destroy may be called from within receive, paused or not", async () => {
  for (const paused of [false, true]) {
    await using harness = new Harness((bytes, { connection }) => {
      if (paused) connection.pause();
      connection.destroy("reset");
      return bytes.length;
    });
    harness.push("the end");
    await within(harness.connection.closed, "end of the connection");
    assertEquals(harness.events, ["ended: reset"]);
  }
});
