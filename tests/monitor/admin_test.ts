/** What an administrator does, checked on the server; and who may. */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { serve } from "../../lib/mod.ts";
import { Type } from "../../lib/wire/header.ts";
import { makeFolder } from "../harness/folder.ts";
import { EXTERNAL_ADDRESS } from "../harness/permissions.ts";
import { json, RawClient } from "../harness/raw_client.ts";
import { RecordedLog } from "../harness/recorded_log.ts";
import { openTokenDesk } from "../harness/token_desk.ts";
import { fileTest, serveDurable } from "../server/durable_server.ts";
import { Watcher } from "./watcher.ts";

Deno.test("a session is disconnected: it gets a BYE, and what waited for it before that", async () => {
  const log = new RecordedLog();
  await using server = await serve({ port: 0, log: log.log });
  using watcher = await Watcher.connect(server);
  using ada = await RawClient.greet(server, { name: "Ada" });
  const { number } = await ada.open("chat");
  await ada.send(ada.message(number, "first"));
  await watcher.until("$stats.now", {}, ({ messagesOut }) => messagesOut === 1);
  assertEquals(await watcher.ask("$admin.disconnect", { session: ada.number }), {});
  await ada.expect(Type.MESSAGE);
  assertEquals(json(await ada.expect(Type.BYE)), { reason: "disconnected" });
  await ada.end();
  assertMatch(await watcher.refused("$admin.disconnect", { session: ada.number }), /^no_such_session/);
  assertEquals((await watcher.now()).sessions, 1);
  assertEquals(log.all("administered"), [{
    level: "info",
    message: "administered",
    request: "$admin.disconnect",
    by: watcher.client.number,
    byName: "Watcher",
    session: ada.number,
    name: "Ada",
  }]);
});

fileTest("a consumer is paused, resumed and reset", async () => {
  await using server = await serveDurable();
  using watcher = await Watcher.connect(server);
  using ada = await RawClient.greet(server, { name: "Ada" });
  const number = await ada.openToPublish("d.x");
  const store = async (id: number) => {
    await ada.send(ada.durable(id, number, `m${id}`));
    await ada.acked();
  };
  await store(1);
  using bob = await RawClient.greet(server, { name: "Bob" });
  await bob.open("d.x", { consumer: "billing" });
  assertEquals(await bob.stored(1), ["at 1", "1 m1"]);
  const consumer = { channel: "d.x", consumer: "billing" };
  await watcher.ask("$admin.consumer", { ...consumer, action: "pause" });
  await store(2);
  assertEquals(await bob.barrier(), [], "nothing is delivered while it is paused");
  await watcher.ask("$admin.consumer", { ...consumer, action: "resume" });
  assertEquals(await bob.stored(1), ["2 m2"]);
  await watcher.ask("$admin.consumer", { ...consumer, action: "reset", position: 0 });
  assertEquals(await bob.stored(2), ["at 1", "1 m1", "2 m2"]);
  assertMatch(await watcher.refused("$admin.consumer", { ...consumer, action: "reset" }), /lacks "position"/);
  assertMatch(
    await watcher.refused("$admin.consumer", { ...consumer, action: "pause", position: 1 }),
    /"position" has no place beside "pause"/,
  );
  assertMatch(
    await watcher.refused("$admin.consumer", { ...consumer, consumer: "other", action: "pause" }),
    /^bad_argument: d\.x has no consumer other/,
  );
  assertMatch(
    await watcher.refused("$admin.consumer", { ...consumer, channel: "d.y", action: "pause" }),
    /^bad_argument: d\.y is not a stored channel/,
  );
});

fileTest("messages that are set aside are shown, delivered again, and given up", async () => {
  await using server = await serveDurable();
  using watcher = await Watcher.connect(server);
  using ada = await RawClient.greet(server, { name: "Ada" });
  const number = await ada.openToPublish("d.x");
  await ada.send(...[1, 2, 3, 4, 5].map((i) => ada.message(number, `m${i}`)), ada.durable(7, number, "m6"));
  await ada.acked();
  using bob = await RawClient.greet(server, { name: "Bob" });
  await bob.open("d.x", { consumer: "billing" });
  await bob.stored(6);
  const nak = (sequence: number) => {
    const payload = new Uint8Array(12);
    const view = new DataView(payload.buffer);
    view.setBigUint64(0, BigInt(sequence));
    view.setUint32(8, 0xffff_ffff);
    return bob.frame(Type.NAK, { channel: number }, payload);
  };
  await bob.send(...[2, 3, 5].map(nak));
  await bob.barrier();
  const consumer = { channel: "d.x", consumer: "billing" };
  const { count, messages } = await watcher.ask("$stats.set_aside", consumer);
  assertEquals([count, messages.map(({ sequence, deliveries }) => [sequence, deliveries])], [3, [[2, 1], [
    3,
    1,
  ], [5, 1]]]);
  assert(Math.abs(Date.now() - Date.parse(messages[0].since)) < 60_000);
  const rest = await watcher.ask("$stats.set_aside", { ...consumer, after: 2, limit: 1 });
  assertEquals([rest.count, rest.messages.map(({ sequence }) => sequence)], [3, [3]]);
  assertEquals(await watcher.ask("$admin.set_aside", { ...consumer, action: "retry", sequence: 3 }), {
    count: 1,
  });
  assertEquals(await bob.stored(1), ["at 3 again 1", "3 m3"]);
  assertEquals(await watcher.ask("$admin.set_aside", { ...consumer, action: "drop", sequence: 2 }), {
    count: 1,
  });
  assertEquals(await watcher.ask("$admin.set_aside", { ...consumer, action: "drop", sequence: 2 }), {
    count: 0,
  });
  assertEquals((await watcher.now()).store?.setAside, 1);
  assertEquals(await watcher.ask("$admin.set_aside", { ...consumer, action: "retry" }), { count: 1 });
  assertEquals(await bob.stored(1), ["at 5 again 1", "5 m5"]);
  assertEquals(await watcher.ask("$stats.set_aside", consumer), { count: 0, messages: [] });
});

fileTest("with tokens each grant opens what it is for, and tokens without are refused", async () => {
  using folder = makeFolder();
  const state = `${folder.path}/state`;
  await using server = await serve({ port: 0, auth: true, state });
  const { tokens } = openTokenDesk(state);
  const grants = { publish: [">"], subscribe: [">"], respond: [">"], direct: true, expiresInSeconds: 600 };
  const issue = async (name: string, more: object = {}) =>
    (await tokens.issue({ name, ...grants, ...more })).token;
  const [plain, monitor, admin] = [
    await issue("plain"),
    await issue("monitor", { monitor: true }),
    await issue("admin", { admin: true }),
  ];
  using nobody = await RawClient.greet(server, { token: plain });
  for (const channel of ["$stats", "$stats.now", "$admin.disconnect"]) {
    await nobody.send(nobody.frame(Type.OPEN, { id: 9 }, { channel }));
    const grant = channel.startsWith("$admin") ? "admin" : "monitor";
    const { message } = await nobody.refused("forbidden");
    assertEquals(message, `this session's token lacks the grant "${grant}", which ${channel} needs`);
  }
  using watcher = await Watcher.connect(server, monitor);
  assertEquals((await watcher.now()).sessions, 2);
  await watcher.client.send(watcher.client.frame(Type.OPEN, { id: 9 }, { channel: "$admin.disconnect" }));
  assertStringIncludes((await watcher.client.refused("forbidden")).message, 'lacks the grant "admin"');
  using administrator = await Watcher.connect(server, admin);
  await administrator.ask("$stats.now");
  await administrator.ask("$admin.disconnect", { session: nobody.number });
  await nobody.expect(Type.BYE);
  // Who came with which token, and those that were not accepted.
  const { sessions } = await watcher.ask("$stats.sessions", { search: "admin" });
  assertMatch(sessions[0].token!, /^[0-9a-f-]{36}$/);
  using mallory = await RawClient.connect(server);
  const wrong = `${plain.slice(0, -4)}AAAA`;
  await mallory.send(mallory.frame(Type.HELLO, {}, { protocol: "parley/1", token: wrong }));
  await mallory.ended("unauthorized");
  using forgetful = await RawClient.connect(server);
  await forgetful.send(forgetful.frame(Type.HELLO, {}, { protocol: "parley/1" }));
  await forgetful.ended("unauthorized");
  const now = await watcher.now();
  assertEquals(
    [now.rejectedTokens, now.errors.unauthorized],
    [1, 2],
    "a missing token is none that was rejected",
  );
  const { refusals } = await watcher.ask("$stats.refusals");
  assertEquals(refusals.slice(0, 2).map(({ code, message }) => `${code}: ${message}`), [
    "unauthorized: token missing: no token came",
    "unauthorized: token not valid here: its signature is wrong",
  ]);
  const all = JSON.stringify([
    refusals,
    await watcher.ask("$stats.config"),
    await watcher.ask("$stats.sessions"),
  ]);
  for (const token of [plain, monitor, admin, wrong]) {
    for (const part of token.split(".")) assert(!all.includes(part), "a token is told");
  }
});

Deno.test({
  name: "without tokens a client on another address than loopback is refused",
  ignore: EXTERNAL_ADDRESS === undefined,
  async fn() {
    await using server = await serve({
      hostname: "0.0.0.0",
      port: 0,
      insecure: true,
      log: new RecordedLog().log,
    });
    using local = await Watcher.connect({ hostname: "127.0.0.1", port: server.port });
    assertEquals((await local.now()).sessions, 1);
    using remote = await RawClient.greet({ hostname: EXTERNAL_ADDRESS!, port: server.port });
    await remote.send(remote.frame(Type.OPEN, { id: 9 }, { channel: "$stats", subscribe: true }));
    const { message } = await remote.refused("forbidden");
    assertEquals(message, "$stats is only for clients on the server's own machine: it asks for no tokens");
    await remote.open("chat");
  },
});

Deno.test({
  name: "an IPv4 client of a server that listens on IPv6 as well is on this machine, too",
  async fn() {
    await using server = await serve({ hostname: "::", port: 0, insecure: true, log: new RecordedLog().log });
    using watcher = await Watcher.connect({ hostname: "127.0.0.1", port: server.port });
    const { sessions: [entry] } = await watcher.ask("$stats.sessions");
    assertMatch(entry.address, /127\.0\.0\.1$/);
  },
});
