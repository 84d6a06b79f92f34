/**
 * Clients whose connections break at random, and whose server is started again, while messages are on their way.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import type { Client, Subscription } from "../../lib/client/api.ts";
import { connect } from "../../lib/client/connect.ts";
import type { ParleyError } from "../../lib/errors.ts";
import { serve } from "../../lib/server/serve.ts";
import { within } from "../harness/deadline.ts";
import { makeFolder } from "../harness/folder.ts";
import { MAY_USE_FILES } from "../harness/permissions.ts";
import { seeded, seedFrom } from "../harness/seeded.ts";
import { texts } from "./messages.ts";
import { Relay } from "./relay.ts";

const ROUNDS = Number(Deno.args[0] ?? 12);
const DEADLINE_MS = 60_000 + 1_000 * ROUNDS;

/** Reads until one message of each channel was "end". Returns the others, by channel. */
async function read(messages: Subscription, channels: number): Promise<Map<string, string[]>> {
  const found = new Map<string, string[]>();
  for await (const message of messages) {
    if (message.text() === "end" && --channels === 0) break;
    if (message.text() === "end") continue;
    found.set(message.channel, [...found.get(message.channel) ?? [], message.text()]);
  }
  return found;
}

/** As a consumer, acknowledges until the end. Returns what came, in the order of its sequences. */
async function consume(messages: Subscription, isDone: () => boolean): Promise<string[]> {
  const handled = new Map<number, string>();
  let end = Infinity;
  for await (const message of messages) {
    if (message.text() === "end") end = message.sequence;
    handled.set(message.sequence, message.text());
    message.ack();
    if (isDone() && handled.size >= end) break;
  }
  return [...handled].sort(([a], [b]) => a - b).map(([, text]) => text).slice(0, -1);
}

Deno.test({
  name:
    "over broken connections nothing that is stored is lost, repeated or reordered, and what is in doubt is said",
  ignore: !MAY_USE_FILES,
  fn: async () => {
    const random = seeded(seedFrom());
    using folder = makeFolder();
    const options = {
      store: `${folder.path}/store`,
      stored: [{ channels: "d.>", storage: "durable" as const }],
    };
    let server = await serve({ port: 0, ...options });
    const { port } = server;
    const relays = Array.from({ length: 4 }, () => new Relay(port));
    const clients: Client[] = [];
    for (const relay of relays) {
      clients.push(await connect({ port: relay.port, reconnect: { initialMs: 10, maxMs: 50 } }));
    }
    const [publisher, byName, byPattern, worker] = clients;
    const names = Promise.all([
      read(await byName.subscribe("d.plain", { from: "all" }), 1),
      read(await byName.subscribe("d.lines", { from: "all" }), 1),
    ]);
    const producer = await publisher.producer("d.lines", "import-7");
    await producer.publish("0"); // a pattern goes on in channels that it knows
    const outcomes = new Map<string, string>();
    const publish = async (text: string) => {
      outcomes.set(
        text,
        await publisher.publish("d.plain", text).then(() => "stored", (error: ParleyError) => error.code),
      );
    };
    await publish("first");
    const covering = await byPattern.subscribe("d.*", { from: "last" });
    assertEquals((await texts(covering, 2)).sort(), ["0", "first"]);
    const pattern = read(covering, 2);
    let isDone = false;
    const consumed = consume(await worker.subscribe("d.lines", { consumer: "c", window: 50 }), () => isDone);
    let lines = 1;
    const publishing = (async () => {
      while (!isDone) {
        const burst = Array.from({ length: 1 + random.int(20) }, () => producer.publish(`${lines++}`));
        await Promise.all([...burst, publish(`${lines} a`), publish(`${lines} b`)]);
      }
    })();
    for (let round = 0; round < ROUNDS; round++) {
      await publisher.ping({ timeoutMs: Infinity }).catch(() => {});
      if (round % 6 === 5) {
        await server.close();
        server = await serve({ port, ...options });
        continue;
      }
      const relay = random.pick(relays);
      relay.cut();
      await new Promise((resolve) => setTimeout(resolve, random.int(20)));
      relay.resume();
    }
    isDone = true;
    await within(publishing, "receipts", DEADLINE_MS);
    await producer.publish("end");
    while (await publisher.publish("d.plain", "end").then(() => false, () => true));
    const expected = Array.from({ length: lines }, (_, line) => `${line}`);
    const [plain, own] = await within(names, "all messages", DEADLINE_MS);
    assertEquals(own.get("d.lines"), expected);
    assertEquals(await within(consumed, "all messages at the consumer", DEADLINE_MS), expected);
    assertEquals(
      await within(pattern, "all messages by the pattern", DEADLINE_MS),
      new Map([["d.lines", expected.slice(1)], ["d.plain", plain.get("d.plain")!.slice(1)]]),
    );
    const stored = plain.get("d.plain")!;
    assertEquals(new Set(stored).size, stored.length);
    for (const [text, outcome] of outcomes) {
      if (outcome === "stored") assert(stored.includes(text), `${text} was lost`);
      else assertEquals(outcome, "interrupted");
    }
    for (const client of clients) await client.close().catch(() => {}); // what is in doubt was said
    await server.close();
    for (const relay of relays) await relay[Symbol.asyncDispose]();
  },
});
