/** Read buffers under attack: what connections that send little make the server hold, and what the others have left. */

import { assert, assertEquals } from "@std/assert";
import { BUFFER_BYTES, IDLE_READ_TICKS, SCARCE_READ_BYTES } from "../../lib/limits.ts";
import { Connection } from "../../lib/net/connection.ts";
import { CountingPool, FakeSocket, settled } from "./fake_socket.ts";

const KiB = 1024;
const MiB = 1024 * KiB;
const SMALLEST = BUFFER_BYTES[0];
const LARGEST = BUFFER_BYTES[BUFFER_BYTES.length - 1];
const LIMITS = { pendingBytes: MiB, slowConsumerTimeoutMs: 60_000, drainMs: 60_000 };

/** Connections that share a pool. */
class Connections implements AsyncDisposable {
  readonly pool = new CountingPool();
  readonly #all: Connection[] = [];

  /** Connects; `take` says how many bytes of those on offer are taken, by default all. */
  connect(take: (end: number) => number = (end) => end): FakeSocket {
    const socket = new FakeSocket();
    const receiver = {
      receive: (_bytes: Uint8Array, end: number) => take(end),
      failed: () => {},
      onSlowConsumer: () => {},
      ended: () => {},
    };
    const connection = new Connection(socket, this.pool, LIMITS, () => receiver);
    connection.start();
    this.#all.push(connection);
    return socket;
  }

  /** Lets so many seconds pass. */
  tick(seconds: number): void {
    for (let i = 0; i < seconds; i++) for (const connection of this.#all) connection.tick();
  }

  /** How much a connection that is sent much reads at once. */
  async busySize(socket: FakeSocket): Promise<number> {
    for (let i = 0; i < 10; i++) {
      socket.push(new Uint8Array(LARGEST));
      await settled();
    }
    return socket.readSize;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const connection of this.#all) connection.destroy("reset");
    await settled();
    assertEquals([this.pool.lent.size, this.pool.lentBytes], [0, 0]);
  }
}

Deno.test("1,100 clients that send a part of a HELLO hold little more than they sent, and a busy session reads as much as ever", async () => {
  for (const parts of [[300, 3_000, 9_000], [9_000], [300, 2_700, 6_000, 7_000]]) {
    await using connections = new Connections();
    const sent = Math.max(...parts);
    for (let i = 0; i < 1100; i++) {
      const socket = connections.connect(() => 0);
      for (let at = 0, j = 0; j < parts.length; at = parts[j++]) {
        socket.push(new Uint8Array(parts[j] - at));
        await settled();
      }
    }
    assert(connections.pool.lentBytes <= 1100 * 4 * sent, `${connections.pool.lentBytes} bytes are lent`);
    assertEquals(await connections.busySize(connections.connect()), LARGEST);
  }
});

Deno.test("a buffer that a read did not fill does not grow", async () => {
  await using connections = new Connections();
  const socket = connections.connect();
  for (const count of [150, 200, SMALLEST - 1]) {
    socket.push(new Uint8Array(count));
    await settled();
    assertEquals(socket.readSize, SMALLEST);
  }
  socket.push(new Uint8Array(SMALLEST));
  await settled();
  assertEquals(socket.readSize, 4 * KiB);
});

Deno.test("a part of a frame in a large buffer moves to one that just fits as soon as little comes", async () => {
  let isWhole = true;
  await using connections = new Connections();
  const socket = connections.connect((end) => isWhole ? end : 0);
  assertEquals(await connections.busySize(socket), LARGEST);
  isWhole = false;
  socket.push(new Uint8Array(50));
  await settled();
  assertEquals(connections.pool.lentBytes, SMALLEST, "the smallest buffer that has room for it");
});

Deno.test("sessions that have sent much and fall silent do not slow busy ones down: a little at once, and soon not at all", async () => {
  await using connections = new Connections();
  // Each of them leaves its read waiting with a large buffer.
  for (let i = 0; i < 300; i++) await connections.busySize(connections.connect());
  const busy = connections.connect();
  assertEquals(await connections.busySize(busy), SCARCE_READ_BYTES);
  connections.tick(IDLE_READ_TICKS + 1);
  assertEquals(await connections.busySize(busy), LARGEST);
  busy.push(new Uint8Array(LARGEST));
  await settled();
  assertEquals(busy.readSize, LARGEST);
});
