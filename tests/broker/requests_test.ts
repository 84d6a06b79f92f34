/** Requests: which responder gets one, and what its requester learns if no reply comes. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { Peer } from "../../lib/broker/peer.ts";
import { addRequest } from "../../lib/broker/pending_requests.ts";
import { MAX_RECEIVED_REQUESTS, MAX_REQUESTS } from "../../lib/limits.ts";
import { FakePeer } from "./fake_peer.ts";
import { nextTurn, TestBroker, type TestSession, turnOfLoop } from "./test_broker.ts";

const RESPOND = { subscribe: false, respond: true };

/** Makes `responder` have `count` requests to answer, of a session that does not matter. */
function burden(responder: TestSession, count = MAX_RECEIVED_REQUESTS): void {
  const requester = new FakePeer(1000);
  for (let id = 1; id <= count; id++) {
    addRequest<Peer>({ requester, responder, id, channel: 1, deadline: Infinity });
  }
}

Deno.test("only sessions that respond are sent requests; subscribing alone does not make a responder", () => {
  const broker = new TestBroker({ sessions: 4 });
  const [ada, grace, alan, mary] = broker.sessions;
  grace.open("jobs.a");
  alan.open("jobs.*", { group: "w" });
  broker.request(ada, "jobs.a", 1);
  assertEquals([ada.refused, broker.sent.flat()], [["no_responders 1"], []]);
  mary.open("jobs.a", RESPOND);
  broker.request(ada, "jobs.a", 1);
  broker.publish(ada, "jobs.a", "text");
  assertEquals([mary.sent, grace.sent, alan.sent], [["what"], ["text"], ["text"]]);
});

Deno.test("responders by name and by pattern take turns together, on all channels", () => {
  const broker = new TestBroker({ sessions: 4 });
  const [ada, grace, alan, mary] = broker.sessions;
  for (const name of ["jobs.a", "jobs.b"]) ada.open(name, { subscribe: false });
  for (const name of ["jobs.a", "jobs.b"]) grace.open(name, RESPOND);
  alan.open("jobs.*", RESPOND);
  mary.open("jobs.*", RESPOND);
  mary.open("jobs.>", RESPOND);
  for (let id = 1; id <= 9; id++) broker.request(ada, id % 2 === 0 ? "jobs.a" : "jobs.b", id);
  assertEquals([grace, alan, mary].map(({ sent }) => sent.length), [3, 3, 3]);
});

Deno.test("a session may send itself a request", () => {
  const broker = new TestBroker({ sessions: 1 });
  const [ada] = broker.sessions;
  ada.open("jobs", { ...RESPOND, echo: false });
  assert(broker.request(ada, "jobs", 1));
  broker.reply(ada, ada.number, 1);
  assertEquals([ada.sent, ada.refused], [["what", "that"], []]);
  broker.request(ada, "jobs", 2);
  ada.end();
  assertEquals(ada.refused, [], "a session that ended is told nothing");
});

Deno.test("a responder without room is passed over; if none has room, the requester waits", () => {
  const broker = new TestBroker({ sessions: 3 });
  const [ada, grace, alan] = broker.sessions;
  for (const session of [grace, alan]) session.open("jobs", RESPOND);
  grace.room = 0;
  assertEquals([broker.request(ada, "jobs", 1), alan.pendingRequests.received], [true, 1]);
  alan.room = 0;
  assertEquals([broker.request(ada, "jobs", 2), broker.waitedFor, ada.refused], [false, [2, 3], []]);
  assertEquals(ada.pendingRequests.sent, 1);
  grace.drain();
  assertEquals([broker.request(ada, "jobs", 2), grace.sent], [true, ["what"]]);
});

Deno.test("a responder with as many requests as it may have is passed over; if all have, the request is refused", () => {
  const broker = new TestBroker({ sessions: 3 });
  const [ada, grace, alan] = broker.sessions;
  for (const session of [grace, alan]) session.open("jobs", RESPOND);
  burden(grace);
  for (const id of [1, 2]) assert(broker.request(ada, "jobs", id));
  assertEquals([grace.sent, alan.sent], [[], ["what", "what"]]);
  burden(alan, MAX_RECEIVED_REQUESTS - 2);
  assert(broker.request(ada, "jobs", 3));
  assertEquals([ada.refused, ada.pendingRequests.sent], [["limit 3"], 2]);
  assertStringIncludes(ada.lastRefusal, `${MAX_RECEIVED_REQUESTS}`);
  broker.reply(alan, ada.number, 1);
  assert(broker.request(ada, "jobs", 3));
  assertEquals(alan.sent.length, 3);
});

Deno.test("a requester waits for a responder without room rather than for one that accepts no more", () => {
  const broker = new TestBroker({ sessions: 3 });
  const [ada, grace, alan] = broker.sessions;
  for (const session of [grace, alan]) session.open("jobs", RESPOND);
  burden(grace);
  alan.room = 0;
  assertEquals([broker.request(ada, "jobs", 1), broker.waitedFor, ada.refused], [false, [3], []]);
});

Deno.test("an id that waits for its reply cannot be used again, and so many may wait", () => {
  const broker = new TestBroker({ sessions: 2, requests: 2 });
  const [ada, grace] = broker.sessions;
  grace.open("jobs", RESPOND);
  for (const id of [1, 1, 2, 3]) assert(broker.request(ada, "jobs", id));
  assertEquals(ada.refused, ["id_in_use 1", "limit 3"]);
  broker.reply(grace, ada.number, 1);
  assert(broker.request(ada, "jobs", 1));
  assertEquals([ada.refused.length, grace.sent.length], [2, 3]);
});

Deno.test("a reply goes to the session that sent the request, once, and only from the session that was sent it", () => {
  const broker = new TestBroker({ sessions: 3 });
  const [ada, grace, alan] = broker.sessions;
  grace.open("jobs", RESPOND);
  broker.request(ada, "jobs", 1);
  broker.reply(alan, ada.number, 1, "mine");
  broker.reply(grace, ada.number, 2, "none");
  broker.reply(grace, ada.number, 1, "that");
  broker.reply(grace, ada.number, 1, "more");
  assertEquals([ada.sent, alan.refused, grace.refused], [
    ["that"],
    ["forbidden 1"],
    ["forbidden 2", "forbidden 1"],
  ]);
  assertEquals([ada.pendingRequests.sent, grace.pendingRequests.received], [0, 0]);
});

Deno.test("a requester without room for its reply gets no_reply, and holds no responder up", () => {
  const broker = new TestBroker({ sessions: 2 });
  const [ada, grace] = broker.sessions;
  grace.open("jobs", RESPOND);
  broker.request(ada, "jobs", 1);
  ada.room = 0;
  broker.reply(grace, ada.number, 1);
  assertEquals([ada.sent, ada.refused, grace.refused, broker.waitedFor], [[], ["no_reply 1"], [], []]);
  assertEquals([ada.pendingRequests.sent, grace.pendingRequests.received], [0, 0]);
});

Deno.test("when a responder ends, its requesters are told bit by bit, each once", async () => {
  const broker = new TestBroker({ sessions: 4, perTurn: 10 });
  const [ada, grace, alan, mary] = broker.sessions;
  alan.open("jobs", RESPOND);
  for (let id = 1; id <= 20; id++) for (const session of [ada, grace]) broker.request(session, "jobs", id);
  await nextTurn(broker.budget);
  alan.end();
  const told = () => ada.refused.length + grace.refused.length;
  const first = told();
  assert(first > 0 && first <= 10, `${first} at once`);
  // What is not removed yet must not look like a responder.
  assert(broker.request(mary, "jobs", 1));
  assertEquals([mary.refused, alan.sent.length], [["no_responders 1"], 40]);
  let turns = 1;
  for (; told() < 40 && turns < 100; turns++) await turnOfLoop();
  assert(turns > 3, `in ${turns} turns`);
  const expected = Array.from({ length: 20 }, (_, i) => `responder_gone ${i + 1}`);
  assertEquals([ada.refused, grace.refused], [expected, expected]);
  assertEquals([ada.pendingRequests.sent, alan.pendingRequests.received], [0, 0]);
});

Deno.test("when a requester ends, its requests are forgotten, and their replies refused", async () => {
  const broker = new TestBroker({ sessions: 2, perTurn: 10 });
  const [ada, grace] = broker.sessions;
  grace.open("jobs", RESPOND);
  for (let id = 1; id <= 30; id++) broker.request(ada, "jobs", id);
  await nextTurn(broker.budget);
  ada.end();
  assert(grace.pendingRequests.received > 0, "not all at once");
  broker.reply(grace, ada.number, 30);
  assertEquals(grace.refused, ["no_such_session 30"]);
  for (let turns = 0; grace.pendingRequests.received > 0 && turns < 100; turns++) {
    await nextTurn(broker.budget);
  }
  assertEquals([grace.pendingRequests.received, ada.refused], [0, []]);
});

Deno.test("a sweep tells the sessions whose requests have waited too long, and no others", () => {
  const broker = new TestBroker({ sessions: 2, requestMs: 1000 });
  const [ada, grace] = broker.sessions;
  grace.open("jobs", RESPOND);
  broker.request(ada, "jobs", 1);
  broker.now = 500;
  broker.request(ada, "jobs", 2);
  broker.now = 999;
  broker.router.sweep();
  assertEquals(ada.refused, []);
  broker.now = 1000;
  broker.router.sweep();
  assertEquals(ada.refused, ["no_reply 1"]);
  broker.reply(grace, ada.number, 1, "late");
  broker.reply(grace, ada.number, 2, "good");
  assertEquals([ada.sent, grace.refused], [["good"], ["forbidden 1"]]);
});

Deno.test("requests expire bit by bit, each once, also if the next sweep comes meanwhile", async () => {
  const broker = new TestBroker({ sessions: 3, perTurn: 10, requestMs: 1000 });
  const [ada, grace, alan] = broker.sessions;
  alan.open("jobs", RESPOND);
  for (let id = 1; id <= 20; id++) for (const session of [ada, grace]) broker.request(session, "jobs", id);
  await nextTurn(broker.budget);
  broker.now = 1000;
  broker.router.sweep();
  const told = () => ada.refused.length + grace.refused.length;
  assert(told() > 0 && told() <= 10, `${told()} at once`);
  broker.router.sweep();
  let turns = 1;
  for (; told() < 40 && turns < 100; turns++) await turnOfLoop();
  assert(turns > 3, `in ${turns} turns`);
  const expected = Array.from({ length: 20 }, (_, i) => `no_reply ${i + 1}`);
  assertEquals([ada.refused, grace.refused], [expected, expected]);
  broker.request(ada, "jobs", 1);
  broker.now = 2000;
  broker.router.sweep();
  for (turns = 0; ada.refused.length < 21 && turns < 10; turns++) await nextTurn(broker.budget);
  assertEquals(ada.refused.length, 21, "the next sweep finds what is new");
});

Deno.test("the requests of all sessions together are limited, and each that ends makes room", () => {
  const broker = new TestBroker({ sessions: 66, requests: 65_535, perTurn: Infinity });
  const responders = broker.sessions.slice(0, 65);
  for (const session of responders) {
    session.open("jobs", RESPOND);
    session.send = () => {}; // a million requests need not be kept
  }
  const requesters = broker.sessions.slice(0, 17);
  let sent = 0;
  for (const session of requesters) {
    for (let id = 1; id <= 65_535 && sent < MAX_REQUESTS; id++, sent++) {
      broker.router.requests.request(broker.channel("jobs"), session, id, EMPTY, 0, EMPTY.length, () => {});
    }
  }
  const last = broker.sessions[65];
  broker.request(last, "jobs", 1);
  assertEquals(last.refused, ["limit 1"]);
  assertStringIncludes(last.lastRefusal, "of all sessions");
  const [responder] = responders.filter(({ pendingRequests }) => pendingRequests.received > 0);
  const [any] = responder.pendingRequests.all();
  broker.reply(any.responder as FakePeer, any.requester.number, any.id);
  broker.request(last, "jobs", 1);
  assertEquals(last.refused.length, 1);
});

const EMPTY = new Uint8Array(16);

Deno.test("65,535 requests that a session has given up end without a stall, and no faster than it reads", async () => {
  const broker = new TestBroker({ sessions: 5, requests: 65_535 });
  const [requester, ...responders] = broker.sessions;
  for (const responder of responders) responder.open("jobs", { respond: true });
  for (let id = 1; id <= 65_535; id++) assert(broker.request(requester, "jobs", id, ""));
  assertEquals(requester.refused, []);
  broker.now += 2000;
  requester.room = 0;
  broker.router.requests.sweep();
  await nextTurn(broker.budget);
  assertEquals(requester.refused, [], "it has no room for them");
  requester.room = Infinity;
  const start = performance.now();
  broker.router.requests.sweep();
  for (let i = 0; i < 100 && requester.refused.length < 65_535; i++) await nextTurn(broker.budget);
  assertEquals(requester.refused.length, 65_535);
  // More than a second if each of them began anew at the first one ever.
  const took = performance.now() - start;
  assert(took < 800, `it took ${took} ms`);
});

Deno.test("what a session asked ends with it, over as many turns as the books of both sides cost", async () => {
  const broker = new TestBroker({ sessions: 2, perTurn: 400 });
  const [responder, requester] = broker.sessions;
  responder.open("jobs", RESPOND);
  for (let id = 1; id <= 1000; id++) assert(broker.request(requester, "jobs", id, ""));
  await nextTurn(broker.budget);
  broker.router.leave(requester);
  let turns = 1;
  for (; responder.pendingRequests.received > 0 && turns < 100; turns++) await turnOfLoop();
  assertEquals([responder.pendingRequests.received, requester.pendingRequests.sent], [0, 0]);
  assert(turns >= 10, `in ${turns} turns`);
});
