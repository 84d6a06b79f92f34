/** Where a message would go, who is passed over, and who waits for whom, compared to what happens. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { type Limits, serve } from "../../lib/mod.ts";
import { Type } from "../../lib/wire/header.ts";
import { RawClient } from "../harness/raw_client.ts";
import { fileTest, serveDurable } from "../server/durable_server.ts";
import { Watcher } from "./watcher.ts";

const KiB = 1024;

/** Little may be pending, and no client is closed as slow while a test runs. */
const LIMITS: Partial<Limits> = {
  payloadBytes: 64 * KiB,
  pendingBytes: 256 * KiB,
  slowConsumerTimeoutMs: 60_000,
};

/** So many sessions, by name. */
function connect(server: { hostname: string; port: number }, ...names: string[]): Promise<RawClient[]> {
  return Promise.all(names.map((name) => RawClient.greet(server, { name })));
}

/** Publishes until the connection is closed. Resolves then. */
async function flood(client: RawClient, channel: number): Promise<void> {
  const message = client.message(channel, new Uint8Array(16 * KiB));
  try {
    while (true) await client.send(message);
  } catch {
    // The test has closed it.
  }
}

Deno.test("a message goes to those that are subscribed, by name or pattern, once", async () => {
  await using server = await serve({ port: 0 });
  using watcher = await Watcher.connect(server);
  const [ada, bob, carl, dora] = await connect(server, "Ada", "Bob", "Carl", "Dora");
  await ada.open("chat.x");
  await bob.open("chat.*");
  await carl.open("chat.x");
  await carl.open("chat.>");
  await dora.respond("*.x");
  const why = await watcher.ask("$stats.why", { channel: "chat.x" });
  assertEquals([why.isKnown, why.receiverCount, why.findings], [true, 3, []]);
  assertEquals(why.receivers.map(({ session, name, by }) => [session, name, by]), [
    [ada.number, "Ada", "chat.x"],
    [carl.number, "Carl", "chat.x"],
    [bob.number, "Bob", "chat.*"],
  ]);
  assertEquals(why.responders.map(({ session, by }) => [session, by]), [[dora.number, "*.x"]]);
  assertEquals(why.passedOver.map(({ session, reason }) => [session, reason]), [
    [dora.number, "it responds here and is not subscribed, so it is sent requests only"],
  ]);
  const other = await watcher.ask("$stats.why", { channel: "chat.y" });
  assertEquals([other.isKnown, other.receivers.map(({ name }) => name).sort()], [false, ["Bob", "Carl"]]);
  for (const client of [ada, bob, carl, dora]) client.close();
});

Deno.test("nobody is subscribed: it says so, and names a channel that may have been meant", async () => {
  await using server = await serve({ port: 0 });
  using watcher = await Watcher.connect(server);
  const [ada, bob] = await connect(server, "Ada", "Bob");
  await bob.open("orders.new");
  const number = await ada.openToPublish("order.new");
  await ada.send(ada.message(number, "lost"), ada.message(number, "lost"));
  await ada.barrier();
  const { receivers, findings } = await watcher.ask("$stats.why", { channel: "order.new" });
  assertEquals(receivers, []);
  assertEquals(findings, [
    "No session is subscribed to order.new, by name or by a pattern: messages there are received by nobody.",
    "No session responds on order.new: requests there are refused as no_responders.",
    "There is a channel of almost the same name: orders.new.",
    "2 messages on order.new had no subscriber, and went nowhere.",
  ]);
  const own = await watcher.ask("$stats.why", { channel: "$stats" });
  assertMatch(own.findings[0], /^\$stats begins with \$, so it is the server's own/);
  ada.close();
  bob.close();
});

Deno.test("of a group the member is told whose turn it is, and it is the one that receives", async () => {
  await using server = await serve({ port: 0 });
  using watcher = await Watcher.connect(server);
  const members = await connect(server, "Ada", "Bob", "Carl");
  for (const member of members) await member.open("jobs.*", { group: "workers" });
  using publisher = await RawClient.greet(server, { name: "Publisher" });
  const number = await publisher.openToPublish("jobs.a");
  for (let i = 0; i < 7; i++) {
    const { receivers, passedOver } = await watcher.ask("$stats.why", { channel: "jobs.a" });
    const [{ session, by, group }] = receivers;
    assertEquals([receivers.length, by, group], [1, "jobs.*", "workers"]);
    assertEquals(
      passedOver.map(({ reason }) => reason),
      Array(2).fill(
        `group workers gives each message to one member, and session ${session} is next`,
      ),
    );
    await publisher.send(publisher.message(number, `message ${i}`));
    await publisher.barrier();
    const got: number[] = [];
    for (const member of members) {
      if ((await member.barrier()).some(({ type }) => type === Type.MESSAGE)) got.push(member.number);
    }
    assertEquals(got, [session]);
  }
  for (const member of members) member.close();
});

Deno.test("the responder is told whose turn it is, and a subscriber that does not hear itself", async () => {
  await using server = await serve({ port: 0 });
  using watcher = await Watcher.connect(server);
  const [ada, bob, carl] = await connect(server, "Ada", "Bob", "Carl");
  await ada.respond("ask");
  await bob.respond("ask");
  await carl.open("ask", { echo: false });
  const number = await carl.openToPublish("other").then(() => carl.open("ask", { echo: false })).then((
    { number },
  ) => number);
  for (let id = 1; id <= 5; id++) {
    const { responders, findings } = await watcher.ask("$stats.why", { channel: "ask" });
    assertEquals(findings, [
      `Session ${carl.number} (Carl) does not receive what they publish on ask themselves: "echo" is false.`,
    ]);
    await carl.send(carl.request(id, number));
    await carl.barrier();
    const asked = responders[0].session === ada.number ? ada : bob;
    await asked.expect(Type.REQUEST);
  }
  for (const client of [ada, bob, carl]) client.close();
});

Deno.test("a session without room: who waits for it, since when, and what becomes of them when it is disconnected", async () => {
  await using server = await serve({ port: 0, limits: LIMITS });
  using watcher = await Watcher.connect(server);
  const [slow, quick, publisher] = await connect(server, "Slow", "Quick", "Publisher");
  await slow.open("feed");
  await quick.open("feed");
  const number = await publisher.openToPublish("feed");
  const over = flood(publisher, number);
  const reading = (async () => {
    while (await quick.nextOrEnd(60_000) !== undefined);
  })().catch(() => {});
  // It is held back for a moment by the quick one, too, until the slow one's buffers are full for good.
  const { waiting, slowest } = await watcher.until(
    "$stats.slow",
    {},
    ({ waiting }) => waiting.length === 1 && waiting[0].seconds > 0.3,
  );
  assertEquals([waiting[0].session, waiting[0].name, waiting[0].for], [publisher.number, "Publisher", [
    slow.number,
  ]]);
  assertEquals([slowest[0].session, slowest[0].isSlow, slowest[0].isHeldBack], [slow.number, true, false]);
  assert(slowest[0].pendingBytes > 0);
  const { sessions } = await watcher.ask("$stats.sessions", { search: "publisher" });
  assertEquals([sessions[0].isHeldBack, sessions[0].isSlow], [true, false]);
  const now = await watcher.now();
  assertEquals(now.heldBack.now, 1);
  assert(
    now.heldBack.times >= 1 && now.pendingBytes > slowest[0].pendingBytes &&
      now.pendingBytes < now.maxPendingBytes,
  );
  const { receivers, findings } = await watcher.ask("$stats.why", { channel: "feed" });
  assertEquals(receivers.map(({ name }) => name), ["Slow", "Quick"]);
  assertEquals(
    findings[0],
    `Session ${slow.number} (Slow) has no room: whoever publishes on feed waits until they have read, or are closed as slow_consumer.`,
  );
  assertMatch(
    findings[1],
    new RegExp(
      `^Session ${publisher.number} \\(Publisher\\) has waited \\d+\\.\\d s to publish on feed, for session ${slow.number}\\.$`,
    ),
  );
  await watcher.ask("$admin.disconnect", { session: slow.number });
  await watcher.until(
    "$stats.slow",
    {},
    ({ waiting }) => waiting.every((each) => !each.for.includes(slow.number)),
  );
  await watcher.until("$stats.now", {}, ({ sessions }) => sessions === 3);
  const later = await watcher.now();
  assert(later.heldBack.seconds >= 0.3 && later.heldBack.times >= now.heldBack.times);
  for (const client of [slow, quick, publisher]) client.close();
  await Promise.all([over, reading]);
});

Deno.test("a member of a group without room is passed over, and a full inbox holds its sender", async () => {
  await using server = await serve({ port: 0, limits: LIMITS });
  using watcher = await Watcher.connect(server);
  const [slow, quick, publisher] = await connect(server, "Slow", "Quick", "Publisher");
  await slow.open("jobs", { group: "g" });
  await quick.open("jobs", { group: "g" });
  const over = flood(publisher, (slow.number | 0x8000_0000) >>> 0);
  const { waiting } = await watcher.until(
    "$stats.slow",
    {},
    ({ waiting }) => waiting.some(({ seconds }) => seconds > 0.1),
  );
  assertEquals(waiting.map((each) => [each.name, each.for]), [["Publisher", [slow.number]]]);
  const why = await watcher.ask("$stats.why", { channel: "jobs" });
  assertEquals(why.receivers.map(({ name }) => name), ["Quick"]);
  assertMatch(why.passedOver[0].reason, /^it has no room: \d+ bytes wait for it, so group g passes it over$/);
  for (const client of [slow, quick, publisher]) client.close();
  await over;
});

Deno.test("a slow consumer that is closed is counted, and its refusal is remembered", async () => {
  await using server = await serve({ port: 0, limits: { ...LIMITS, slowConsumerTimeoutMs: 300 } });
  using watcher = await Watcher.connect(server);
  const [slow, publisher] = await connect(server, "Slow", "Publisher");
  await slow.open("feed");
  const over = flood(publisher, await publisher.openToPublish("feed"));
  const now = await watcher.until("$stats.now", {}, ({ slowConsumers }) => slowConsumers === 1);
  assertEquals(now.errors, { slow_consumer: 1 });
  const { refusals: [refusal] } = await watcher.ask("$stats.refusals");
  assertEquals([refusal.code, refusal.name, refusal.session], ["slow_consumer", "Slow", slow.number]);
  for (const client of [slow, publisher]) client.close();
  await over;
});

fileTest("consumers: whose turn it is, windows that are full, and one that is paused", async () => {
  await using server = await serveDurable();
  using watcher = await Watcher.connect(server);
  const [ada, bob, publisher] = await connect(server, "Ada", "Bob", "Publisher");
  const number = await publisher.openToPublish("d.x");
  const early = await watcher.ask("$stats.why", { channel: "d.y" });
  assertEquals([early.storage, early.isKnown], ["durable", false]);
  assertMatch(early.findings[0], /messages there are stored, and received by nobody now\.$/);
  await ada.open("d.x", { consumer: "billing", window: 1 });
  const store = async (id: number) => {
    await publisher.send(publisher.durable(id, number, `message ${id}`));
    await publisher.acked();
  };
  const first = await watcher.ask("$stats.why", { channel: "d.x" });
  assertEquals(first.storage, "durable");
  assertEquals(first.receivers.map(({ name, consumer, by }) => [name, consumer, by]), [[
    "Ada",
    "billing",
    "d.x",
  ]]);
  await store(1);
  await ada.stored(1);
  const full = await watcher.ask("$stats.why", { channel: "d.x" });
  assertEquals(full.receivers, []);
  assertEquals(full.passedOver.map(({ name, reason }) => [name, reason]), [
    ["Ada", "it has not acknowledged 1 messages of consumer billing, and its window is 1"],
  ]);
  await bob.open("d.x", { consumer: "billing", window: 9 });
  const both = await watcher.ask("$stats.why", { channel: "d.x" });
  assertEquals(both.receivers.map(({ name }) => name), ["Bob"]);
  await store(2);
  await bob.stored(1);
  await watcher.ask("$admin.consumer", { channel: "d.x", consumer: "billing", action: "pause" });
  await store(3);
  const paused = await watcher.ask("$stats.why", { channel: "d.x" });
  assertEquals(paused.receivers, []);
  assertEquals(
    paused.passedOver.map(({ reason }) => reason),
    Array(2).fill("an operator has paused consumer billing"),
  );
  assertEquals(paused.consumers, [
    { consumer: "billing", position: 0, lag: 3, members: 2, isPaused: true, setAside: 0 },
  ]);
  assertEquals(paused.findings, ["Consumer billing is paused by an operator; 3 messages wait for it."]);
  ada.close();
  bob.close();
  await watcher.ask("$admin.consumer", { channel: "d.x", consumer: "billing", action: "resume" });
  const left = await watcher.until(
    "$stats.why",
    { channel: "d.x" },
    ({ consumers }) => consumers[0].members === 0,
  );
  assertEquals(left.findings, [
    "No session is subscribed to d.x, by name or by a pattern: messages there are stored, and received by nobody now.",
    "No session responds on d.x: requests there are refused as no_responders.",
    "No session is consumer billing now; 3 messages wait for it.",
  ]);
  publisher.close();
});

Deno.test("a stored channel that is full: messages are refused, and why says so", async () => {
  await using server = await serve({
    port: 0,
    stored: [{ channels: "h.x", storage: "history", maxMessages: 2, full: "refuse" }],
  });
  using watcher = await Watcher.connect(server);
  using ada = await RawClient.greet(server, { name: "Ada" });
  const { number } = await ada.open("h.x");
  await ada.send(ada.message(number, "1"), ada.message(number, "2"));
  await ada.stored(2);
  const { findings, storage, receivers } = await watcher.ask("$stats.why", { channel: "h.x" });
  assertEquals([storage, receivers.length], ["history", 1]);
  assertEquals(findings, [
    "New messages on h.x are refused as not_stored: 2 messages are stored, the limit of this channel.",
  ]);
  await ada.send(ada.message(number, "3"));
  await ada.refused("not_stored");
});
