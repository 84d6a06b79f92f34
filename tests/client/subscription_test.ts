import { assert, assertEquals, assertRejects } from "@std/assert";
import { serve } from "../../lib/server/serve.ts";
import type { PresenceChange, SubscribeOptions } from "../../lib/client/options.ts";
import { connect } from "../../lib/client/connect.ts";
import { ParleyError } from "../../lib/errors.ts";
import { Type } from "../../lib/wire/header.ts";
import { playServer } from "./fake_server.ts";
import { next, texts } from "./messages.ts";

Deno.test("text, bytes and JSON arrive as what they were sent", async () => {
  await using server = await serve({ port: 0 });
  await using ada = await connect({ port: server.port });
  await using grace = await connect({ port: server.port });
  await using received = await grace.subscribe("chat");
  await ada.publish("chat", "grüße 👋");
  await ada.publish("chat", new Uint8Array([0, 255]));
  await ada.publish("chat", { json: { answer: 42 } });
  await ada.publish("chat", new TextEncoder().encode("[1]"), { kind: "json" });

  const text = await next(received);
  assertEquals([text.channel, text.sender, text.kind, text.text()], [
    "chat",
    ada.sessionId,
    "text",
    "grüße 👋",
  ]);
  assert(text.channelId > 0);
  const bytes = await next(received);
  assertEquals([bytes.kind, bytes.payload], ["bytes", new Uint8Array([0, 255])]);
  assertEquals((await next(received)).json(), { answer: 42 });
  assertEquals((await next(received)).json(), [1]);
});

Deno.test("a payload belongs to its receiver: other messages do not change it", async () => {
  await using server = await serve({ port: 0 });
  await using client = await connect({ port: server.port });
  await using chat = await client.subscribe("chat");
  for (let i = 0; i < 3; i++) await client.publish("chat", new Uint8Array(4).fill(i));
  const first = await next(chat);
  first.payload.fill(9);
  const second = await next(chat);
  await client.publish("chat", new Uint8Array(70_000).fill(7));
  assertEquals((await next(chat)).payload, new Uint8Array(4).fill(2));
  assertEquals((await next(chat)).payload.length, 70_000);
  assertEquals([first.payload, second.payload], [new Uint8Array(4).fill(9), new Uint8Array(4).fill(1)]);
  assertEquals(second.payload.buffer.byteLength, 4);
});

Deno.test("an empty message arrives, and a long one, and json() of a message that is not JSON throws", async () => {
  await using server = await serve({ port: 0 });
  await using client = await connect({ port: server.port });
  await using chat = await client.subscribe("chat");
  const long = "x".repeat(300_000);
  await client.publish("chat", "");
  await client.publish("chat", long);
  const empty = await next(chat);
  assertEquals(empty.payload.length, 0);
  const error = await assertRejects(() => Promise.resolve().then(() => empty.json()), ParleyError);
  assertEquals(error.code, "bad_payload");
  assertEquals((await next(chat)).text(), long);
});

Deno.test("a session receives its own messages unless echo is false", async () => {
  await using server = await serve({ port: 0 });
  await using ada = await connect({ port: server.port });
  await using grace = await connect({ port: server.port });
  await using quiet = await ada.subscribe("chat", { echo: false });
  await using other = await grace.subscribe("chat");
  await ada.publish("chat", "from ada");
  assertEquals(await texts(other, 1), ["from ada"]);
  await grace.publish("chat", "from grace");
  assertEquals(await texts(quiet, 1), ["from grace"]);
  assertEquals(await texts(other, 1), ["from grace"]);
});

Deno.test("a pattern receives the messages of every channel it covers, by name", async () => {
  await using server = await serve({ port: 0 });
  await using ada = await connect({ port: server.port });
  await using grace = await connect({ port: server.port });
  await using all = await grace.subscribe("news.>");
  for (const name of ["news.sport", "news.local.rain", "news.sport"]) {
    await ada.publish(name, name);
  }
  const found: string[] = [];
  for await (const message of all) {
    assertEquals(message.channel, message.text());
    found.push(message.channel);
    if (found.length === 3) break;
  }
  assertEquals(found, ["news.sport", "news.local.rain", "news.sport"]);
  assertEquals((await assertRejects(() => grace.publish("news.>", "x"), ParleyError)).code, "bad_channel");
});

Deno.test("a channel and a pattern that covers it each receive a copy of a message", async () => {
  await using server = await serve({ port: 0 });
  await using client = await connect({ port: server.port });
  await using one = await client.subscribe("news.sport");
  await using all = await client.subscribe("news.*");
  await client.publish("news.sport", "goal");
  const first = await next(one);
  first.payload.fill(0);
  assertEquals(await texts(all, 1), ["goal"]);
});

Deno.test("a group shares the messages", async () => {
  await using server = await serve({ port: 0 });
  await using ada = await connect({ port: server.port });
  await using grace = await connect({ port: server.port });
  await using publisher = await connect({ port: server.port });
  const members = [
    await ada.subscribe("jobs", { group: "w" }),
    await grace.subscribe("jobs", { group: "w" }),
  ];
  for (let i = 0; i < 4; i++) await publisher.publish("jobs", `${i}`);
  await publisher.ping();
  await Promise.all([ada.ping(), grace.ping()]);
  const shares = await Promise.all(members.map((member) => texts(member, 2)));
  assertEquals(shares.flat().sort(), ["0", "1", "2", "3"]);
});

Deno.test("presence lists the members, and reports each that joins or parts", async () => {
  await using server = await serve({ port: 0 });
  await using ada = await connect({ port: server.port, name: "Ada" });
  const changes: PresenceChange[] = [];
  let changed: () => void = () => {};
  const presence = (change: PresenceChange) => {
    changes.push(change);
    changed();
  };
  await using lobby = await ada.subscribe("lobby", { presence });
  assertEquals([...lobby.members], [[ada.sessionId, "Ada"]]);
  const joined = new Promise<void>((resolve) => changed = resolve);
  const grace = await connect({ port: server.port, name: "Grace" });
  await using fromGrace = await grace.subscribe("lobby", { presence: true });
  await joined;
  assertEquals(changes, [{ type: "joined", sessionId: grace.sessionId, name: "Grace" }]);
  assertEquals([lobby.members.size, lobby.memberCount, fromGrace.memberCount], [2, 2, 2]);
  const parted = new Promise<void>((resolve) => changed = resolve);
  await grace.close();
  await parted;
  assertEquals(changes[1], { type: "parted", sessionId: grace.sessionId, name: "Grace" });
  assertEquals([...lobby.members.values()], ["Ada"]);
});

Deno.test("ending a subscription ends its loop, and the channel can be subscribed to again at once", async () => {
  await using server = await serve({ port: 0 });
  await using client = await connect({ port: server.port });
  const chat = await client.subscribe("chat");
  const loop = (async () => {
    for await (const _ of chat);
    return "ended";
  })();
  const ending = chat.end();
  const again = await client.subscribe("chat");
  await ending;
  assertEquals(await loop, "ended");
  await client.publish("chat", "back");
  assertEquals(await texts(again, 1), ["back"]);
});

Deno.test("subscriptions of equal options share one on the wire, and ending one does not touch the others", async () => {
  await using server = await serve({ port: 0 });
  const sent: number[] = [];
  await using client = await connect({
    port: server.port,
    trace: (way, { type }) => way === "out" && sent.push(type),
  });
  const one = await client.subscribe("chat");
  const other = await client.subscribe("chat");
  const quiet = await client.subscribe("chat", { echo: false });
  await client.publish("chat", "first");
  assertEquals([await texts(one, 1), await texts(other, 1)], [["first"], ["first"]]);
  await one.end();
  await client.publish("chat", "second");
  assertEquals(await texts(other, 1), ["second"]);
  await using grace = await connect({ port: server.port });
  await grace.publish("chat", "from grace");
  assertEquals([await texts(other, 1), await texts(quiet, 1)], [["from grace"], ["from grace"]]);
  assert(!sent.includes(Type.LEAVE));
  await Promise.all([other.end(), quiet.end()]);
  assert(sent.includes(Type.LEAVE));
});

Deno.test("leaving a loop ends the subscription, however it is left", async () => {
  await using server = await serve({ port: 0 });
  await using client = await connect({ port: server.port });
  await using watcher = await connect({ port: server.port });
  const lobby = await watcher.subscribe("chat", { presence: true });
  for (const leave of ["break", "throw"]) {
    const chat = await client.subscribe("chat");
    await client.publish("chat", "x");
    try {
      for await (const _ of chat) {
        if (leave === "break") break;
        throw new Error("left");
      }
    } catch (error) {
      assertEquals((error as Error).message, "left");
    }
    assertEquals((await chat.next()).done, true);
    await client.ping();
    await watcher.ping();
    assertEquals(lobby.memberCount, 1);
  }
});

Deno.test("a signal ends the subscription, and the iteration rejects with its reason", async () => {
  await using server = await serve({ port: 0 });
  await using client = await connect({ port: server.port });
  const abort = new AbortController();
  const chat = await client.subscribe("chat", { signal: abort.signal });
  const next = chat.next();
  abort.abort(new Error("enough"));
  await assertRejects(() => next, Error, "enough");
  await assertRejects(() => client.subscribe("chat", { signal: abort.signal }), Error, "enough");
});

Deno.test("a group that overlaps another subscription gets a connection of its own, which ends with it", async () => {
  await using server = await serve({ port: 0 });
  await using client = await connect({ port: server.port });
  const all = await client.subscribe("jobs.>");
  const group = await client.subscribe("jobs.resize", { group: "w" });
  const same = await client.subscribe("jobs.resize", { group: "w" });
  assertEquals(server.sessions, 2);
  await client.publish("jobs.resize", "a.png");
  for (const each of [all, group, same]) assertEquals(await texts(each, 1), ["a.png"]);
  const error = await assertRejects(
    () => client.subscribe("jobs.*", { group: "v", echo: false }),
    ParleyError,
  );
  assertEquals(error.code, "overlap");
  await group.end();
  assertEquals(server.sessions, 2);
  await same.end();
  await client.publish("jobs.resize", "b.png");
  assertEquals(await texts(all, 1), ["b.png"]);
  assertEquals(server.sessions, 1);
});

Deno.test("publishing subscribes to nothing, and works on more channels than may be open", async () => {
  await using server = await serve({ port: 0, limits: { channels: 8 } });
  await using reader = await connect({ port: server.port });
  await using client = await connect({ port: server.port });
  const all = await reader.subscribe("c.>");
  const one = await client.subscribe("c.one");
  const names = Array.from({ length: 50 }, (_, i) => `c.${i}`);
  for (const name of names) await client.publish(name, name);
  await client.publish("c.0", "again");
  await client.publish("c.one", "still subscribed");
  assertEquals(await texts(all, 52), [...names, "again", "still subscribed"]);
  assertEquals(await texts(one, 1), ["still subscribed"]);
});

Deno.test("messages published at once on a new channel arrive in order, and the buffer may be reused", async () => {
  await using server = await serve({ port: 0 });
  await using client = await connect({ port: server.port });
  const chat = await client.subscribe("*");
  const payload = new Uint8Array(1);
  for (let i = 0; i < 100; i++) {
    payload[0] = i;
    client.publish("chat", payload);
  }
  await client.flush();
  for (let i = 0; i < 100; i++) assertEquals((await next(chat)).payload[0], i);
});

Deno.test("many subscriptions at once each get the messages of their own channel", async () => {
  await using server = await serve({ port: 0 });
  await using client = await connect({ port: server.port });
  const names = Array.from({ length: 100 }, (_, i) => `c.${i}`);
  const subscriptions = await Promise.all(names.map((name) => client.subscribe(name)));
  for (const name of names) client.publish(name, name);
  assertEquals(await Promise.all(subscriptions.map(async (each) => (await next(each)).text())), names);
});

for (
  const [name, options, code] of [
    ["a..b", {}, "bad_channel"],
    ["", {}, "bad_channel"],
    ["a.*", { presence: true }, "bad_argument"],
    ["a", { grop: "g" }, "bad_argument"],
    ["a", { echo: "no" }, "bad_argument"],
    ["a", { timeoutMs: 0 }, "bad_argument"],
  ] as const
) {
  Deno.test(`subscribe(${JSON.stringify(name)}, ${JSON.stringify(options)}) is rejected as ${code}`, async () => {
    await using server = await serve({ port: 0 });
    await using client = await connect({ port: server.port });
    const error = await assertRejects(() => client.subscribe(name, options as SubscribeOptions), ParleyError);
    assertEquals(error.code, code);
    const [option] = Object.keys(options);
    if (option !== undefined) assert(error.message.includes(option));
  });
}

Deno.test("the server's rejection of an OPEN reaches every caller of subscribe, and the name stays free", async () => {
  await playServer(async (server) => {
    using peer = await server.greet();
    for (let i = 0; i < 2; i++) {
      const { header } = await peer.expect(Type.OPEN);
      const rejection = { code: "limit", message: "too many channels", fatal: false };
      await peer.control({ type: Type.ERROR, id: header.id }, rejection);
    }
    await peer.open(5);
    await peer.drain();
  }, async (port) => {
    await using client = await connect({ port, reconnect: false });
    const both = await Promise.allSettled([client.subscribe("a"), client.subscribe("a")]);
    assertEquals(both.map((each) => each.status === "rejected" && each.reason.code), ["limit", "limit"]);
    await client.subscribe("a");
  });
});

Deno.test("a payload that is too large, or not a payload, is rejected without a round trip", async () => {
  await using server = await serve({ port: 0, limits: { payloadBytes: 1024 } });
  await using client = await connect({ port: server.port });
  await using chat = await client.subscribe("chat");
  for (
    const payload of [new Uint8Array(1025), "x".repeat(1025), "ü".repeat(600), { json: "x".repeat(1024) }]
  ) {
    assertEquals((await assertRejects(() => client.publish("chat", payload), ParleyError)).code, "too_large");
  }
  // deno-lint-ignore no-explicit-any -- JavaScript callers may pass anything
  for (const payload of [undefined, null, 7, { json: undefined }, { json: 1n }, {}] as any[]) {
    assertEquals(
      (await assertRejects(() => client.publish("chat", payload), ParleyError)).code,
      "bad_argument",
    );
  }
  await client.publish("chat", "x".repeat(1024));
  assertEquals((await next(chat)).payload.length, 1024);
});

Deno.test("a rejected message makes the next publish on its channel fail, or flush, or close", async () => {
  const rejection = { code: "forbidden", message: "no more of that", fatal: false };
  await playServer(async (server) => {
    using peer = await server.greet();
    await peer.open(5);
    for (let i = 0; i < 3; i++) {
      await peer.expect(Type.MESSAGE);
      await peer.control({ type: Type.ERROR, channel: 5 }, rejection);
      const { header } = await peer.expect(Type.PING);
      await peer.control({ type: Type.PONG, id: header.id }, "");
    }
    await peer.drain();
  }, async (port) => {
    const client = await connect({ port, reconnect: false });
    await client.publish("chat", "one");
    await client.ping();
    assertEquals(
      (await assertRejects(() => client.publish("chat", "not sent"), ParleyError)).code,
      "forbidden",
    );
    await client.publish("chat", "two");
    assertEquals((await assertRejects(() => client.flush(), ParleyError)).code, "forbidden");
    await client.publish("chat", "three");
    assertEquals((await assertRejects(() => client.close(), ParleyError)).code, "forbidden");
    assertEquals(await client.closed, undefined);
  });
});

Deno.test("with onError, rejections go there and nowhere else", async () => {
  await using server = await serve({ port: 0 });
  const errors: string[] = [];
  const client = await connect({ port: server.port, onError: (error) => errors.push(error.code) });
  await client.sendTo(123_456, "hello?");
  await client.ping();
  assertEquals(errors, ["no_such_session"]);
  await client.sendTo(123_456, "hello?");
  await client.close();
  assertEquals(errors, ["no_such_session", "no_such_session"]);
});
