/** The router: which sessions receive a message, one by one or as a group, and when the sender must wait. */

import { assert, assertEquals } from "@std/assert";
import { Router } from "../../lib/broker/router.ts";
import { MAX_NUMBER } from "../../lib/limits.ts";
import { Type } from "../../lib/wire/header.ts";
import { concat } from "../harness/raw_client.ts";
import { FakePeer } from "./fake_peer.ts";
import { frame, newBudget, nextTurn, TestBroker } from "./test_broker.ts";

/** A message of 16 + 4 bytes. */
const MESSAGE_BYTES = 20;

/** Texts of four characters. */
function texts(count: number, letter = "m"): string[] {
  return Array.from({ length: count }, (_, i) => letter + String(i).padStart(3, "0"));
}

Deno.test("a run is sent as one slice, which may lie anywhere in the chunk", () => {
  for (const subscribers of [1, 2, 3]) {
    const { router, sessions } = new TestBroker({ sessions: 4 });
    for (const session of sessions.slice(0, subscribers)) session.open("chat");
    const channel = router.channels.find("chat")!;
    const run = concat(["one", "two"].map((text) => frame(Type.MESSAGE, channel.number, sessions[3], text)));
    const chunk = concat([new Uint8Array(7), run, new Uint8Array(9)]);
    const from = 7 + run.length;
    for (const session of sessions) session.slices = 0;
    assertEquals(router.publish(channel, sessions[3], chunk, 7, from, 2, () => {}), from);
    for (const { number, sent, slices } of sessions) {
      const isSubscribed = number <= subscribers;
      assertEquals([sent, slices], isSubscribed ? [["one", "two"], 1] : [[], 0]);
    }
  }
});

Deno.test("if one subscriber has no room, none receives, and the publisher must offer the run again", () => {
  const broker = new TestBroker({ sessions: 3 });
  const [ada, grace] = broker.sessions;
  for (const session of broker.sessions) session.open("chat");
  grace.room = MESSAGE_BYTES - 1;
  assertEquals(broker.publish(ada, "chat", "wait"), 0);
  assertEquals([broker.sent, broker.waitedFor, broker.calls], [[[], [], []], [2], 0]);
  grace.drain(MESSAGE_BYTES);
  assertEquals([broker.calls, broker.publish(ada, "chat", "wait")], [1, 1]);
  assertEquals(broker.sent, [["wait"], ["wait"], ["wait"]]);
});

Deno.test("all that have no room are waited for at once, so that their timeouts run side by side", () => {
  const broker = new TestBroker({ sessions: 6 });
  const [ada, ...others] = broker.sessions;
  for (const session of others.slice(0, 2)) session.open("chat");
  for (const session of others.slice(2, 4)) session.open("chat", { group: "w" });
  others[4].open("*");
  for (const session of others) session.room = 0;
  assertEquals(broker.publish(ada, "chat", "wait"), 0);
  assertEquals(broker.waitedFor, [2, 3, 4, 5, 6]);
});

Deno.test("a publisher without room that does not want its own messages does not wait for itself", () => {
  const broker = new TestBroker({ sessions: 2 });
  const [ada, grace] = broker.sessions;
  ada.open("chat", { echo: false });
  grace.open("chat");
  ada.room = 0;
  assertEquals(broker.publish(ada, "chat", "text"), 1);
  assertEquals(broker.sent, [[], ["text"]]);
});

Deno.test("turns belong to the group, however short-lived its channels are", () => {
  const broker = new TestBroker({ sessions: 4 });
  const [ada, ...members] = broker.sessions;
  for (const member of members) member.open("jobs.*", { group: "w" });
  for (const text of texts(9)) {
    ada.open(`jobs.${text}`, { subscribe: false });
    assertEquals(broker.publish(ada, `jobs.${text}`, text), 1);
    ada.leave(`jobs.${text}`);
  }
  assertEquals(members.map(({ sent }) => sent.length), [3, 3, 3]);
  assertEquals(members.flatMap(({ sent }) => sent).sort(), texts(9));
});

Deno.test("members by name and by different patterns share turns; groups of one name are one group", () => {
  const broker = new TestBroker({ sessions: 4 });
  const [ada, grace, alan, mary] = broker.sessions;
  ada.open("jobs.a", { subscribe: false });
  ada.open("jobs.b", { subscribe: false });
  grace.open("jobs.a", { group: "w" });
  grace.open("jobs.b", { group: "w" });
  alan.open("jobs.*", { group: "w" });
  mary.open("jobs.>", { group: "w" });
  for (const text of texts(9)) broker.publish(ada, Number(text[3]) % 2 === 0 ? "jobs.a" : "jobs.b", text);
  assertEquals([grace, alan, mary].map(({ sent }) => sent.length), [3, 3, 3]);
});

Deno.test("each group receives each message once, beside those that subscribe without a group", () => {
  const broker = new TestBroker({ sessions: 5 });
  const [ada, grace, ...others] = broker.sessions;
  grace.open("jobs.*");
  others[0].open("jobs.a", { group: "v" });
  for (const session of others.slice(1)) session.open("jobs.a", { group: "w" });
  assertEquals(broker.publish(ada, "jobs.a", "m000", "m001", "m002"), 3);
  assertEquals(broker.sent, [[], texts(3), texts(3), ["m000", "m002"], ["m001"]]);
});

Deno.test("a group of one receives the run as one slice", () => {
  const broker = new TestBroker({ sessions: 2, perTurn: 8 });
  const [ada, grace] = broker.sessions;
  grace.open("jobs.a", { group: "w" });
  grace.slices = 0;
  assertEquals(broker.publish(ada, "jobs.a", ...texts(100)), 100);
  assertEquals([grace.slices, grace.sent], [1, texts(100)]);
});

Deno.test("a group whose only member is the publisher, which does not want its own messages, receives none", () => {
  const broker = new TestBroker({ sessions: 2 });
  const [ada, grace] = broker.sessions;
  ada.open("jobs.a", { group: "w", echo: false });
  assertEquals(broker.publish(ada, "jobs.a", "mine"), 1);
  assertEquals(broker.publish(grace, "jobs.a", "hers"), 1);
  assertEquals(broker.sent, [["hers"], []]);
});

Deno.test("a group takes a run if one member has room for all of it, and passes over those that have none", () => {
  const broker = new TestBroker({ sessions: 3 });
  const [ada, grace, alan] = broker.sessions;
  for (const member of [grace, alan]) member.open("jobs", { group: "w" });
  grace.room = MESSAGE_BYTES;
  alan.room = 4 * MESSAGE_BYTES;
  assertEquals(broker.publish(ada, "jobs", ...texts(4)), 4);
  assertEquals([grace.sent, alan.sent], [["m000"], ["m001", "m002", "m003"]]);
  assertEquals(broker.publish(ada, "jobs", "m004"), 1);
  assertEquals(broker.publish(ada, "jobs", "m005"), 0);
  assertEquals(broker.waitedFor, [2, 3]);
  for (const member of [grace, alan]) member.drain();
  assertEquals(broker.publish(ada, "jobs", "m005"), 1);
  assertEquals(grace.sent, ["m000", "m005"], "its last turn is longer ago");
});

Deno.test("a run to a group is cut when the budget is spent; every message arrives once, in order per sender", async () => {
  const broker = new TestBroker({ sessions: 6, perTurn: 12 });
  const [ada, grace, ...others] = broker.sessions;
  const [watcher, ...members] = others;
  watcher.open("jobs.a");
  for (const member of members) member.open("jobs.*", { group: "w" });
  await nextTurn(broker.budget);
  const cuts = await Promise.all([
    broker.publishAll(ada, "jobs.a", ...texts(50, "a")),
    broker.publishAll(grace, "jobs.a", ...texts(50, "g")),
  ]);
  assert(cuts.every((count) => count > 3 && count < 50), `cut ${cuts} times`);
  assertEquals(members.flatMap(({ sent }) => sent).sort(), [...texts(50, "a"), ...texts(50, "g")]);
  for (const { sent } of [watcher, ...members]) {
    for (const letter of ["a", "g"]) {
      const ofSender = sent.filter((text) => text.startsWith(letter));
      assertEquals(ofSender, ofSender.toSorted());
    }
  }
  assertEquals(watcher.sent.toSorted(), [...texts(50, "a"), ...texts(50, "g")]);
  assert(members.every(({ sent }) => Math.abs(sent.length - 100 / 3) < 1));
});

Deno.test("a session that has ended but is not removed from all its channels receives nothing of a group", () => {
  const broker = new TestBroker({ sessions: 3 });
  const [ada, grace, alan] = broker.sessions;
  for (const member of [grace, alan]) member.open("jobs", { group: "w" });
  grace.isEnded = true;
  assertEquals(broker.publish(ada, "jobs", ...texts(2)), 2);
  assertEquals([grace.sent, alan.sent], [[], texts(2)]);
});

Deno.test("a direct message waits until its receiver has room, and is refused if there is no such session", () => {
  const broker = new TestBroker({ sessions: 2 });
  const [ada, grace] = broker.sessions;
  grace.room = 0;
  assertEquals([broker.direct(ada, 2, "psst"), broker.waitedFor], [false, [2]]);
  grace.drain();
  assertEquals([broker.direct(ada, 2, "psst"), grace.sent], [true, ["psst"]]);
  grace.end();
  assertEquals([broker.direct(ada, 2, "psst"), ada.refused], [true, ["no_such_session 0"]]);
});

Deno.test("session numbers begin anew after the highest, and pass over sessions that are still there", () => {
  const router = new Router({ requests: 1, requestMs: 1 }, () => 0, newBudget(), MAX_NUMBER - 1);
  const sessions = [1, 2, MAX_NUMBER].map((number) => new FakePeer(number));
  for (const session of sessions) router.join(session);
  assertEquals([router.nextNumber(), router.nextNumber()], [MAX_NUMBER - 1, 3]);
  router.leave(sessions[0]);
  assertEquals(router.nextNumber(), 4, "a number that has become free is not given out at once");
});

Deno.test("the first session is number 1 unless the server says otherwise", () => {
  const limits = { requests: 1, requestMs: 1 };
  assertEquals(new Router(limits, () => 0, newBudget()).nextNumber(), 1);
  assertEquals(new Router(limits, () => 0, newBudget(), 77).nextNumber(), 77);
});
