import { assertEquals, assertRejects } from "@std/assert";
import { DirectAccess } from "../../../lib/broker/stored/direct_access.ts";
import { KeyedPublisher } from "../../../lib/broker/stored/keyed_publisher.ts";
import type { ChannelLog, Commit } from "../../../lib/broker/stored/log.ts";
import type { StoragePolicy } from "../../../lib/broker/stored/policy.ts";
import type { StoredChannel } from "../../../lib/broker/stored/stored_channel.ts";
import { StoredChannels } from "../../../lib/broker/stored/stored_channels.ts";
import { Router } from "../../../lib/broker/router.ts";
import { ParleyError } from "../../../lib/errors.ts";
import { DEFAULT_LIMITS } from "../../../lib/limits.ts";
import { openMemoryLog } from "../../../lib/store/memory_log.ts";
import { encodeFrame, Type } from "../../../lib/wire/header.ts";
import { RecordedLog } from "../../harness/recorded_log.ts";
import { newBudget } from "../test_broker.ts";

const POLICY: StoragePolicy = {
  pattern: "d.>",
  storage: "durable",
  maxAgeMs: Infinity,
  maxBytes: Infinity,
  maxMessages: 4,
  full: "refuse",
};

/** Stored channels on a log in memory whose commits can fail, and a publisher on one of them. */
function start() {
  const memory = openMemoryLog();
  const commits: Commit[] = [];
  const disk = { isFull: false };
  const log: ChannelLog = {
    state: memory.state,
    commit(commit) {
      commits.push(commit);
      return disk.isFull ? Promise.reject(new Error("the disk is full")) : memory.commit(commit);
    },
    read: (...args) => memory.read(...args),
    find: (...args) => memory.find(...args),
    findKey: (...args) => memory.findKey(...args),
    close: () => memory.close(),
  };
  const budget = newBudget();
  const now = () => performance.now();
  const channels = new StoredChannels({
    policies: [POLICY, { ...POLICY, pattern: "h.>", storage: "history" }],
    durable: { log, maxBytes: Infinity },
    history: { log: openMemoryLog(), maxBytes: Infinity },
    budget,
    now,
    time: Date.now,
    log: new RecordedLog().log,
  });
  const router = new Router(DEFAULT_LIMITS, now, budget, 1, channels);
  const publisher = new KeyedPublisher(channels);
  const channel = router.channels.open("d.a").stored!;
  const publish = (text: string, key?: string, to: StoredChannel = channel) => {
    const frame = encodeFrame(
      { type: Type.MESSAGE, channel: to.number, sender: 1 },
      new TextEncoder().encode(text),
    );
    return publisher.publish(to, frame, key, () => true);
  };
  const storedCount = async () => {
    const runs = await memory.read(channel.number, 1, Infinity);
    return runs.reduce((sum, { count }) => sum + count, 0);
  };
  return { publish, publisher, channel, channels, router, commits, disk, storedCount };
}

Deno.test("messages without a key are stored, each with its own sequence", async () => {
  const { publish, storedCount } = start();
  const places = await Promise.all([publish("a"), publish("b"), publish("c")]);
  assertEquals(places.map(({ sequence, isReplayed }) => [sequence, isReplayed]), [[1, false], [2, false], [
    3,
    false,
  ]]);
  assertEquals(await storedCount(), 3);
});

Deno.test("of all messages under one key, one is stored, however they come", async () => {
  const { publish, storedCount, commits } = start();
  const other = publish("other");
  const together = await Promise.all(Array.from({ length: 50 }, (_, i) => publish(`${i}`, "k")));
  assertEquals(new Set(together.map(({ sequence }) => sequence)), new Set([2]));
  assertEquals(together.map(({ isReplayed }) => isReplayed), [false, ...new Array(49).fill(true)]);
  assertEquals(await publish("later", "k"), { sequence: 2, isReplayed: true });
  assertEquals((await other).sequence, 1);
  assertEquals(await storedCount(), 2);
  assertEquals(commits.flatMap(({ keys }) => keys), [{ channel: 1, key: "k", sequence: 2 }]);
});

Deno.test("a key goes into the commit of its own message, which others may share", async () => {
  const { publish, channel, commits } = start();
  await publish("first");
  await Promise.all([publish("x"), publish("y", "k"), publish("z")]);
  const { runs, keys } = commits.find(({ keys }) => keys.length > 0)!;
  const { sequence } = await publish("again", "k");
  assertEquals(keys, [{ channel: channel.number, key: "k", sequence }]);
  const isInside = runs.some(({ first, count }) => sequence >= first && sequence < first + count);
  assertEquals(isInside, true);
});

Deno.test("if storing fails, every call under the key learns it, and the key is free", async () => {
  const { publish, disk, storedCount } = start();
  disk.isFull = true;
  const calls = [publish("a", "k"), publish("b", "k")];
  for (const call of calls) {
    const { code, message } = await assertRejects(() => call, ParleyError);
    assertEquals([code, message], ["not_stored", "d.a: the disk is full"]);
  }
  disk.isFull = false;
  assertEquals(await publish("c", "k"), { sequence: 1, isReplayed: false });
  assertEquals(await storedCount(), 1);
});

Deno.test("a channel at its limit refuses, but answers for a key that it has", async () => {
  const { publish } = start();
  await publish("0", "k");
  await Promise.all([publish("1"), publish("2"), publish("3")]);
  for (const key of [undefined, "new"]) {
    assertEquals((await assertRejects(() => publish("4", key), ParleyError)).code, "not_stored");
  }
  assertEquals(await publish("4", "k"), { sequence: 1, isReplayed: true });
});

Deno.test("keys of two channels are not the same", async () => {
  const { publish, router } = start();
  const other = router.channels.open("d.b").stored!;
  assertEquals((await publish("a", "k")).isReplayed, false);
  assertEquals((await publish("a", "k", other)).isReplayed, false);
});

Deno.test("a message that is not wanted any more is not stored", async () => {
  const { publisher, channel, storedCount } = start();
  const frame = encodeFrame({ type: Type.MESSAGE, channel: channel.number, sender: 1 });
  const error = await assertRejects(
    () => publisher.publish(channel, frame, undefined, () => false),
    ParleyError,
  );
  assertEquals([error.code, await storedCount()], ["closed", 0]);
});

Deno.test("nothing is done in the name of a session that is not there", async () => {
  const { router, channels } = start();
  const access = new DirectAccess(router, channels, DEFAULT_LIMITS);
  const message = { channel: "d.a", flags: 0, payload: new Uint8Array(), key: undefined };
  const { signal } = new AbortController();
  assertEquals((await assertRejects(() => access.publish(7, message, signal), ParleyError)).code, "closed");
  assertEquals((await assertRejects(() => access.read(7, "d.a", "all"), ParleyError)).code, "closed");
  assertEquals(["d.x", "h.x", "x"].map((name) => access.storage(name)), ["durable", "history", undefined]);
});
