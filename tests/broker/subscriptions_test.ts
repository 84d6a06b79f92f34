/** OPEN and LEAVE: what they answer, what overlaps, and what a session leaves behind. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { MAX_LISTED_MEMBERS } from "../../lib/limits.ts";
import { Type } from "../../lib/wire/header.ts";
import { nextTurn, TestBroker, turnOfLoop } from "./test_broker.ts";

const W = { group: "w" };
const RESPOND = { subscribe: false, respond: true };

Deno.test("OPENED says what the session does on the channel", () => {
  const { sessions: [ada], router } = new TestBroker({ sessions: 1 });
  ada.open("chat", { subscribe: false });
  ada.open("chat");
  ada.open("chat", RESPOND);
  ada.open("chat.*", { respond: true });
  const { number } = router.channels.find("chat")!;
  const opened = (subscribe: boolean, respond: boolean) => ({
    channel: "chat",
    number,
    publish: true,
    subscribe,
    respond,
  });
  assertEquals(ada.control(Type.OPENED), [
    opened(false, false),
    opened(true, false),
    opened(false, true),
    { channel: "chat.*", number: 0, publish: false, subscribe: true, respond: true },
  ]);
  assertEquals(ada.frames.map(({ id, channel }) => [id, channel]), [
    [1, number],
    [1, number],
    [1, number],
    [1, 0],
  ]);
});

Deno.test("a subscription in a group must not overlap another one of the session", () => {
  const pairs = [["jobs.a", "jobs.*"], ["jobs.*", "jobs.>"], ["*.a", "jobs.*"], ["jobs.>", "jobs.a.b"]];
  for (const pair of pairs) {
    for (const [first, second] of [pair, pair.toReversed()]) {
      for (const [one, other] of [[W, {}], [{}, W], [W, W], [W, { group: "v" }]]) {
        const { sessions: [ada, grace], router } = new TestBroker({ sessions: 2 });
        assertEquals(ada.open(first, one), undefined);
        assertEquals(ada.open(second, other), "overlap 1", `${first} ${second}`);
        assertStringIncludes(ada.lastRefusal, first);
        assertStringIncludes(ada.lastRefusal, second);
        assertEquals(router.channels.find(second), undefined, "not opened by half");
        assertEquals(grace.open(second, other), undefined, "another session may");
        ada.leave(first);
        assertEquals(ada.open(second, other), undefined, "after LEAVE it may");
      }
    }
  }
});

Deno.test("what does not overlap, or is in no group, may be open together", () => {
  const { sessions: [ada] } = new TestBroker({ sessions: 1 });
  for (const channel of ["jobs.a", "jobs.b", "jobs.*.x", "news.*"]) {
    assertEquals(ada.open(channel, W), undefined, channel);
  }
  for (const channel of ["chat.a", "chat.*", "chat.>"]) assertEquals(ada.open(channel), undefined, channel);
  assertEquals(ada.open("$echo", W), undefined);
  assertEquals(ada.open("*", W), undefined, "no wildcard covers $echo");
});

Deno.test("only responding, or only publishing, never overlaps", () => {
  const { sessions: [ada] } = new TestBroker({ sessions: 1 });
  assertEquals(ada.open("jobs.*", W), undefined);
  assertEquals(ada.open("jobs.a", RESPOND), undefined);
  assertEquals(ada.open("jobs.b", { subscribe: false }), undefined);
  assertEquals(ada.open("jobs.>", { ...RESPOND, ...W }), undefined);
  assertEquals(ada.open("jobs.a", { respond: true }), "overlap 1");
  ada.leave("jobs.*");
  assertEquals(ada.open("jobs.a", { respond: true, ...W }), undefined);
  assertEquals(ada.open("jobs.>", { subscribe: true }), "overlap 1");
});

Deno.test("without a group overlapping subscriptions deliver once, own messages if one of them wants these", () => {
  for (
    const [echoName, echoPattern, copies] of [[false, false, 0], [true, false, 1], [false, true, 1]] as const
  ) {
    const broker = new TestBroker({ sessions: 2 });
    const [ada, grace] = broker.sessions;
    ada.open("chat.a", { echo: echoName });
    ada.open("chat.*", { echo: echoPattern });
    ada.open("chat.>", { echo: false });
    broker.publish(grace, "chat.a", "hers");
    broker.publish(ada, "chat.a", "mine");
    assertEquals(ada.sent, ["hers", ...Array(copies).fill("mine")]);
  }
});

Deno.test("opening a name or pattern again replaces what it was", () => {
  for (const channel of ["jobs.a", "jobs.*"]) {
    const broker = new TestBroker({ sessions: 3 });
    const [ada, grace, alan] = broker.sessions;
    ada.open("jobs.a", { subscribe: false });
    grace.open(channel, W);
    alan.open("jobs.a", W);
    broker.publish(ada, "jobs.a", "m1", "m2");
    assertEquals([grace.sent.length, alan.sent.length], [1, 1]);
    assertEquals(grace.open(channel), undefined, "does not overlap itself");
    broker.publish(ada, "jobs.a", "m3", "m4");
    assertEquals([grace.sent.length, alan.sent.length], [3, 3], "no longer in the group");
    assertEquals(grace.open(channel, W), undefined);
    broker.publish(ada, "jobs.a", "m5", "m6");
    assertEquals([grace.sent.length, alan.sent.length], [4, 4], "in the group again");
    grace.open(channel, RESPOND);
    broker.publish(ada, "jobs.a", "m7", "m8");
    assertEquals([grace.sent.length, alan.sent.length], [4, 6], "responds only");
    assertEquals(broker.channel("jobs.a").opened, channel === "jobs.a" ? 3 : 2);
  }
});

Deno.test("leaving a subscription in a group, or opening it without one, lets others overlap it", () => {
  const { sessions: [ada] } = new TestBroker({ sessions: 1 });
  ada.open("jobs.a", W);
  assertEquals(ada.open("jobs.*"), "overlap 1");
  ada.open("jobs.a");
  assertEquals(ada.open("jobs.*"), undefined);
  assertEquals(ada.open("jobs.a", W), "overlap 1");
  assertEquals(ada.subscriptions.get(1)?.channel.subscription(ada)?.group, undefined, "stays as it was");
});

Deno.test("OPENED lists so many members at most, and counts all of them", () => {
  const all = MAX_LISTED_MEMBERS + 5;
  const { sessions } = new TestBroker({ sessions: all + 1 });
  for (const session of sessions.slice(0, all - 1)) session.open("crowd");
  sessions[all - 1].open("crowd", RESPOND);
  sessions[all].open("crowd", { presence: true });
  const [{ members, count }] = sessions[all].control(Type.OPENED);
  assertEquals(
    [(members as unknown[]).length, count],
    [MAX_LISTED_MEMBERS, all],
    "responders are no members",
  );
});

Deno.test("watchers learn of each session that begins or ceases to subscribe by name", () => {
  const { sessions: [watcher, ada] } = new TestBroker({ sessions: 2 });
  watcher.open("chat", { presence: true });
  assertEquals(watcher.control(Type.OPENED)[0].members, [{ number: 1, name: "guest-1" }]);
  const news = () => {
    const told = watcher.frames.filter(({ type }) => type === Type.JOINED || type === Type.PARTED);
    watcher.frames.length = 0;
    return told.map(({ type }) => type);
  };
  const steps: [() => unknown, number[]][] = [
    [() => ada.open("chat", { subscribe: false }), []],
    [() => ada.open("chat", RESPOND), []],
    [() => ada.open("chat"), [Type.JOINED]],
    [() => ada.open("chat", { group: "w" }), []],
    [() => ada.open("chat", RESPOND), [Type.PARTED]],
    [() => ada.leave("chat"), []],
    [() => ada.open("*"), []],
    [() => ada.open("chat"), [Type.JOINED]],
    [() => ada.end(), [Type.PARTED]],
  ];
  for (const [step, told] of steps) {
    step();
    assertEquals(news(), told, String(step));
  }
});

Deno.test("opening a name again without presence ends watching", () => {
  const { sessions: [watcher, ada] } = new TestBroker({ sessions: 2 });
  watcher.open("chat", { presence: true });
  watcher.open("chat");
  ada.open("chat");
  assertEquals(watcher.control(Type.JOINED), []);
});

Deno.test("an OPEN that makes no sense is refused", () => {
  const { sessions: [ada], router } = new TestBroker({ sessions: 1 });
  const refused = [
    ada.open("a..b"),
    ada.open("$sys"),
    ada.open("$echo", { respond: true }),
    ada.open("a.*", { subscribe: false }),
    ada.open("a.*", { presence: true }),
    ada.open("a", { presence: true, subscribe: false }),
    ada.open("a", { exclusive: true }),
    ada.open("a", { consumer: "c", subscribe: false }),
    ada.open("a", { consumer: "c", group: "w" }),
    ada.open("a.*", { consumer: "c" }),
    ada.open("a", { consumer: "c" }),
    ada.open("a", { producer: "p" }),
  ].map((refusal) => refusal?.split(" ")[0]);
  assertEquals(refused, [
    "bad_channel",
    "forbidden",
    "forbidden",
    "bad_channel",
    "bad_channel",
    ...Array(5).fill("bad_payload"),
    "not_durable",
    "not_durable",
  ]);
  assertEquals(router.channels.find("a"), undefined);
});

Deno.test("LEAVE ends a name or pattern, and LEFT confirms it", () => {
  const broker = new TestBroker({ sessions: 2 });
  const [ada, grace] = broker.sessions;
  grace.open("chat.a", { subscribe: false });
  for (const channel of ["chat.a", "chat.*"]) {
    ada.open(channel);
    broker.publish(grace, "chat.a", "text");
    ada.leave(channel);
    broker.publish(grace, "chat.a", "late");
    ada.leave(channel);
  }
  assertEquals(ada.control(Type.LEFT), [{ channel: "chat.a" }, { channel: "chat.*" }]);
  assertEquals([ada.sent, ada.refused], [["text", "text"], ["not_open 1", "not_open 1"]]);
});

Deno.test("a session that ends leaves nothing behind", () => {
  const { sessions: [watcher, ada], router } = new TestBroker({ sessions: 2 });
  watcher.open("chat.lobby", { presence: true });
  for (const channel of ["chat.lobby", "chat.more", "chat.*", ">"]) ada.open(channel, { respond: true });
  ada.frames.length = 0;
  ada.end();
  assertEquals(ada.frames, [], "nothing is sent to it");
  assertEquals([Type.JOINED, Type.PARTED].map((type) => watcher.control(type).length), [1, 1]);
  assertEquals(router.channels.find("chat.more"), undefined);
  const { all, groups, responders } = router.channels.find("chat.lobby")!.route;
  assertEquals([all.map(({ peer }) => peer.number), groups, responders.size], [[1], [], 0]);
});

Deno.test("a session that had much open leaves it bit by bit", async () => {
  const { sessions: [ada, grace], router, budget } = new TestBroker({ sessions: 2, perTurn: 10 });
  const names = Array.from({ length: 30 }, (_, i) => `jobs.${i}`);
  for (const name of names) ada.open(name);
  for (const name of names) ada.open(`${name}.*`, W);
  const left = () => names.filter((name) => router.channels.find(name) === undefined).length;
  await nextTurn(budget);
  ada.end();
  assert(left() > 0 && left() <= 10, `${left()} at once`);
  let turns = 1;
  for (; left() < names.length && turns < 100; turns++) await turnOfLoop();
  assert(turns > 2, `in ${turns} turns`);
  for (turns = 0; router.channels.patterns.covering("jobs.29.x").length > 0 && turns < 100; turns++) {
    await turnOfLoop();
  }
  assertEquals(router.channels.patterns.covering("jobs.29.x"), []);
  assertEquals([grace.frames, grace.refused], [[], []]);
});
