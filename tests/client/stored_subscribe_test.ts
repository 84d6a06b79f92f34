import { assert, assertEquals, assertRejects } from "@std/assert";
import { connect } from "../../lib/client/connect.ts";
import type { ClientEvent } from "../../lib/client/events.ts";
import type { ConnectOptions, StartingPoint } from "../../lib/client/options.ts";
import { ParleyError } from "../../lib/errors.ts";
import type { Server } from "../../lib/server/api.ts";
import { serve } from "../../lib/server/serve.ts";
import { next, texts } from "./messages.ts";
import { Relay } from "./relay.ts";

function start(maxMessages = 1000, port = 0): Promise<Server> {
  return serve({ port, stored: [{ channels: "h.>", storage: "history", maxMessages }] });
}

/** Connects, and collects the events. `until` waits for one. */
async function observed(port: number, options: ConnectOptions = {}) {
  const events: ClientEvent[] = [];
  const waiters: (() => void)[] = [];
  const onEvent = (event: ClientEvent) => {
    events.push(event);
    for (const wake of waiters.splice(0)) wake();
  };
  const client = await connect({ port, reconnect: { initialMs: 20, maxMs: 50 }, ...options, onEvent });
  const until = async <T extends ClientEvent["type"]>(type: T) => {
    while (true) {
      const found = events.findIndex((event) => event.type === type);
      if (found >= 0) return events.splice(found, 1)[0] as Extract<ClientEvent, { type: T }>;
      await new Promise<void>((resolve) => waiters.push(resolve));
    }
  };
  return { client, until };
}

Deno.test("a subscription begins where it is told to, and each message has its sequence", async () => {
  await using server = await start();
  await using client = await connect({ port: server.port });
  for (const text of ["1", "2", "3"]) await client.publish("h.a", text);
  await client.flush();
  const noon = new Date();
  while (Date.now() <= noon.getTime()); // the clock of messages has milliseconds
  await client.publish("h.a", "4");
  await client.flush();
  const places: [StartingPoint | undefined, number][] = [
    ["all", 1],
    [2, 2],
    [{ sequence: 3 }, 3],
    ["last", 4],
    [new Date(noon.getTime() + 1), 4],
    ["new", 5],
    [undefined, 5],
  ];
  const subscriptions = [];
  for (const [from] of places) subscriptions.push(await client.subscribe("h.a", { from }));
  await client.publish("h.a", "5");
  for (const [at, [from, first]] of places.entries()) {
    const message = await next(subscriptions[at]);
    assertEquals([message.sequence, message.text(), message.deliveries], [first, `${first}`, 1], `${from}`);
  }
  const { stored } = subscriptions[0];
  assertEquals([stored?.storage, stored?.first, stored?.last], ["history", 1, 4]);
  const { sequence } = await client.request("$echo", "");
  assertEquals(sequence, 0);
});

Deno.test("a subscription that begins with what is new shares no old message with one that catches up", async () => {
  await using server = await start(10_000);
  await using client = await connect({ port: server.port });
  await using publisher = await connect({ port: server.port });
  const many = Array.from({ length: 5000 }, (_, at) => `${at + 1}`);
  for (const text of many) await publisher.publish("h.a", text.padStart(400));
  await publisher.flush();
  const all = await client.subscribe("h.a", { from: "all" });
  const fresh = await client.subscribe("h.a");
  await publisher.publish("h.a", "new");
  const first = next(fresh); // it comes behind those of the other
  for (let sequence = 1; sequence <= 5001; sequence++) assertEquals((await next(all)).sequence, sequence);
  assertEquals((await first).sequence, 5001);
});

Deno.test("a place that cannot be is refused", async () => {
  await using server = await start();
  await using client = await connect({ port: server.port });
  await client.publish("h.a", "1");
  const cases: [string, StartingPoint, string][] = [
    ["plain", "all", "bad_payload"],
    ["h.*", "all", "bad_payload"],
    ["h.a", 0, "bad_argument"],
    ["h.a", new Date(Number.NaN), "bad_argument"],
    ["h.a", "first" as "all", "bad_argument"],
    ["h.a", { sequence: 1, epoch: "another" }, "epoch_changed"],
  ];
  for (const [channel, from, code] of cases) {
    const error = await assertRejects(() => client.subscribe(channel, { from }), ParleyError);
    assertEquals(error.code, code, `${channel} ${from}`);
  }
  for (
    const options of [{ window: 5 }, { exclusive: true }, { consumer: "c", group: "g" }, { consumer: "a.b" }]
  ) {
    const error = await assertRejects(() => client.subscribe("h.a", options), ParleyError);
    assertEquals(error.code, "bad_argument", JSON.stringify(options));
  }
  assertEquals(
    (await assertRejects(() => client.subscribe("h.a", { consumer: "c" }), ParleyError)).code,
    "not_durable",
  );
});

Deno.test("after a broken connection a subscription goes on behind the last message, and says what is missing", async () => {
  await using server = await start(10);
  await using publisher = await connect({ port: server.port });
  await using relay = new Relay(server.port);
  const { client, until } = await observed(relay.port);
  const all = await client.subscribe("h.a", { from: "all" });
  const same = await client.subscribe("h.a");
  await publisher.publish("h.a", "1");
  assertEquals([await texts(all, 1), await texts(same, 1)], [["1"], ["1"]]);
  const renewed = until("resumed");
  relay.cut();
  await until("interrupted");
  for (let text = 2; text <= 5; text++) await publisher.publish("h.a", `${text}`);
  await publisher.flush();
  relay.resume();
  const { recovered, missing, subscriptions } = await renewed;
  assertEquals([recovered, missing, subscriptions], [true, [], []]);
  assertEquals([await texts(all, 4), await texts(same, 4)], [["2", "3", "4", "5"], ["2", "3", "4", "5"]]);
  relay.cut();
  await until("interrupted");
  for (let text = 6; text <= 20; text++) await publisher.publish("h.a", `${text}`);
  await publisher.flush();
  relay.resume();
  const late = await until("resumed");
  assertEquals([late.recovered, late.missing], [false, [{ channel: "h.a", from: 6, to: 10 }]]);
  assertEquals((await next(all)).sequence, 11);
  await client.close();
});

Deno.test("after a restart that began the channel anew, its first message comes next, and the event says so", async () => {
  const first = await start();
  const { port } = first;
  const { client, until } = await observed(port);
  const all = await client.subscribe("h.a", { from: "all" });
  const plain = await client.subscribe("plain");
  await client.publish("h.a", "old");
  assertEquals(await texts(all, 1), ["old"]);
  await client.flush();
  await first.close();
  await until("interrupted");
  await using second = await start(1000, port);
  await using publisher = await connect({ port: second.port });
  await publisher.publish("h.a", "anew");
  const { recovered, missing, subscriptions } = await until("resumed");
  assertEquals([recovered, missing, subscriptions], [false, [{ channel: "h.a", from: 2, to: undefined }], [
    "plain",
  ]]);
  const message = await next(all);
  assertEquals([message.text(), message.sequence], ["anew", 1]);
  await plain.end();
  await client.close();
});

Deno.test("messages that are dropped before a subscription has read them are reported", async () => {
  await using server = await start(10);
  await using publisher = await connect({ port: server.port });
  const { client, until } = await observed(server.port);
  const slow = await client.subscribe("h.a");
  const payload = new Uint8Array(256 * 1024);
  for (let count = 0; count < 200; count++) await publisher.publish("h.a", payload);
  await publisher.flush();
  let last = 0;
  while (last < 200) {
    const { sequence } = await next(slow);
    if (sequence !== last + 1) {
      const { channel, from, to } = await until("missed");
      assertEquals([channel, from, to], ["h.a", last + 1, sequence - 1]);
    }
    last = sequence;
  }
  assert(last === 200);
  await client.close();
});

Deno.test("after a broken connection a pattern goes on in each channel that it has received from", async () => {
  await using server = await start();
  await using publisher = await connect({ port: server.port });
  await using relay = new Relay(server.port);
  const { client, until } = await observed(relay.port);
  const all = await client.subscribe("h.>");
  const names = Array.from({ length: 20 }, (_, at) => `h.${at}`);
  const publish = async (text: string) => {
    for (const name of names) await publisher.publish(name, text);
    await publisher.flush();
  };
  const expected = (text: string, sequence: number) =>
    names.map((name) => `${name} ${text} ${sequence}`).sort();
  const received = async (count: number) => {
    const found: string[] = [];
    while (found.length < count) {
      const message = await next(all);
      found.push(`${message.channel} ${message.text()} ${message.sequence}`);
    }
    return found.sort();
  };
  await publish("before");
  assertEquals(await received(20), expected("before", 1));
  relay.cut();
  await until("interrupted");
  await publish("meanwhile");
  relay.resume();
  const { recovered, subscriptions, missing } = await until("resumed");
  assertEquals([recovered, subscriptions, missing], [false, ["h.>"], []]); // a new channel may have been missed
  await publish("after");
  assertEquals(await received(40), [...expected("meanwhile", 2), ...expected("after", 3)].sort());
  await client.close();
});
