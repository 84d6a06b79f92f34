import { assertEquals } from "@std/assert";
import type { Pending } from "../../lib/broker/peer.ts";
import { debt, owe, strike, strikeAll, strikeLate } from "../../lib/broker/pending_requests.ts";
import { FakePeer } from "./fake_peer.ts";

/** Notes that `asked` owes `asker` an answer under `id`. */
function ask(requester: FakePeer, responder: FakePeer, id: number, deadline = 1000): Pending {
  const pending: Pending = { requester, responder, id, channel: 5, deadline };
  owe(pending);
  return pending;
}

/** How many debts `peer` has: its own requests, and those of others to it. */
function debts({ pendingRequests }: FakePeer): [number, number] {
  return [pendingRequests.asking.size, pendingRequests.owing.size];
}

Deno.test("a debt is between the two, under its id, until it is struck out", () => {
  const [ada, grace, alan] = [1, 2, 3].map((number) => new FakePeer(number));
  const pending = ask(ada, grace, 7);
  assertEquals(debt(ada, grace, 7), pending);
  assertEquals([debt(ada, grace, 8), debt(ada, alan, 7), debt(grace, ada, 7)], [
    undefined,
    undefined,
    undefined,
  ]);
  strike(pending);
  assertEquals(debt(ada, grace, 7), undefined);
  assertEquals([debts(ada), debts(grace)], [[0, 0], [0, 0]]);
});

Deno.test("the same id may be owed to different askers", () => {
  const [ada, grace, alan] = [1, 2, 3].map((number) => new FakePeer(number));
  const toAda = ask(ada, alan, 7);
  const toGrace = ask(grace, alan, 7);
  strike(toAda);
  assertEquals([debt(ada, alan, 7), debt(grace, alan, 7)], [undefined, toGrace]);
});

Deno.test("when a session ends, its own requests are forgotten, and those it owed an answer are named", () => {
  const [ada, grace, alan] = [1, 2, 3].map((number) => new FakePeer(number));
  ask(grace, ada, 1);
  const lostByAda = [ask(ada, grace, 2), ask(alan, grace, 3)];
  const lost: Pending[] = [];
  strikeAll(grace, (pending) => lost.push(pending));
  assertEquals(lost, lostByAda);
  assertEquals([ada, grace, alan].map(debts), [[0, 0], [0, 0], [0, 0]]);
});

Deno.test("those over their deadline are named and struck out, the others stay", () => {
  const [ada, grace] = [1, 2].map((number) => new FakePeer(number));
  for (const [id, deadline] of [[1, 100], [2, 200], [3, 300]]) ask(ada, grace, id, deadline);
  const late: number[] = [];
  const look = (now: number) => strikeLate(ada, now, ({ id }) => late.push(id));
  look(99);
  assertEquals(late, []);
  look(200);
  assertEquals([late, debts(ada), debts(grace)], [[1, 2], [1, 0], [0, 1]]);
  look(1000);
  assertEquals([late, debts(ada), debts(grace)], [[1, 2, 3], [0, 0], [0, 0]]);
});

Deno.test("an id used again waits for its own time", () => {
  const [ada, grace] = [1, 2].map((number) => new FakePeer(number));
  strike(ask(ada, grace, 1, 100));
  ask(ada, grace, 2, 200);
  ask(ada, grace, 1, 300);
  const late: number[] = [];
  strikeLate(ada, 250, ({ id }) => late.push(id));
  assertEquals(late, [2]);
});
