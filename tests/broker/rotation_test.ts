/** Turns: the member whose last turn is longest ago is next, whichever channel its turns were on. */

import { assert, assertEquals } from "@std/assert";
import { type Member, Rotation, type TurnCounter } from "../../lib/broker/rotation.ts";
import { seeded, seedFrom } from "../harness/seeded.ts";
import { FakePeer, peers } from "./fake_peer.ts";
import { newBudget } from "./test_broker.ts";

const PUBLISHER = new FakePeer(100);

function member(peer: FakePeer, echo = true): Member {
  return { peer, turn: { last: 0 }, echo };
}

function rotation(members: Member[], counter: TurnCounter = { count: 0 }): Rotation {
  return new Rotation("workers", counter, [...members], newBudget());
}

/** The numbers of the members that get the next `count` turns. */
function turns(rotation: Rotation, count: number, bytes = 20, from = PUBLISHER): (number | undefined)[] {
  return Array.from({ length: count }, () => rotation.next(from, bytes)?.peer.number);
}

Deno.test("members take turns", () => {
  assertEquals(turns(rotation(peers(3).map((peer) => member(peer))), 7), [1, 2, 3, 1, 2, 3, 1]);
});

Deno.test("a rotation without members gives no turns", () => {
  const empty = rotation([]);
  assertEquals([turns(empty, 1), empty.hasRoom(PUBLISHER, 1), empty.size], [[undefined], true, 0]);
});

Deno.test("a turn counts on every channel", () => {
  const counter = { count: 0 };
  const members = peers(3).map((peer) => member(peer));
  const [one, other] = [rotation(members, counter), rotation(members, counter)];
  assertEquals([...turns(one, 1), ...turns(other, 1), ...turns(one, 1), ...turns(other, 3)], [
    1,
    2,
    3,
    1,
    2,
    3,
  ]);
});

Deno.test("channels with different members share turns fairly", () => {
  const counter = { count: 0 };
  const [ada, grace, alan] = peers(3).map((peer) => member(peer));
  const both = rotation([ada, grace], counter);
  const all = rotation([ada, grace, alan], counter);
  assertEquals(turns(both, 2), [1, 2]);
  assertEquals(turns(all, 4), [3, 1, 2, 3], "the one without a turn comes first");
});

Deno.test("with all members on all channels, no member is ever two turns ahead", () => {
  const random = seeded(seedFrom());
  const counter = { count: 0 };
  const members = peers(5).map((peer) => member(peer));
  const rotations = Array.from({ length: 4 }, () => rotation(members, counter));
  const counts = new Map(members.map(({ peer }) => [peer.number, 0]));
  for (let i = 0; i < 500; i++) {
    const { number } = random.pick(rotations).next(PUBLISHER, 20)!.peer;
    counts.set(number, counts.get(number)! + 1);
    assert(Math.max(...counts.values()) - Math.min(...counts.values()) <= 1, JSON.stringify([...counts]));
  }
});

Deno.test("a member without room is passed over, and is next once it has room", () => {
  const all = peers(3);
  const group = rotation(all.map((peer) => member(peer)));
  all[0].room = 19;
  assertEquals(turns(group, 4), [2, 3, 2, 3]);
  all[0].room = Infinity;
  assertEquals(turns(group, 4), [1, 2, 3, 1]);
});

Deno.test("a member that accepts no more is passed over", () => {
  const members = peers(3).map((peer) => member(peer));
  const accepting = new Set([2]);
  const group = new Rotation(
    "workers",
    { count: 0 },
    members,
    newBudget(),
    ({ number }) => accepting.has(number),
  );
  assertEquals(turns(group, 2), [2, 2]);
  accepting.clear();
  assertEquals(turns(group, 1), [undefined]);
  accepting.add(3);
  assertEquals(turns(group, 1), [3]);
});

Deno.test("a member that ended, or does not want its own messages, is passed over", () => {
  const [ada, grace, alan] = peers(3);
  const group = rotation([member(ada, false), member(grace), member(alan)]);
  assertEquals(turns(group, 2, 20, ada), [2, 3]);
  grace.isEnded = true;
  assertEquals(turns(group, 2, 20, ada), [3, 3]);
  alan.isEnded = true;
  assertEquals([turns(group, 1, 20, ada), group.hasRoom(ada, 20)], [[undefined], true]);
  assertEquals(turns(group, 1, 20, PUBLISHER), [1]);
});

Deno.test("a single member has every turn that it can be given", () => {
  const [ada, grace] = peers(2);
  const alone = rotation([member(ada, false)]);
  assertEquals([turns(alone, 2, 20, grace), turns(alone, 1, 20, ada)], [[1, 1], [undefined]]);
  ada.isEnded = true;
  assertEquals(turns(alone, 1, 20, grace), [undefined]);
});

Deno.test("a group has room if one member that can be reached has", () => {
  const all = peers(3);
  const [ada, grace, alan] = all;
  const group = rotation([member(ada, false), member(grace), member(alan)]);
  for (const peer of [grace, alan]) peer.room = 10;
  assertEquals([group.hasRoom(PUBLISHER, 20), group.hasRoom(ada, 20)], [true, false]);
  group.whenRoom(ada, 20, () => {}, true);
  assertEquals(all.map(({ waiters }) => waiters.size), [0, 1, 1]);
  grace.drain();
  assertEquals([group.hasRoom(ada, 20), turns(group, 1, 20, ada)], [true, [2]]);
});
