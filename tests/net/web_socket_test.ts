import { assert, assertEquals } from "@std/assert";
import {
  WEB_SOCKET_BUFFERED_BYTES,
  WEB_SOCKET_MESSAGE_BYTES,
  WEB_SOCKET_UNREAD_BYTES,
} from "../../lib/limits.ts";
import type { Receiver } from "../../lib/net/connection.ts";
import { WebSocketConnection } from "../../lib/net/web_socket.ts";
import type { WebSocketLike } from "../../lib/net/web_socket_like.ts";
import { within } from "../harness/deadline.ts";
import { seeded, seedFrom } from "../harness/seeded.ts";

const LIMITS = { pendingBytes: 4 * 1024 * 1024, slowConsumerTimeoutMs: 1_000, drainMs: 1_000 };

/** A WebSocket whose network takes bytes when the test says so. */
class FakeWebSocket implements WebSocketLike {
  binaryType = "arraybuffer";
  readonly protocol = "parley.1";
  bufferedAmount = 0;
  readonly sent: number[] = [];
  readonly bytes: number[] = [];
  isClosed = false;
  onopen = null;
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onerror = null;
  onclose: ((event: { code: number }) => void) | null = null;
  /** Called with each message. */
  onSent: () => void = () => {};

  send(bytes: Uint8Array): void {
    this.sent.push(bytes.length);
    if (bytes.length < 100) this.bytes.push(...bytes);
    this.bufferedAmount += bytes.length;
    this.onSent();
  }

  close(): void {
    this.isClosed = true;
  }

  receive(...bytes: number[]): void {
    this.onmessage?.({ data: Uint8Array.from(bytes).buffer });
  }

  end(code: number): void {
    this.onclose?.({ code });
  }
}

/** Takes frames of which the first byte says how long they are. */
class FrameReceiver implements Receiver {
  readonly frames: number[][] = [];
  /** How many more it takes before it pauses. */
  room = Infinity;
  reason: string | undefined;
  overflows = 0;
  connection!: WebSocketConnection;

  receive(bytes: Uint8Array, end: number): number {
    let at = 0;
    while (at < end && at + bytes[at] <= end) {
      if (this.room === 0) {
        this.connection.pause();
        break;
      }
      this.room--;
      this.frames.push([...bytes.subarray(at, at + bytes[at])]);
      at += bytes[at];
    }
    return at;
  }

  failed(error: unknown): void {
    throw error;
  }

  onSlowConsumer(): void {}

  overflowed(): void {
    this.overflows++;
    this.connection.destroy("slow_consumer");
  }

  ended(reason: string): void {
    this.reason = reason;
  }
}

function open(limits = LIMITS) {
  const socket = new FakeWebSocket();
  const receiver = new FrameReceiver();
  const connection = new WebSocketConnection(socket, receiver, limits);
  receiver.connection = connection;
  connection.start();
  return { socket, receiver, connection, outbox: connection.outbox };
}

Deno.test("frames are whole however the messages are cut", () => {
  const random = seeded(seedFrom());
  const stream = Array.from({ length: 500 }, () => 1 + random.int(9)).flatMap((length) =>
    Array.from({ length }, (_, i) => i === 0 ? length : i)
  );
  const { socket, receiver, connection } = open();
  for (let at = 0; at < stream.length;) {
    const end = at + 1 + random.int(30);
    socket.receive(...stream.slice(at, end));
    at = end;
  }
  assertEquals(receiver.frames.flat(), stream);
  connection.destroy("bye");
  socket.end(1000);
});

Deno.test("a paused connection keeps what comes, and hands it on in order", () => {
  const { socket, receiver, connection } = open();
  receiver.room = 1;
  socket.receive(1, 2, 7, 3);
  assertEquals(receiver.frames, [[1]]);
  socket.receive(8, 9, 1);
  receiver.room = 2;
  connection.resume();
  assertEquals(receiver.frames, [[1], [2, 7], [3, 8, 9]]);
  receiver.room = Infinity;
  connection.resume();
  assertEquals(receiver.frames.length, 4);
  connection.destroy("bye");
  socket.end(1000);
});

Deno.test("more than is kept ends the connection", () => {
  const { socket, receiver } = open();
  receiver.room = 0;
  socket.receive(1);
  const message = { data: new Uint8Array(1024 * 1024).fill(1).buffer };
  for (let mib = 0; mib < WEB_SOCKET_UNREAD_BYTES / 2 ** 20; mib++) {
    assertEquals(receiver.reason, undefined, `after ${mib} MiB`);
    socket.onmessage?.(message);
  }
  assertEquals([receiver.overflows, receiver.reason, socket.isClosed], [1, "slow_consumer", true]);
  socket.end(1000);
});

Deno.test("what is sent in one turn is one message, and what follows at once another", async () => {
  const { socket, connection, outbox } = open();
  outbox.send(Uint8Array.of(1, 2, 3), 1, 3);
  const at = outbox.reserve(1);
  outbox.tail[at] = 4;
  await Promise.resolve();
  assertEquals([socket.sent, socket.bytes], [[3], [2, 3, 4]]);
  for (let i = 0; i < 50; i++) { // as a loop that awaits each publish
    outbox.send(Uint8Array.of(i), 0, 1);
    await Promise.resolve();
  }
  await new Promise<void>((resolve) => socket.onSent = resolve);
  assertEquals(socket.sent, [3, 50]);
  connection.destroy("bye");
  socket.end(1000);
});

Deno.test("a WebSocket that holds enough gets no more, and callers wait until it has drained", async () => {
  const { socket, connection, outbox } = open();
  const chunk = new Uint8Array(1024 * 1024);
  for (let i = 0; i < 4; i++) outbox.send(chunk, 0, chunk.length);
  assert(outbox.hasRoom(0));
  outbox.send(chunk, 0, 1);
  assert(!outbox.hasRoom(0));
  let hasRoom = false;
  outbox.whenRoom(() => hasRoom = true);
  await Promise.resolve();
  assertEquals(new Set(socket.sent), new Set([WEB_SOCKET_MESSAGE_BYTES]));
  assertEquals(socket.bufferedAmount, WEB_SOCKET_BUFFERED_BYTES);
  for (let drained = 0; drained < 3; drained++) {
    assertEquals(hasRoom, false, `${drained} MiB are gone`);
    socket.bufferedAmount = 0;
    await within(new Promise<void>((resolve) => socket.onSent = resolve), "more");
    await Promise.resolve();
  }
  assert(hasRoom && outbox.hasRoom(0)); // half of what may be pending has left
  connection.destroy("bye");
  assertEquals(socket.sent.reduce((sum, bytes) => sum + bytes), 4 * chunk.length + 1); // all of it, whatever it holds
  socket.end(1000);
});

Deno.test("callers that wait are called when the connection ends, and nothing is sent afterwards", () => {
  const { socket, receiver, connection, outbox } = open();
  let calls = 0;
  outbox.whenRoom(() => calls++);
  socket.end(1006);
  outbox.send(Uint8Array.of(1), 0, 1);
  assertEquals([calls, outbox.pending, receiver.reason, socket.sent], [1, 0, "reset", []]);
  assert(outbox.hasRoom(1));
  connection.destroy("bye");
  assertEquals(receiver.reason, "reset");
});

Deno.test("an end is clean or not by its code, and a text message is an end", async () => {
  for (
    const [code, reason] of [[1000, "eof"], [1001, "eof"], [1005, "eof"], [1006, "reset"], [1009, "reset"]]
  ) {
    const { socket, receiver, connection } = open();
    socket.end(code as number);
    await connection.closed;
    assertEquals(receiver.reason, reason);
  }
  const { socket, receiver } = open();
  socket.onmessage?.({ data: "text" });
  assertEquals([receiver.reason, socket.isClosed], ["bad_frame", true]);
  socket.end(1000);
});
