/** What a server counts, compared to what was sent to it. */

import { assert, assertEquals } from "@std/assert";
import { connect, serve } from "../../lib/mod.ts";
import { HEADER_BYTES } from "../../lib/limits.ts";
import { Type } from "../../lib/wire/header.ts";
import type { ServerStats, SessionList } from "../../lib/wire/stats.ts";
import { makeFolder } from "../harness/folder.ts";
import { RawClient } from "../harness/raw_client.ts";
import { fileTest, serveDurable } from "../server/durable_server.ts";
import { Watcher } from "./watcher.ts";

const { MESSAGE, REQUEST, REPLY } = Type;

/** What has changed of the numbers in `after` since `before`. */
function changes(before: ServerStats, after: ServerStats) {
  const { messagesIn, messagesOut, unheard, requests, errors } = after;
  return {
    messagesIn: messagesIn - before.messagesIn,
    messagesOut: messagesOut - before.messagesOut,
    unheard: unheard - before.unheard,
    asked: requests.asked - before.requests.asked,
    answered: requests.answered - before.requests.answered,
    refused: requests.refused - before.requests.refused,
    late: requests.late - before.requests.late,
    waiting: requests.waiting,
    errors,
  };
}

const NOTHING = {
  messagesIn: 0,
  messagesOut: 0,
  unheard: 0,
  asked: 0,
  answered: 0,
  refused: 0,
  late: 0,
  waiting: 0,
  errors: {},
};

Deno.test("asking the server does not change what it counts", async () => {
  await using server = await serve({ port: 0 });
  using watcher = await Watcher.connect(server);
  const before = await watcher.now();
  for (let i = 0; i < 10; i++) await watcher.ask("$stats.sessions");
  assertEquals(changes(before, await watcher.now()), NOTHING);
  const { sessions: [entry] } = await watcher.ask("$stats.sessions");
  assertEquals([entry.messagesIn, entry.messagesOut, entry.rate], [0, 0, 0]);
  assertEquals((await watcher.now()).channels, 0, "the server's own are not counted");
});

Deno.test("messages are counted for the server, for each session and for each channel", async () => {
  await using server = await serve({ port: 0 });
  using watcher = await Watcher.connect(server);
  const [ada, bob, carl, dora] = await Promise.all(
    ["Ada", "Bob", "Carl", "Dora"].map((name) => RawClient.greet(server, { name })),
  );
  const chat = await ada.openToPublish("chat.x");
  const empty = await ada.openToPublish("empty");
  const own = (await ada.open("own", { echo: false })).number;
  await bob.open("chat.x");
  await carl.open("chat.*");
  for (const client of [bob, carl, dora]) await client.open("jobs", { group: "g" });
  const jobs = await ada.openToPublish("jobs");
  const before = await watcher.now();
  const runs: [number, number, number][] = [[chat, 1000, 10], [empty, 7, 3], [own, 5, 0], [jobs, 90, 20]];
  for (const [channel, count, size] of runs) {
    const message = ada.message(channel, new Uint8Array(size));
    await ada.send(...Array.from({ length: count }, () => message));
  }
  const direct = ada.message((bob.number | 0x8000_0000) >>> 0, "psst");
  await ada.send(direct, direct);
  await ada.barrier();
  assertEquals(changes(before, await watcher.now()), {
    ...NOTHING,
    messagesIn: 1000 + 7 + 5 + 90 + 2,
    messagesOut: 2000 + 90 + 2,
    unheard: 7 + 5,
  });
  const received = await Promise.all(
    [bob, carl, dora].map(async (client) =>
      (await client.barrier()).filter(({ type }) => type === MESSAGE).length
    ),
  );
  assertEquals(received, [1000 + 30 + 2, 1000 + 30, 30]);
  const { sessions } = await watcher.ask("$stats.sessions", { sort: "session" });
  const byName = Object.fromEntries(
    sessions.map(({ name, messagesIn, messagesOut }) => [name, [messagesIn, messagesOut]]),
  );
  assertEquals(byName, { Ada: [1104, 0], Bob: [0, 1032], Carl: [0, 1030], Dora: [0, 30], Watcher: [0, 0] });
  const { channels, count } = await watcher.ask("$stats.channels", { sort: "messagesIn" });
  assertEquals(count, 4);
  assertEquals(
    channels.map((
      { channel, messagesIn, messagesOut, bytesIn, unheard },
    ) => [channel, messagesIn, messagesOut, bytesIn, unheard]),
    [
      ["chat.x", 1000, 2000, 1000 * (HEADER_BYTES + 10), 0],
      ["jobs", 90, 90, 90 * (HEADER_BYTES + 20), 0],
      ["empty", 7, 0, 7 * (HEADER_BYTES + 3), 7],
      ["own", 5, 0, 5 * HEADER_BYTES, 5],
    ],
  );
  assertEquals(
    channels.map(({ subscribers, groups, responders }) => [subscribers, groups, responders]),
    [[2, {}, 0], [0, { g: 3 }, 0], [0, {}, 0], [1, {}, 0]],
  );
  for (const client of [ada, bob, carl, dora]) client.close();
  const end = await watcher.until("$stats.now", {}, ({ sessions }) => sessions === 1);
  assertEquals(changes(before, end).messagesIn, 1104, "what sessions did that have ended stays counted");
  assertEquals(changes(before, end).messagesOut, 2092);
});

Deno.test("bytes are those on the connection, headers and control frames included", async () => {
  await using server = await serve({ port: 0 });
  using watcher = await Watcher.connect(server);
  const before = await watcher.now();
  using ada = await RawClient.connect(server);
  const hello = ada.frame(Type.HELLO, {}, { protocol: "parley/1", name: "Ada" });
  await ada.send(hello);
  const welcome = await ada.expect(Type.WELCOME);
  const sessionNumber = JSON.parse(new TextDecoder().decode(welcome.payload)).number;
  ada.number = sessionNumber;
  let [sent, received] = [hello.length, HEADER_BYTES + welcome.length];
  const open = ada.frame(Type.OPEN, { id: 1 }, { channel: "chat", subscribe: true });
  await ada.send(open);
  const opened = await ada.expect(Type.OPENED);
  const message = ada.message(opened.channel, "four");
  await ada.send(message, message);
  await ada.expectMany(2);
  sent += open.length + 2 * message.length;
  received += HEADER_BYTES + opened.length + 2 * message.length;
  const { sessions: [entry] } = await watcher.ask("$stats.sessions", { search: "ada" });
  assertEquals([entry.bytesIn, entry.bytesOut], [sent, received]);
  assertEquals([entry.session, entry.name, entry.address, entry.port], [
    sessionNumber,
    "Ada",
    "127.0.0.1",
    ada.port,
  ]);
  const after = await watcher.until("$stats.now", {}, ({ bytesIn }) => bytesIn > before.bytesIn + sent);
  assert(after.bytesOut > before.bytesOut + received);
});

Deno.test("requests are counted as asked, and as what became of them", async () => {
  await using server = await serve({ port: 0, limits: { requestMs: 100 } });
  using watcher = await Watcher.connect(server);
  using ada = await RawClient.greet(server, { name: "Ada" });
  using bob = await RawClient.greet(server, { name: "Bob" });
  await bob.respond("ask");
  const number = await ada.openToPublish("ask");
  const none = await ada.openToPublish("none");
  const before = await watcher.now();
  const ask = async (id: number) => {
    await ada.send(ada.request(id, number, "what"));
    return await bob.expect(REQUEST);
  };
  for (const id of [1, 2, 3]) {
    await ask(id);
    await bob.send(bob.reply(id, ada.number, "that"));
    await ada.expect(REPLY);
  }
  await ada.send(ada.request(4, none)); // no_responders
  await ada.refused("no_responders");
  await ada.send(ada.request(5, 999_999)); // not open
  await ada.refused("not_open");
  await ask(6);
  await ada.send(ada.request(6, number));
  await ada.refused("id_in_use");
  assertEquals((await watcher.now()).requests.waiting, 1);
  await ada.refused("no_reply"); // 6 is late
  await ask(7);
  bob.close();
  await ada.refused("responder_gone");
  assertEquals(changes(before, await watcher.now()), {
    ...NOTHING,
    asked: 8,
    answered: 3,
    refused: 4,
    late: 1,
    // Requests that came, and replies; requests that were passed on, and replies.
    messagesIn: 8 + 3,
    messagesOut: 5 + 3,
    errors: { no_responders: 1, not_open: 1, id_in_use: 1, no_reply: 1, responder_gone: 1 },
  });
  const { channels } = await watcher.ask("$stats.channels", { search: "ask" });
  assertEquals([channels[0].messagesIn, channels[0].messagesOut, channels[0].unheard], [5, 5, 0]);
});

Deno.test("the last refusals are told with their reasons, newest first, and never a token", async () => {
  await using server = await serve({ port: 0 });
  using watcher = await Watcher.connect(server);
  using ada = await RawClient.greet(server, { name: "Ada" });
  await ada.send(ada.frame(Type.OPEN, { id: 1 }, { channel: "a..b" }));
  await ada.refused("bad_channel");
  await ada.send(ada.frame(Type.OPEN, { id: 2 }, { channel: "$stats", respond: true }));
  await ada.refused("forbidden");
  using mallory = await RawClient.connect(server);
  await mallory.send(new TextEncoder().encode("GET / HTTP/1.1\r\nauthorization: Bearer a-secret\r\n\r\n"));
  await mallory.ended("bad_frame");
  const { refusals } = await watcher.ask("$stats.refusals");
  assertEquals(refusals.map(({ code, session, name, address }) => [code, session, name, address]), [
    ["bad_frame", undefined, undefined, "127.0.0.1"],
    ["forbidden", ada.number, "Ada", "127.0.0.1"],
    ["bad_channel", ada.number, "Ada", "127.0.0.1"],
  ]);
  assertEquals(refusals[1].message, "only the server responds on $stats");
  assert(!JSON.stringify(refusals).includes("secret"));
  for (let i = 0; i < 250; i++) await ada.send(ada.message(1_000_000 + i, "x"));
  await ada.barrier();
  const { refusals: last } = await watcher.ask("$stats.refusals");
  assertEquals(last.length, 100);
  assertEquals(
    [last[0].message, last[99].message],
    [249, 150].map((i) => `channel ${1_000_000 + i} is not open; OPEN it first`),
  );
  assertEquals((await watcher.now()).errors, { bad_channel: 1, forbidden: 1, bad_frame: 1, not_open: 250 });
});

Deno.test("channels and patterns that are open are counted, and what is sent on a channel stays when it is left", async () => {
  await using server = await serve({ port: 0 });
  using watcher = await Watcher.connect(server);
  using ada = await RawClient.greet(server, { name: "Ada" });
  const number = await ada.openToPublish("alarms");
  await ada.open("a.*");
  await ada.open("b.>");
  const { channels, patterns, sessions } = await watcher.now();
  assertEquals([channels, patterns, sessions], [1, 2, 2]);
  await ada.send(ada.message(number, "nobody hears"));
  await ada.leave("alarms");
  await ada.leave("b.>");
  const after = await watcher.now();
  assertEquals([after.channels, after.patterns, after.unheard], [0, 1, 1]);
  assertEquals((await watcher.ask("$stats.slow")).unheard, [{ channel: "alarms", messages: 1 }]);
  using bob = await RawClient.greet(server, { name: "Bob" });
  await bob.open("alarms");
  await bob.send(bob.message(number, "heard"));
  await bob.barrier();
  const { channels: [entry] } = await watcher.ask("$stats.channels");
  assertEquals([entry.messagesIn, entry.messagesOut, entry.unheard], [2, 1, 1], "it goes on counting");
});

fileTest(
  "stored messages are counted when they are stored and when they are delivered, and commits",
  async () => {
    await using server = await serveDurable();
    using watcher = await Watcher.connect(server);
    using ada = await RawClient.greet(server, { name: "Ada" });
    const number = await ada.openToPublish("d.orders");
    const message = ada.message(number, "twelve bytes");
    await ada.send(...Array.from({ length: 99 }, () => message), ada.durable(7, number, "twelve bytes"));
    assertEquals(await ada.acked(), { id: 7, sequence: 100 });
    using bob = await RawClient.greet(server, { name: "Bob" });
    await bob.open("d.orders", { from: "all" });
    await bob.stored(100);
    using carl = await RawClient.greet(server, { name: "Carl" });
    await carl.open("d.orders", { consumer: "billing", window: 40 });
    await carl.stored(40);
    const { channels: [entry] } = await watcher.ask("$stats.channels");
    assertEquals([entry.messagesIn, entry.messagesOut, entry.bytesIn], [100, 140, 100 * (HEADER_BYTES + 12)]);
    const { stored } = entry;
    assertEquals([stored?.storage, stored?.first, stored?.last, stored?.messages, stored?.bytes], [
      "durable",
      1,
      100,
      100,
      2800,
    ]);
    assertEquals(stored?.consumers, [
      { consumer: "billing", position: 0, lag: 100, members: 1, isPaused: false, setAside: 0 },
    ]);
    const { store, messagesIn, messagesOut, state } = await watcher.now();
    assertEquals([messagesIn, messagesOut, state], [100, 140, "ready"]);
    assert(store !== undefined && store.commits >= 1 && store.commitSeconds > 0 && store.slowestCommitMs > 0);
    const { channels, messages, bytes, consumers, lag, maxLag, setAside, refused, failures } = store;
    assertEquals({ channels, messages, bytes, consumers, lag, maxLag, setAside, refused, failures }, {
      channels: 1,
      messages: 100,
      bytes: 2800,
      consumers: 1,
      lag: 100,
      maxLag: 100,
      setAside: 0,
      refused: 0,
      failures: 0,
    });
  },
);

Deno.test("what a session was sent stays counted if it ends before anybody looks", async () => {
  await using server = await serve({ port: 0 });
  using watcher = await Watcher.connect(server);
  const before = await watcher.now();
  using ada = await RawClient.greet(server, { name: "Ada" });
  const number = await ada.openToPublish("chat");
  let sent = 0;
  for (let round = 0; round < 20; round++) {
    const bob = await RawClient.greet(server, { name: "Bob" });
    await bob.open("chat");
    await ada.send(...Array.from({ length: 10 }, () => ada.message(number, "x")));
    sent += 10;
    if (round % 2 === 0) await bob.expectMany(10);
    await ada.barrier();
    bob.close();
  }
  const after = await watcher.until("$stats.now", {}, ({ sessions }) => sessions === 2);
  const { messagesIn, messagesOut, unheard } = changes(before, after);
  assertEquals(messagesIn, sent);
  // A session whose end the server has yet to notice is sent messages, too.
  assert(messagesOut + unheard >= sent, `${messagesOut} sent, ${unheard} unheard, of ${sent}`);
  const { channels: [entry] } = await watcher.ask("$stats.channels");
  assertEquals([entry.messagesIn, entry.messagesOut, entry.unheard], [sent, messagesOut, unheard]);
});

fileTest("TLS handshakes that failed are counted, but not connections that were only tried", async () => {
  using folder = makeFolder();
  await using server = await serve({ port: 0, tls: true, certs: `${folder.path}/certs` });
  await using client = await connect({ url: server.url, ca: server.authority });
  const failed = async () => {
    const reply = await client.request("$stats.now", "");
    const { failedTlsHandshakes, sessions, errors } = reply.json() as ServerStats;
    assertEquals([sessions, errors], [1, {}]);
    return failedTlsHandshakes;
  };
  assertEquals(await failed(), 0);
  using silent = await RawClient.connect(server);
  silent.close();
  using plain = await RawClient.connect(server);
  await plain.send(plain.frame(Type.HELLO, {}, { protocol: "parley/1" }));
  await plain.rest();
  for (const deadline = performance.now() + 10_000; await failed() === 0;) {
    assert(performance.now() < deadline);
  }
  assertEquals(await failed(), 1);
  const { sessions: [entry] } = (await client.request("$stats.sessions", "")).json() as SessionList;
  assertEquals(entry.transport, "tls");
});
