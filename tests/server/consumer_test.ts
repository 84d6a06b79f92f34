import { assertEquals } from "@std/assert";
import { Type } from "../../lib/wire/header.ts";
import { putNak, putRange, putUpTo } from "../../lib/wire/consumer_frames.ts";
import { makeFolder } from "../harness/folder.ts";
import { RawClient } from "../harness/raw_client.ts";
import { fileTest, serveDurable } from "./durable_server.ts";

/** A server with durable channels, and a session that publishes on `d.work`. */
async function start(store?: string) {
  const server = await serveDurable(store);
  const client = await RawClient.greet(server);
  const channel = await client.openToPublish("d.work");
  let id = 0;
  return {
    hostname: server.hostname,
    port: server.port,
    /** Publishes messages, and waits until they are stored. */
    async publish(...texts: string[]) {
      for (const text of texts) await client.send(client.durable(++id, channel, text));
      while ((await client.acked()).id !== id) { /* the receipts before it */ }
    },
    async [Symbol.asyncDispose]() {
      client.close();
      await server[Symbol.asyncDispose]();
    },
  };
}

function ack(client: RawClient, channel: number, upTo: number) {
  const frame = new Uint8Array(24);
  putUpTo(frame, 0, Type.ACK, channel, client.number, upTo);
  return client.send(frame);
}

function ackRange(client: RawClient, channel: number, from: number, to: number) {
  const frame = new Uint8Array(32);
  putRange(frame, 0, Type.ACK, channel, client.number, from, to);
  return client.send(frame);
}

function nak(client: RawClient, channel: number, sequence: number, delayMs: number) {
  const frame = new Uint8Array(28);
  putNak(frame, 0, channel, client.number, sequence, delayMs);
  return client.send(frame);
}

fileTest("a consumer goes on after what it has acknowledged", async () => {
  await using server = await start();
  await server.publish("1", "2", "3");
  {
    using one = await RawClient.greet(server);
    const { number } = await one.open("d.work", { consumer: "c" });
    assertEquals(await one.stored(3), ["at 1", "1 1", "2 2", "3 3"]);
    await ack(one, number, 2);
    await one.barrier();
  }
  using two = await RawClient.greet(server);
  await two.open("d.work", { consumer: "c" });
  assertEquals(await two.stored(1), ["at 3 again 1", "3 3"]);
});

fileTest("a window bounds what is on its way, and an ACK lets more come", async () => {
  await using server = await start();
  await server.publish("1", "2", "3");
  using one = await RawClient.greet(server);
  const { number } = await one.open("d.work", { consumer: "c", window: 1 });
  assertEquals(await one.stored(1), ["at 1", "1 1"]);
  assertEquals(await one.barrier(), []);
  await ackRange(one, number, 1, 1);
  assertEquals(await one.stored(1), ["2 2"]);
});

fileTest("two sessions of a consumer share its messages, and a NAK gives one back", async () => {
  await using server = await start();
  using one = await RawClient.greet(server);
  using two = await RawClient.greet(server);
  const { number } = await one.open("d.work", { consumer: "c", window: 1 });
  await two.open("d.work", { consumer: "c", window: 1 });
  await server.publish("1", "2");
  const first = await one.stored(1);
  const second = await two.stored(1);
  assertEquals([first, second].flat().sort(), ["1 1", "2 2", "at 1", "at 2"]);
  const sequence = Number(first[1].split(" ")[0]);
  await nak(one, number, sequence, 0);
  assertEquals(await one.stored(1), [`at ${sequence} again 1`, `${sequence} ${sequence}`]);
});

fileTest("a message that is delivered too often is set aside, and the others go on", async () => {
  await using server = await start();
  await server.publish("bad", "good");
  using one = await RawClient.greet(server);
  const { number } = await one.open("d.work", { consumer: "c", window: 1, deliveries: 2 });
  assertEquals(await one.stored(1), ["at 1", "1 bad"]);
  await nak(one, number, 1, 0);
  assertEquals(await one.stored(1), ["at 1 again 1", "1 bad"]);
  await nak(one, number, 1, 0);
  assertEquals(await one.stored(1), ["2 good"]);
});

fileTest("a position survives a restart, on a channel with nothing stored as well", async () => {
  using folder = makeFolder();
  const store = `${folder.path}/store`;
  {
    await using server = await start(store);
    using one = await RawClient.greet(server);
    await one.open("d.empty", { consumer: "early" });
    const { number } = await one.open("d.work", { consumer: "c" });
    await server.publish("1", "2");
    await one.stored(2);
    await ack(one, number, 1);
    await one.barrier();
  }
  await using server = await start(store);
  using one = await RawClient.greet(server);
  await one.open("d.work", { consumer: "c" });
  assertEquals(await one.stored(1), ["at 2", "2 2"]);
});

fileTest("an exclusive consumer is the session that opened first, and then the next one", async () => {
  await using server = await start();
  const one = await RawClient.greet(server);
  using two = await RawClient.greet(server);
  await one.open("d.work", { consumer: "c", exclusive: true });
  await two.open("d.work", { consumer: "c", exclusive: true });
  await server.publish("1", "2");
  assertEquals(await one.stored(2), ["at 1", "1 1", "2 2"]);
  one.close();
  assertEquals(await two.stored(2), ["at 1 again 1", "1 1", "at 2 again 1", "2 2"]);
});
