/**
 * The model: known schedules, some new ones, and the proof that the same seed gives the same schedule.
 */

import { assert, assertEquals } from "@std/assert";
import { Outbox } from "../../../lib/net/outbox.ts";
import { Type } from "../../../lib/wire/header.ts";
import { seeded, seedFrom } from "../../harness/seeded.ts";
import { explore, formatExploration } from "./explore.ts";
import { Model } from "./model.ts";
import { runSchedule } from "./schedule.ts";
import { KNOWN_SEEDS, OPEN_KINDS } from "./seeds.ts";

for (const { seed, finds, isFixed } of KNOWN_SEEDS) {
  Deno.test(`model: ${isFixed ? "fixed" : "known"}, schedule ${seed}: ${finds}`, async () => {
    const { findings } = await runSchedule(seed);
    // A known seed may find what is known. Once it is fixed it must find nothing.
    const unexpected = findings.filter(({ kind }) => isFixed || !OPEN_KINDS.has(kind));
    assertEquals(unexpected, []);
  });
}

Deno.test("model: twelve new schedules find only kinds that are known", async () => {
  const exploration = await explore({ seed: seedFrom(), seconds: 120, count: 12 });
  assertEquals(exploration.schedules, 12, formatExploration(exploration));
  const isNew = [...exploration.findings.keys()].some((kind) => !OPEN_KINDS.has(kind));
  assert(!isNew, formatExploration(exploration));
});

Deno.test("model: the same seed gives the same schedule with the same result", async () => {
  const seed = seedFrom();
  assertEquals(await runSchedule(seed), await runSchedule(seed));
});

Deno.test("model: a client that does not read is closed as a slow consumer, and nothing of it is left", async () => {
  using model = new Model(seeded(1));
  const [publisher, subscriber] = [model.connect("always", 4096)!, model.connect("never", 4096)!];
  publisher.hello("publisher");
  subscriber.hello("subscriber");
  await model.advance(10);
  subscriber.socket.isRead = true;
  await model.advance(10);
  subscriber.open({ channel: "x", subscribe: true });
  publisher.open({ channel: "x" });
  await model.advance(10);
  subscriber.socket.isRead = false;
  for (let i = 0; i < 100; i++) publisher.publish(publisher.opened.get("x")!, 1000);
  await model.advance(100);
  assert(publisher.socket.unreadBytes > 0, "the publisher is not paused");
  await model.advance(1000);
  assertEquals(publisher.socket.unreadBytes, 0);
  assertEquals(await model.finish(), []);
  assertEquals(subscriber.fatalCode, "slow_consumer");
});

Deno.test("model: a session that the server never reads again is reported", async () => {
  using model = new Model(seeded(1));
  const client = model.connect("always", 4096)!;
  client.hello("paused");
  await model.advance(10);
  // As a lost waiter does it: the connection never reads again.
  client.socket.read = () => new Promise(() => {});
  client.ping();
  await model.advance(10);
  client.ping();
  const kinds = (await model.finish()).map(({ kind }) => kind);
  assert(kinds.includes("lost waiter"), kinds.join());
});

/** Drops what `isDropped` says of what is sent to any session, by the type of its first frame, while `action` runs. */
async function dropping(isDropped: (type: number) => boolean, action: () => Promise<void>): Promise<void> {
  const { send } = Outbox.prototype;
  Outbox.prototype.send = function (this: Outbox, bytes, from, to, isRequest) {
    if (!isDropped(bytes[from])) send.call(this, bytes, from, to, isRequest);
  };
  try {
    await action();
  } finally {
    Outbox.prototype.send = send;
  }
}

for (const group of [undefined, "workers"]) {
  Deno.test(`model: a message that the server loses is reported${group ? ", in a group, too" : ""}`, async () => {
    using model = new Model(seeded(1));
    const [publisher, subscriber] = [model.connect("always", 4096)!, model.connect("always", 4096)!];
    for (const client of [publisher, subscriber]) client.hello("client");
    await model.advance(10);
    subscriber.open({ channel: "x.y", subscribe: true, group });
    publisher.open({ channel: "x.y" });
    await model.advance(10);
    const publish = async () => {
      publisher.publish(publisher.opened.get("x.y")!, 100);
      await model.advance(10);
    };
    await publish();
    assertEquals(model.expectations.findings, []);
    await dropping((type) => type === Type.MESSAGE, publish);
    assertEquals((await model.finish()).map(({ kind }) => kind), ["lost message"]);
  });
}

Deno.test("model: a session that is told nothing of another's end is reported", async () => {
  using model = new Model(seeded(1));
  const [watcher, member] = [model.connect("always", 4096)!, model.connect("always", 4096)!];
  for (const client of [watcher, member]) client.hello("client");
  await model.advance(10);
  for (const client of [watcher, member]) client.open({ channel: "x", subscribe: true, presence: true });
  await model.advance(10);
  await dropping((type) => type === Type.PARTED, async () => {
    member.leave("x");
    await model.advance(10);
  });
  assertEquals((await model.finish()).map(({ kind }) => kind), ["presence"]);
});
