import { assert, assertEquals, assertRejects } from "@std/assert";
import { serve } from "../../lib/server/serve.ts";
import type { Channel, PresenceChange } from "../../lib/client/api.ts";
import { connect } from "../../lib/client/connect.ts";
import { ParleyError } from "../../lib/errors.ts";
import { Type } from "../../lib/wire/header.ts";
import { playServer } from "./fake_server.ts";
import { next, texts } from "./messages.ts";

Deno.test("text, bytes and JSON arrive as what they were sent", async () => {
  await using server = await serve({ port: 0 });
  await using ada = await connect({ port: server.port });
  await using grace = await connect({ port: server.port });
  await using received = await grace.open("chat");
  await using chat = await ada.open("chat", { subscribe: false });
  await chat.publish("grüße 👋");
  await chat.publish(new Uint8Array([0, 255]));
  await chat.publish({ json: { answer: 42 } });
  await chat.publish(new TextEncoder().encode("[1]"), { kind: "json" });

  const text = await next(received);
  assertEquals([text.channel, text.sender, text.kind, text.text()], ["chat", ada.number, "text", "grüße 👋"]);
  assertEquals([text.number, text.isRequest], [received.number, false]);
  const bytes = await next(received);
  assertEquals([bytes.kind, bytes.payload], ["bytes", new Uint8Array([0, 255])]);
  assertEquals((await next(received)).json(), { answer: 42 });
  assertEquals((await next(received)).json(), [1]);
});

Deno.test("a payload belongs to its receiver: other messages do not change it", async () => {
  await using server = await serve({ port: 0 });
  await using client = await connect({ port: server.port });
  await using chat = await client.open("chat");
  for (let i = 0; i < 3; i++) await chat.publish(new Uint8Array(4).fill(i));
  const first = await next(chat);
  first.payload.fill(9);
  const second = await next(chat);
  await chat.publish(new Uint8Array(70_000).fill(7));
  assertEquals((await next(chat)).payload, new Uint8Array(4).fill(2));
  assertEquals((await next(chat)).payload.length, 70_000);
  assertEquals([first.payload, second.payload], [new Uint8Array(4).fill(9), new Uint8Array(4).fill(1)]);
  assertEquals(second.payload.buffer.byteLength, 4);
});

Deno.test("an empty message arrives, and a long one, and json() of a message that is not JSON throws", async () => {
  await using server = await serve({ port: 0 });
  await using client = await connect({ port: server.port });
  await using chat = await client.open("chat");
  const long = "x".repeat(300_000);
  await chat.publish("");
  await chat.publish(long);
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
  await using quiet = await ada.open("chat", { echo: false });
  await using other = await grace.open("chat");
  await quiet.publish("from ada");
  assertEquals(await texts(other, 1), ["from ada"]);
  await other.publish("from grace");
  assertEquals(await texts(quiet, 1), ["from grace"]);
  assertEquals(await texts(other, 1), ["from grace"]);
});

Deno.test("a pattern receives the messages of every channel it covers, by name", async () => {
  await using server = await serve({ port: 0 });
  await using ada = await connect({ port: server.port });
  await using grace = await connect({ port: server.port });
  await using all = await grace.open("news.>");
  assertEquals([all.number, all.mayPublish, all.subscribed], [0, false, true]);
  for (const name of ["news.sport", "news.local.rain", "news.sport"]) {
    await (await ada.open(name, { subscribe: false })).publish(name);
  }
  const found: string[] = [];
  for await (const message of all) {
    assertEquals(message.channel, message.text());
    found.push(message.channel);
    if (found.length === 3) break;
  }
  assertEquals(found, ["news.sport", "news.local.rain", "news.sport"]);
  assertEquals((await assertRejects(() => all.publish("x"), ParleyError)).code, "forbidden");
});

Deno.test("a channel and a pattern that covers it each receive a copy of a message", async () => {
  await using server = await serve({ port: 0 });
  await using client = await connect({ port: server.port });
  await using one = await client.open("news.sport");
  await using all = await client.open("news.*");
  await one.publish("goal");
  const first = await next(one);
  first.payload.fill(0);
  assertEquals(await texts(all, 1), ["goal"]);
});

Deno.test("a group shares the messages", async () => {
  await using server = await serve({ port: 0 });
  await using ada = await connect({ port: server.port });
  await using grace = await connect({ port: server.port });
  await using publisher = await connect({ port: server.port });
  const members = [await ada.open("jobs", { group: "w" }), await grace.open("jobs", { group: "w" })];
  await using jobs = await publisher.open("jobs", { subscribe: false });
  for (let i = 0; i < 4; i++) await jobs.publish(`${i}`);
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
  await using lobby = await ada.open("lobby", { presence });
  assertEquals([...lobby.members], [[ada.number, "Ada"]]);
  const joined = new Promise<void>((resolve) => changed = resolve);
  const grace = await connect({ port: server.port, name: "Grace" });
  await using fromGrace = await grace.open("lobby", { presence: true });
  await joined;
  assertEquals(changes, [{ type: "joined", number: grace.number, name: "Grace" }]);
  assertEquals([lobby.members.size, lobby.memberCount, fromGrace.memberCount], [2, 2, 2]);
  const parted = new Promise<void>((resolve) => changed = resolve);
  await grace.close();
  await parted;
  assertEquals(changes[1], { type: "parted", number: grace.number, name: "Grace" });
  assertEquals([...lobby.members.values()], ["Ada"]);
});

Deno.test("leaving ends the loop, and the channel can be opened again", async () => {
  await using server = await serve({ port: 0 });
  await using client = await connect({ port: server.port });
  const chat = await client.open("chat");
  const loop = (async () => {
    for await (const _ of chat);
    return "ended";
  })();
  await chat.leave();
  assertEquals(await loop, "ended");
  assertEquals(chat.subscribed, false);
  assertEquals((await assertRejects(() => chat.publish("x"), ParleyError)).code, "closed");
  const again = await client.open("chat");
  await again.publish("back");
  assertEquals(await texts(again, 1), ["back"]);
  const leaving = again.leave();
  const third = await client.open("chat");
  await leaving;
  await third.publish("third");
  assertEquals(await texts(third, 1), ["third"]);
});

Deno.test("opening again returns the same channel with the new options", async () => {
  await using server = await serve({ port: 0 });
  await using client = await connect({ port: server.port });
  const chat = await client.open("chat", { subscribe: false });
  assertEquals(chat.subscribed, false);
  const same = await client.open("chat");
  assert(same === chat && chat.subscribed);
  await chat.publish("x");
  assertEquals(await texts(chat, 1), ["x"]);
});

Deno.test("many opens at once each get their own channel", async () => {
  await using server = await serve({ port: 0 });
  await using client = await connect({ port: server.port });
  const names = Array.from({ length: 100 }, (_, i) => `c.${i}`);
  const channels = await Promise.all(names.map((name) => client.open(name)));
  assertEquals(channels.map(({ name }) => name), names);
  assertEquals(new Set(channels.map(({ number }) => number)).size, 100);
});

for (
  const [name, options, code] of [
    ["a..b", {}, "bad_channel"],
    ["", {}, "bad_channel"],
    ["a.*", { subscribe: false }, "bad_argument"],
    ["a.*", { presence: true }, "bad_argument"],
    ["a", { subscribe: false, group: "g" }, "bad_argument"],
  ] as const
) {
  Deno.test(`open(${JSON.stringify(name)}, ${JSON.stringify(options)}) is rejected as ${code}`, async () => {
    await using server = await serve({ port: 0 });
    await using client = await connect({ port: server.port });
    assertEquals((await assertRejects(() => client.open(name, options), ParleyError)).code, code);
  });
}

Deno.test("the server's rejection of an OPEN reaches every caller of open, and the name stays free", async () => {
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
    await using client = await connect({ port });
    const both = await Promise.allSettled([client.open("a"), client.open("a")]);
    assertEquals(both.map((each) => each.status === "rejected" && each.reason.code), ["limit", "limit"]);
    assertEquals((await client.open("a")).number, 5);
  });
});

Deno.test("a payload that is too large, or not a payload, is rejected without a round trip", async () => {
  await using server = await serve({ port: 0, limits: { payloadBytes: 1024 } });
  await using client = await connect({ port: server.port });
  await using chat = await client.open("chat");
  for (
    const payload of [new Uint8Array(1025), "x".repeat(1025), "ü".repeat(600), { json: "x".repeat(1024) }]
  ) {
    assertEquals((await assertRejects(() => chat.publish(payload), ParleyError)).code, "too_large");
  }
  // deno-lint-ignore no-explicit-any -- JavaScript callers may pass anything
  for (const payload of [undefined, null, 7, { json: undefined }, { json: 1n }, {}] as any[]) {
    assertEquals((await assertRejects(() => chat.publish(payload), ParleyError)).code, "bad_argument");
  }
  await chat.publish("x".repeat(1024));
  assertEquals((await next(chat)).payload.length, 1024);
});

Deno.test("a rejected message makes the next publish fail, or the iteration under way, or close", async () => {
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
    const client = await connect({ port });
    const chat: Channel = await client.open("chat");
    await chat.publish("one");
    await client.ping();
    assertEquals((await assertRejects(() => chat.publish("not sent"), ParleyError)).code, "forbidden");
    const waiting = assertRejects(() => next(chat), ParleyError, "no more of that");
    await chat.publish("two");
    await client.ping();
    await waiting;
    await chat.publish("three");
    assertEquals((await assertRejects(() => client.close(), ParleyError)).code, "forbidden");
    assertEquals(await client.closed, undefined);
  });
});

Deno.test("with onError, rejections go there and nowhere else", async () => {
  await using server = await serve({ port: 0 });
  const errors: string[] = [];
  const client = await connect({ port: server.port, onError: (error) => errors.push(error.code) });
  await client.direct(123_456, "hello?");
  await client.ping();
  assertEquals(errors, ["no_such_session"]);
  await client.direct(123_456, "hello?");
  await client.close();
  assertEquals(errors, ["no_such_session", "no_such_session"]);
});
