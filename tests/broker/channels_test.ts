import { assert, assertEquals } from "@std/assert";
import { type Channel, Channels } from "../../lib/broker/channels.ts";
import type { Peer } from "../../lib/broker/peer.ts";
import { MAX_IDLE_CHANNELS } from "../../lib/limits.ts";
import { FakePeer } from "./fake_peer.ts";

/** Subscribes `peer` to `channel` by name. */
function subscribe(channel: Channel, peer: Peer, group?: string): void {
  channel.subscribe({ peer, group, echo: true });
}

Deno.test("a channel is the same for all who open it, until the last has released it", () => {
  const channels = new Channels();
  const channel = channels.open("chat");
  assert(channels.open("chat") === channel);
  channels.release(channel);
  assert(channels.find("chat") === channel);
  channels.release(channel);
  assertEquals(channels.find("chat"), undefined);
});

Deno.test("names get different numbers, and keep them while idle", () => {
  const channels = new Channels();
  const a = channels.open("a");
  const b = channels.open("b");
  assert(a.number !== b.number && a.number > 0 && b.number > 0);
  channels.release(a);
  const c = channels.open("c");
  assertEquals(channels.open("a").number, a.number);
  assert(![a.number, b.number].includes(c.number));
});

Deno.test("only so many idle names are remembered; the oldest gets a new number, an old one nobody gets", () => {
  const channels = new Channels();
  const numbers = new Map<string, number>();
  const touch = (name: string) => {
    const channel = channels.open(name);
    channels.release(channel);
    return channel.number;
  };
  for (let i = 0; i < MAX_IDLE_CHANNELS + 1; i++) numbers.set(`n${i}`, touch(`n${i}`));
  // n0 was the one too many. Those it and its likes push out now are the oldest that are left.
  for (const name of [`n${MAX_IDLE_CHANNELS}`, "n1", "n2"]) assertEquals(touch(name), numbers.get(name));
  const again = touch("n0");
  assertEquals(new Set([...numbers.values(), again]).size, MAX_IDLE_CHANNELS + 2);
});

Deno.test("a name that is opened and released again counts as the newest", () => {
  const channels = new Channels();
  const touch = (name: string) => {
    const channel = channels.open(name);
    channels.release(channel);
    return channel.number;
  };
  const first = touch("first");
  const second = touch("second");
  for (let i = 0; i < MAX_IDLE_CHANNELS - 2; i++) touch(`n${i}`);
  touch("first");
  touch("one more");
  assertEquals(touch("first"), first);
  assert(touch("second") !== second);
});

Deno.test("a route is made once, and anew when a subscription or a pattern has changed", () => {
  const channels = new Channels();
  const { patterns } = channels;
  const channel = channels.open("chat.lobby");
  const [ada, grace] = [new FakePeer(1), new FakePeer(2)];
  subscribe(channel, ada);
  const first = channel.route(patterns);
  assertEquals(first.all.map(({ peer }) => peer.number), [1]);
  assert(channel.route(patterns) === first);

  const subscription = { peer: grace, group: undefined, echo: true };
  patterns.add("chat.*", subscription);
  assertEquals(channel.route(patterns).all.map(({ peer }) => peer.number), [1, 2]);
  channel.unsubscribe(ada);
  assertEquals(channel.route(patterns).all.map(({ peer }) => peer.number), [2]);
  patterns.remove("chat.*", subscription);
  assertEquals(channel.route(patterns).all, []);
});

Deno.test("a route tells those the channel's number whom only a pattern brought", () => {
  const channels = new Channels();
  const channel = channels.open("chat.lobby");
  const [ada, grace] = [new FakePeer(1), new FakePeer(2)];
  subscribe(channel, ada);
  channels.patterns.add("chat.*", { peer: grace, group: undefined, echo: true });
  channel.route(channels.patterns);
  assertEquals([ada.announced, grace.announced], [[], ["chat.lobby"]]);
  channels.release(channel);
  assertEquals([ada.forgotten, grace.forgotten], [[], [channel.number]]);
});

Deno.test("a route keeps the turn of its groups when others come and go", () => {
  const channels = new Channels();
  const channel = channels.open("jobs");
  for (const number of [1, 2, 3]) subscribe(channel, new FakePeer(number), "w");
  channel.route(channels.patterns).groups[0].turn = 2;
  subscribe(channel, new FakePeer(4), "v");
  const turns = channel.route(channels.patterns).groups.map(({ name, turn }) => [name, turn]);
  assertEquals(turns, [["w", 2], ["v", 0]]);
});

Deno.test("everybody subscribed can be asked, each once", () => {
  const channels = new Channels();
  const channel = channels.open("jobs.a");
  const peers = [1, 2, 3].map((number) => new FakePeer(number));
  subscribe(channel, peers[0]);
  subscribe(channel, peers[1], "w");
  for (const peer of peers) channels.patterns.add("jobs.*", { peer, group: "w", echo: false });
  const responders = channel.route(channels.patterns).responders.map(({ number }) => number);
  assertEquals(responders.sort(), [1, 2, 3]);
});
