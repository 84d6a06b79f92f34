/** Presence: what watchers are told, at once or when they have room. */

import { assert, assertEquals } from "@std/assert";
import { Presence } from "../../lib/broker/presence.ts";
import { Type } from "../../lib/wire/header.ts";
import { seeded, seedFrom } from "../harness/seeded.ts";
import { type FakePeer, peers } from "./fake_peer.ts";
import { newBudget } from "./test_broker.ts";

const { JOINED, PARTED } = Type;

/** What a watcher was told: `+number` for JOINED, `-number` for PARTED. */
function told({ frames }: FakePeer): string[] {
  return frames.map(({ type, text }) => `${type === JOINED ? "+" : "-"}${JSON.parse(text).number}`);
}

Deno.test("watchers are told which sessions come and go, but not of themselves", () => {
  const presence = new Presence(5, newBudget());
  const [ada, grace, alan] = peers(3);
  for (const watcher of [ada, grace]) presence.add(watcher);
  presence.tell(JOINED, ada);
  presence.tell(JOINED, alan);
  presence.tell(PARTED, alan);
  assertEquals([told(ada), told(grace), told(alan)], [["+3", "-3"], ["+1", "+3", "-3"], []]);
  const { type, id, channel, text } = ada.frames[0];
  assertEquals([type, id, channel, JSON.parse(text)], [JOINED, 0, 5, { number: 3, name: "guest-3" }]);
});

Deno.test("a session that watches no longer is told nothing", () => {
  const presence = new Presence(5, newBudget());
  const [ada, grace] = peers(2);
  assert(presence.isEmpty);
  presence.add(ada);
  assert(!presence.isEmpty);
  presence.delete(ada);
  presence.tell(JOINED, grace);
  assertEquals([told(ada), presence.isEmpty], [[], true]);
});

Deno.test("a watcher without room is told later, and only what has changed by then", () => {
  const presence = new Presence(5, newBudget());
  const [watcher, ada, grace, alan] = peers(4);
  presence.add(watcher);
  presence.tell(JOINED, ada);
  watcher.room = 0;
  presence.tell(JOINED, grace); // came and went
  presence.tell(PARTED, grace);
  presence.tell(PARTED, ada); // went and came
  presence.tell(JOINED, ada);
  presence.tell(JOINED, alan); // came, went and came
  presence.tell(PARTED, alan);
  presence.tell(JOINED, alan);
  assertEquals([told(watcher), watcher.waiters.size], [["+2"], 1]);
  watcher.drain();
  assertEquals(told(watcher), ["+2", "+4"]);
  presence.tell(PARTED, alan);
  assertEquals(told(watcher), ["+2", "+4", "-4"], "at once again");
});

Deno.test("one watcher without room delays no other", () => {
  const presence = new Presence(5, newBudget());
  const [slow, quick, ada] = peers(3);
  for (const watcher of [slow, quick]) presence.add(watcher);
  slow.room = 0;
  presence.tell(JOINED, ada);
  assertEquals([told(slow), told(quick)], [[], ["+3"]]);
});

Deno.test("a watcher with little room is told bit by bit, in order, and later changes wait behind earlier ones", () => {
  const presence = new Presence(5, newBudget());
  const [watcher, ...others] = peers(9);
  presence.add(watcher);
  watcher.room = 0;
  for (const peer of others.slice(0, 6)) presence.tell(JOINED, peer);
  const frameBytes = 16 + JSON.stringify({ number: 2, name: "guest-2" }).length;
  watcher.drain(2 * frameBytes);
  assertEquals(told(watcher), ["+2", "+3"]);
  watcher.room = Infinity; // there is room, but the watcher has not caught up
  presence.tell(JOINED, others[6]);
  assertEquals(told(watcher), ["+2", "+3"]);
  watcher.drain();
  assertEquals(told(watcher), ["+2", "+3", "+4", "+5", "+6", "+7", "+8"]);
});

Deno.test("what waits is dropped if the session watches no longer, or begins anew with a new list", () => {
  const presence = new Presence(5, newBudget());
  const [ada, grace, alan] = peers(3);
  for (const watcher of [ada, grace]) {
    presence.add(watcher);
    watcher.room = 0;
  }
  presence.tell(JOINED, alan);
  presence.delete(ada);
  presence.add(grace); // has just been sent the members there are
  for (const watcher of [ada, grace]) watcher.drain();
  assertEquals([told(ada), told(grace)], [[], []]);
});

Deno.test("whatever happens, a watcher that has caught up knows the members, and no more waits than they are", () => {
  const random = seeded(seedFrom());
  const presence = new Presence(5, newBudget());
  const [watcher, ...others] = peers(6);
  const present = new Set<number>();
  const known = new Set<number>();
  const read = () => {
    const frames = watcher.frames.splice(0);
    assert(frames.length <= others.length, `${frames.length} frames for ${others.length} sessions`);
    for (const { type, text } of frames) {
      const { number } = JSON.parse(text);
      assertEquals(known.has(number), type === PARTED);
      if (type === JOINED) known.add(number);
      else known.delete(number);
    }
  };
  presence.add(watcher);
  for (let round = 0; round < 200; round++) {
    watcher.room = 0;
    for (let step = random.int(30); step > 0; step--) {
      const peer = random.pick(others);
      const isThere = present.has(peer.number);
      presence.tell(isThere ? PARTED : JOINED, peer);
      if (isThere) present.delete(peer.number);
      else present.add(peer.number);
    }
    for (watcher.drain(random.int(100)); watcher.waiters.size > 0;) watcher.drain(100);
    read();
    assertEquals([...known].sort(), [...present].sort());
  }
});
