/** Channels: names, their numbers, and how long a server remembers them. */

import { assert, assertEquals } from "@std/assert";
import { Channels } from "../../lib/broker/channels.ts";
import { MAX_IDLE_CHANNELS } from "../../lib/limits.ts";
import { peers, subscriptionOf } from "./fake_peer.ts";
import { newBudget } from "./test_broker.ts";

/** Opens `name` and releases it again. Returns its number. */
function touch(channels: Channels, name: string): number {
  const channel = channels.open(name);
  channels.release(channel);
  return channel.number;
}

Deno.test("a channel is the same for all that open it, until the last has released it", () => {
  const channels = new Channels(newBudget());
  const channel = channels.open("chat");
  assert(channels.open("chat") === channel);
  channels.release(channel);
  assert(channels.find("chat") === channel);
  channels.release(channel);
  assertEquals(channels.find("chat"), undefined);
});

Deno.test("names get different numbers, and keep them while idle", () => {
  const channels = new Channels(newBudget());
  const a = channels.open("a");
  const b = channels.open("b");
  assert(a.number !== b.number && a.number > 0 && b.number > 0);
  channels.release(a);
  const c = channels.open("c");
  assertEquals(channels.open("a").number, a.number);
  assert(![a.number, b.number].includes(c.number));
});

Deno.test("so many idle names are remembered; the oldest gets a new number, and no name an old one", () => {
  const channels = new Channels(newBudget());
  const numbers = new Map<string, number>();
  for (let i = 0; i < MAX_IDLE_CHANNELS + 1; i++) numbers.set(`n${i}`, touch(channels, `n${i}`));
  // n0 was the one too many. A name that is touched is the newest again, so these push none of the others out.
  for (const name of [`n${MAX_IDLE_CHANNELS}`, "n1", "n2"]) {
    assertEquals(touch(channels, name), numbers.get(name));
  }
  const again = touch(channels, "n0");
  assertEquals(new Set([...numbers.values(), again]).size, MAX_IDLE_CHANNELS + 2);
});

Deno.test("a name that is opened and released again counts as the newest", () => {
  const channels = new Channels(newBudget());
  const first = touch(channels, "first");
  const second = touch(channels, "second");
  for (let i = 0; i < MAX_IDLE_CHANNELS - 2; i++) touch(channels, `n${i}`);
  touch(channels, "first");
  touch(channels, "one more");
  assertEquals(touch(channels, "first"), first);
  assert(touch(channels, "second") !== second);
});

Deno.test("the members of a channel are the sessions that subscribe to its name", () => {
  const channels = new Channels(newBudget());
  const channel = channels.open("chat.lobby");
  const [ada, grace, alan, mary] = peers(4);
  const members = (most = 10) => channel.members(most).map(({ number }) => number);
  channel.subscribe(subscriptionOf(ada, "chat.lobby"));
  channel.subscribe(subscriptionOf(grace, "chat.lobby", { subscribe: false, respond: true }));
  channel.subscribe(subscriptionOf(alan, "chat.lobby", { group: "w", respond: true }));
  channels.addPattern(subscriptionOf(mary, "chat.*"));
  assertEquals([members(), members(1), channel.memberCount], [[1, 3], [1], 2]);
  assertEquals(channel.members(1), [{ number: 1, name: "guest-1" }]);
  channel.subscribe(subscriptionOf(alan, "chat.lobby", { subscribe: false, respond: true }));
  channel.subscribe(subscriptionOf(grace, "chat.lobby"));
  assertEquals([members(), channel.memberCount], [[1, 2], 2]);
  channel.unsubscribe(ada);
  channel.unsubscribe(ada);
  assertEquals([members(), channel.memberCount], [[2], 1]);
});
