/** Reading stored messages for the message browser, from a real server. */

import { assertEquals, assertRejects } from "@std/assert";
import { connect, type Message, ParleyError, serve } from "../../../lib/mod.ts";
import { type Reading, readSingle, readStored } from "../../../lib/web/page/reading.ts";

const ALL = { channel: "h.a", from: 1, limit: 100, mostScanned: 1_000, matches: () => true };

/** A server with 250 messages on `h.a`, and what is read there. */
async function start(limits: { maxMessages?: number } = {}) {
  const server = await serve({ port: 0, stored: [{ channels: "h.>", storage: "history", ...limits }] });
  const client = await connect({ port: server.port });
  await Promise.all(Array.from({ length: 250 }, (_, n) => client.publish("h.a", `message ${n + 1}`)));
  await client.flush();
  return {
    client,
    async read(reading: Partial<Reading> = {}) {
      const signal = AbortSignal.timeout(15_000);
      const { messages, ...rest } = await readStored(client, { ...ALL, signal, ...reading });
      return { sequences: messages.map(({ sequence }) => sequence), ...rest };
    },
    async [Symbol.asyncDispose]() {
      await client.close();
      await server.close();
    },
  };
}

function numbers(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, n) => from + n);
}

Deno.test("pages follow each other up to what is stored", async () => {
  await using desk = await start();
  const first = await desk.read({ from: "all" });
  assertEquals(first, {
    sequences: numbers(1, 100),
    scanned: 100,
    next: 101,
    isEnd: false,
    first: 1,
    last: 250,
  });
  const last = await desk.read({ from: 201 });
  assertEquals(last.sequences, numbers(201, 250));
  assertEquals([last.isEnd, last.next], [true, 251]);
  assertEquals((await desk.read({ from: 251 })).sequences, []);
});

Deno.test("a filter looks at no more messages than it may, and says where to go on", async () => {
  await using desk = await start();
  const matches = (message: Message) => message.text().endsWith("00");
  const part = await desk.read({ matches, mostScanned: 150 });
  assertEquals(part, { sequences: [100], scanned: 150, next: 151, isEnd: false, first: 1, last: 250 });
  const rest = await desk.read({ from: part.next, matches, mostScanned: 150 });
  assertEquals([rest.sequences, rest.isEnd], [[200], true]);
});

Deno.test("what is stored no longer is left out", async () => {
  await using desk = await start({ maxMessages: 10 });
  const { sequences, first } = await desk.read({ from: 1 });
  assertEquals([sequences, first], [numbers(241, 250), 241]);
});

Deno.test("what is published meanwhile does not belong to what is read", async () => {
  await using desk = await start();
  const reading = desk.read({ from: 240, matches: () => true });
  await Promise.all(numbers(251, 300).map((n) => desk.client.publish("h.a", `message ${n}`)));
  assertEquals((await reading).sequences[0], 240);
  assertEquals((await desk.read({ from: 290 })).sequences, numbers(290, 300));
});

Deno.test("a channel that is not stored cannot be read", async () => {
  await using desk = await start();
  await assertRejects(() => desk.read({ channel: "chat.lobby", from: "all" }), ParleyError);
});

Deno.test("single messages are read with few subscriptions", async () => {
  await using desk = await start();
  const read: number[] = [];
  const signal = AbortSignal.timeout(15_000);
  await readSingle(desk.client, "h.a", [2, 7, 249, 900], ({ sequence }) => read.push(sequence), signal);
  assertEquals(read, [2, 7, 249]); // 900 is not stored
});
