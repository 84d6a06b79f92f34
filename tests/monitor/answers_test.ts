/** The requests that tell something: what they take, what they refuse, and what they tell. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { serve } from "../../lib/mod.ts";
import { Type } from "../../lib/wire/header.ts";
import { HISTORY_COLUMNS, Sampler } from "../../lib/monitor/sampler.ts";
import { Largest } from "../../lib/monitor/selection.ts";
import type { ServerStats } from "../../lib/wire/stats.ts";
import { AwakeClock } from "../harness/awake_clock.ts";
import { json, RawClient } from "../harness/raw_client.ts";
import { seeded, seedFrom } from "../harness/seeded.ts";
import { Watcher } from "./watcher.ts";

Deno.test("lists are sorted, searched and cut, and say how many match", async () => {
  await using server = await serve({ port: 0 });
  using watcher = await Watcher.connect(server);
  const clients: RawClient[] = [];
  for (let i = 0; i < 12; i++) {
    const client = await RawClient.greet(server, { name: i % 2 === 0 ? `Even ${i}` : `Odd ${i}` });
    const number = await client.openToPublish(`room.${i}`);
    await client.send(...Array.from({ length: i }, () => client.message(number, "x")));
    await client.barrier();
    clients.push(client);
  }
  const even = await watcher.ask("$stats.sessions", { search: "even", sort: "messagesIn", limit: 3 });
  assertEquals([even.count, even.sessions.map(({ name }) => name)], [6, ["Even 10", "Even 8", "Even 6"]]);
  const byPort = await watcher.ask("$stats.sessions", { search: `:${clients[3].port}` });
  assertEquals(byPort.sessions.map(({ name }) => name), ["Odd 3"]);
  const byNumber = await watcher.ask("$stats.sessions", { search: String(clients[5].number) });
  assert(byNumber.sessions.some(({ name }) => name === "Odd 5"));
  const byUuid = await watcher.ask("$stats.sessions", { search: clients[7].welcome.session });
  assertEquals(byUuid.sessions.map(({ name, uuid, open }) => [name, uuid, open]), [
    ["Odd 7", clients[7].welcome.session, ["room.7"]],
  ]);
  const rooms = await watcher.ask("$stats.channels", { sort: "messagesIn", limit: 2 });
  assertEquals([rooms.count, rooms.channels.map(({ channel }) => channel)], [12, ["room.11", "room.10"]]);
  const found = await watcher.ask("$stats.channels", { search: "ROOM.1" });
  assertEquals([found.count, found.channels.map(({ channel }) => channel).sort()], [3, [
    "room.1",
    "room.10",
    "room.11",
  ]]);
  for (const client of clients) client.close();
});

Deno.test("a session with much open shows twenty of it, and how much there is", async () => {
  await using server = await serve({ port: 0 });
  using watcher = await Watcher.connect(server);
  using ada = await RawClient.greet(server, { name: "Ada" });
  for (let i = 0; i < 30; i++) await ada.open(i < 25 ? `a.${i}` : `p${i}.*`);
  const { sessions: [entry] } = await watcher.ask("$stats.sessions", { search: "ada" });
  assertEquals([entry.open.length, entry.openCount], [20, 30]);
});

Deno.test("a request that is not as it must be is refused with a sentence", async () => {
  await using server = await serve({ port: 0 });
  using watcher = await Watcher.connect(server);
  const wrong: [Parameters<Watcher["refused"]>[0], object, RegExp][] = [
    [
      "$stats.sessions",
      { sort: "name" },
      /^bad_payload: the request "sort": must be one of session, port, openCount/,
    ],
    [
      "$stats.sessions",
      { limit: 0 },
      /^bad_payload: .*"limit": must be a whole number from 1 to 1000, not 0/,
    ],
    ["$stats.sessions", { limit: 1001 }, /from 1 to 1000, not 1001/],
    ["$stats.sessions", { search: 7 }, /"search" must be a string, got a number/],
    ["$stats.channels", { sort: "pendingBytes" }, /"sort": must be one of rate, subscribers/],
    ["$stats.channels", { sort: "toString" }, /"sort": must be one of/],
    ["$stats.why", {}, /^bad_payload: the request lacks "channel"/],
    ["$stats.why", { channel: "a..b" }, /"channel": segment 2 of "a..b" is empty/],
    ["$stats.why", { channel: "a.*" }, /"channel": must be the name of one channel, not a pattern/],
    ["$stats.set_aside", { channel: "a" }, /lacks "consumer"/],
    ["$stats.set_aside", { channel: "a", consumer: "b" }, /^bad_argument: this server stores no channels/],
    ["$admin.disconnect", {}, /lacks "session"/],
    ["$admin.disconnect", { session: 2 ** 31 }, /"session": must be a whole number from 1 to 2147483647/],
    ["$admin.disconnect", { session: 2 ** 31 - 1 }, /^no_such_session: there is no session 2147483647/],
    [
      "$admin.consumer",
      { channel: "a", consumer: "b", action: "stop" },
      /"action": must be "pause", "resume" or "reset"/,
    ],
    ["$admin.consumer", { channel: "a", consumer: "b", action: "pause" }, /stores no channels/],
    [
      "$admin.set_aside",
      { channel: "a", consumer: "b", action: "retry", sequence: -1 },
      /"sequence": must be a whole/,
    ],
  ];
  for (const [channel, ask, sentence] of wrong) assertMatch(await watcher.refused(channel, ask), sentence);
  assertEquals((await watcher.now()).errors, {}, "none of them is an ERROR");
});

Deno.test("$stats is sent once a second, and tells what $stats.now does", async () => {
  await using server = await serve({ port: 0 });
  using watcher = await Watcher.connect(server);
  const { number } = await watcher.client.open("$stats");
  const frames = await watcher.client.expectMany(1, Type.MESSAGE);
  using clock = new AwakeClock();
  frames.push(await watcher.client.expect(Type.MESSAGE));
  const awakeMs = clock.now();
  const [first, second] = frames.map((frame) => json<ServerStats>(frame));
  assertEquals(
    frames.map(({ channel, sender, id, flags }) => [channel, sender, id, flags]),
    Array(2).fill([number, 0, 0, 2]),
  );
  const ms = Date.parse(second.time) - Date.parse(first.time);
  assert(ms > 500 && awakeMs < 2500, `${ms} ms between two, ${awakeMs} of them awake`);
  await watcher.client.leave("$stats");
  const now = await watcher.now();
  assertEquals(Object.keys(now).sort(), Object.keys(second).sort());
  assertEquals([now.sessions, now.connections, now.state, now.version], [1, 1, "ready", second.version]);
  assert(now.memoryBytes > 1e7 && now.heapBytes > 1e6 && now.uptimeSeconds >= second.uptimeSeconds);
  assert(now.descriptors === null || now.descriptors > 3);
  assertEquals(now.store, undefined);
});

Deno.test("rates are those of the last second", async () => {
  await using server = await serve({ port: 0 });
  using watcher = await Watcher.connect(server);
  using ada = await RawClient.greet(server, { name: "Ada" });
  const number = await ada.openToPublish("chat");
  await watcher.ask("$stats.channels"); // from now on rates of channels are measured
  const message = ada.message(number, "x");
  let sent = 0;
  const timer = setInterval(() => {
    sent += 5;
    ada.send(message, message, message, message, message);
  }, 10);
  const { channels } = await watcher.until("$stats.channels", {}, ({ channels }) => channels[0].rate > 0);
  const { sessions } = await watcher.until("$stats.sessions", {}, ({ sessions }) => sessions[0].rate > 0);
  const { history } = {
    history: await watcher.until("$stats.history", {}, ({ samples }) => samples.some(([rate]) => rate > 0)),
  };
  clearInterval(timer);
  for (const rate of [channels[0].rate, sessions[0].rate]) {
    assert(rate > 20 && rate <= 1000, `${rate} a second`);
  }
  assertEquals(sessions[0].name, "Ada", "the busiest is first");
  assertEquals([history.columns, history.stepSeconds], [HISTORY_COLUMNS, 1]);
  const columns = history.samples[0].length;
  assertEquals(columns, HISTORY_COLUMNS.length);
  const last = history.samples.at(-1)!;
  assertEquals(last[HISTORY_COLUMNS.indexOf("sessions")], 2);
  await ada.barrier();
  assertEquals((await watcher.now()).messagesIn, sent);
});

Deno.test("the configuration in effect is told with its sources", async () => {
  await using server = await serve({ port: 0, limits: { channels: 77 } });
  using watcher = await Watcher.connect(server);
  const { options } = await watcher.ask("$stats.config");
  const find = (name: string) => options.find(({ option }) => option === name);
  assertEquals(find("limits.channels"), { option: "limits.channels", value: "77", source: "program" });
  assertEquals(find("limits.heartbeatSeconds"), {
    option: "limits.heartbeatSeconds",
    value: "30",
    source: "default",
  });
  assertEquals(find("auth"), { option: "auth", value: "false", source: "default" });
  await using other = await serve({
    port: 0,
    config: () => [{ option: "port", value: "0", source: "flag" }],
  });
  using otherWatcher = await Watcher.connect(other);
  assertEquals(await otherWatcher.ask("$stats.config"), {
    options: [{ option: "port", value: "0", source: "flag" }],
  });
});

Deno.test("samples of fifteen minutes are kept, with rates of the time that has passed", () => {
  let now = 0;
  const sampler = new Sampler(() => now);
  const traffic = { messagesIn: 0, messagesOut: 0, bytesIn: 0, bytesOut: 0 };
  const sample = (ms: number, messages: number) => {
    now += ms;
    traffic.messagesIn += messages;
    sampler.sample({ traffic, memoryBytes: 1, loopDelayMs: 0.25, pendingBytes: 2, sessions: messages });
  };
  const rates = () => sampler.history(new Date(1e12 + now)).samples.map(([rate]) => rate);
  assertEquals(rates(), []);
  sample(1000, 10);
  sample(1003, 10);
  assertEquals(rates(), [10, 10]);
  sample(3000, 30); // the process was stopped: one sample for each second
  assertEquals(rates(), [10, 10, 10, 10, 10]);
  for (let i = 0; i < 1000; i++) sample(1000, i);
  const sampledAt = now;
  now += 400;
  const { samples, until } = sampler.history(new Date(1e12 + now));
  assertEquals(samples.length, 900);
  assertEquals([samples[0][0], samples[899][0]], [100, 999]);
  assertEquals(samples[899], [999, 0, 0, 0, 1, 0.3, 2, 999]);
  assertEquals(Date.parse(until), 1e12 + sampledAt);
  sample(5_000_000 - 400, 5000);
  assertEquals(rates(), Array(900).fill(1));
});

Deno.test("the largest are those that sorting all would give", () => {
  const random = seeded(seedFrom());
  for (let round = 0; round < 200; round++) {
    const values = Array.from({ length: random.int(300) }, () => random.int(40));
    const most = 1 + random.int(50);
    const largest = new Largest<number>(most, (value) => value);
    for (const value of values) largest.add(value);
    assertEquals(largest.items, values.toSorted((one, other) => other - one).slice(0, most));
  }
});
