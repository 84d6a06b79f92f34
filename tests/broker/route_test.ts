/** Routes: which sessions a channel's messages and requests go to, and when a route is made anew. */

import { assert, assertEquals } from "@std/assert";
import { Channels } from "../../lib/broker/channels.ts";
import type { Subscription } from "../../lib/broker/peer.ts";
import { type Route, Routes } from "../../lib/broker/route.ts";
import { CHANNELS_PER_SWEEP } from "../../lib/limits.ts";
import { type FakePeer, peers, subscriptionOf, type Wants } from "./fake_peer.ts";
import { newBudget } from "./test_broker.ts";

/** The route that `subscriptions` give. */
function routeOf(...subscriptions: Subscription[]): Route {
  const routes = new Routes(newBudget());
  for (const subscription of subscriptions) routes.add(subscription);
  return routes.make(subscriptions);
}

/** A route as numbers of sessions. */
function numbers({ all, groups, responders }: Route) {
  return {
    all: all.map(({ peer }) => peer.number),
    groups: groups.map(({ members }) => members.map(({ peer }) => peer.number)),
    responders: responders.members.map(({ peer }) => peer.number),
  };
}

/** A channel of new channels, and ways to change its subscriptions. */
function makeChannel(name = "chat.lobby") {
  const channels = new Channels(newBudget());
  const channel = channels.open(name);
  return {
    channels,
    channel,
    subscribe: (peer: FakePeer, wants?: Wants) => channel.subscribe(subscriptionOf(peer, name, wants)),
    addPattern: (peer: FakePeer, pattern: string, wants?: Wants) => {
      const subscription = subscriptionOf(peer, pattern, wants);
      channels.addPattern(subscription);
      return subscription;
    },
  };
}

Deno.test("subscribing, responding and groups are separate parts of a route", () => {
  const [ada, grace, alan, mary] = peers(4);
  const route = routeOf(
    subscriptionOf(ada, "jobs.a"),
    subscriptionOf(grace, "jobs.a", { subscribe: false, respond: true }),
    subscriptionOf(alan, "jobs.a", { group: "w" }),
    subscriptionOf(mary, "jobs.*", { group: "w", respond: true }),
  );
  assertEquals(numbers(route), { all: [1], groups: [[3, 4]], responders: [2, 4] });
});

Deno.test("subscribing alone never makes a responder, in a group or not", () => {
  const [ada, grace] = peers(2);
  const route = routeOf(subscriptionOf(ada, "a"), subscriptionOf(grace, "*", { group: "w" }));
  assertEquals(numbers(route).responders, []);
});

Deno.test("a session that matches several times receives once, and its own messages if one of them wants them", () => {
  for (const echoes of [[false, false], [true, false], [false, true], [true, true]]) {
    const [ada] = peers(1);
    const { all } = routeOf(
      subscriptionOf(ada, "a.b", { echo: echoes[0] }),
      subscriptionOf(ada, "a.*", { echo: echoes[1] }),
    );
    assertEquals(all, [{ peer: ada, echo: echoes[0] || echoes[1] }], JSON.stringify(echoes));
  }
});

Deno.test("a session that responds several times has one turn", () => {
  const [ada, grace] = peers(2);
  const route = routeOf(
    ...["a.b", "a.*", ">"].map((channel) =>
      subscriptionOf(ada, channel, { subscribe: false, respond: true })
    ),
    subscriptionOf(grace, "a.>", { respond: true }),
  );
  assertEquals(numbers(route), { all: [2], groups: [], responders: [1, 2] });
});

Deno.test("a group is forgotten with its last subscription, a member's turn with its own last one", () => {
  const routes = new Routes(newBudget());
  const [ada, grace] = peers(2);
  const [byName, byPattern] = ["jobs.a", "jobs.*"].map((name) => subscriptionOf(ada, name, { group: "w" }));
  const other = subscriptionOf(grace, "jobs.*", { group: "w" });
  const turnOf = (subscription: Subscription) => routes.make([subscription]).groups[0].members[0].turn;
  for (const subscription of [byName, byPattern, other]) routes.add(subscription);
  const turn = turnOf(byName);
  assert(turnOf(byPattern) === turn);
  routes.remove(byName);
  assert(turnOf(byPattern) === turn, "the member still has a subscription");
  routes.remove(byPattern);
  routes.add(byPattern);
  assert(turnOf(byPattern) !== turn);
  for (const subscription of [byPattern, other]) routes.remove(subscription);
  routes.add(byName);
  turnOf(byName);
  assertEquals(routes.make([byName]).groups[0].next(grace, 20)?.peer, ada);
});

Deno.test("a channel's route follows its subscriptions and the patterns that cover it", () => {
  const { channels, channel, subscribe, addPattern } = makeChannel();
  const [ada, grace] = peers(2);
  subscribe(ada);
  const first = channel.route;
  assertEquals(numbers(first).all, [1]);
  assert(channel.route === first);
  const pattern = addPattern(grace, "chat.*");
  assertEquals(numbers(channel.route).all, [1, 2]);
  channel.unsubscribe(ada);
  assertEquals(numbers(channel.route).all, [2]);
  channels.removePattern(pattern);
  assertEquals(numbers(channel.route).all, []);
});

Deno.test("a route stays the same object while only patterns change that do not cover the channel", () => {
  const { channels, channel, subscribe, addPattern } = makeChannel();
  const [ada, grace] = peers(2);
  subscribe(ada);
  addPattern(grace, "chat.*");
  const { route } = channel;
  const others = ["news.*", "chat.*.>", "*.*.*", "news.>"].map((pattern) => addPattern(grace, pattern));
  assert(channel.route === route);
  for (const other of others) channels.removePattern(other);
  assert(channel.route === route);
  addPattern(ada, ">");
  assert(channel.route !== route);
});

Deno.test("a pattern that was removed and added again makes the route anew", () => {
  const { channels, channel, addPattern, subscribe } = makeChannel();
  const [ada, grace, alan] = peers(3);
  subscribe(alan);
  const before = addPattern(ada, "chat.*");
  const { route } = channel;
  channels.removePattern(before);
  addPattern(grace, "chat.*");
  assert(channel.route !== route);
  assertEquals(numbers(channel.route).all, [3, 2]);
});

Deno.test("channels that the same patterns cover share one route, unless a session subscribes by name", () => {
  const { channels, channel, addPattern } = makeChannel("jobs.0");
  const [ada, grace] = peers(2);
  addPattern(ada, "jobs.*");
  const others = [1, 2].map((number) => channels.open(`jobs.${number}`));
  assert(others.every(({ route }) => route === channel.route));
  others[0].subscribe(subscriptionOf(grace, "jobs.1"));
  assertEquals(numbers(others[0].route).all, [2, 1]);
  assert(others[1].route === channel.route);
  const elsewhere = channels.open("news");
  assert(elsewhere.route !== channel.route);
  addPattern(grace, "jobs.>");
  assertEquals(numbers(others[1].route).all.sort(), [1, 2]);
  assert(others[1].route === channel.route, "shared again, as it is now");
  others[0].unsubscribe(grace);
  assert(others[0].route === channel.route);
});

Deno.test("a sweep drops routes that may no longer hold, and no others", () => {
  const { channels, channel, subscribe, addPattern } = makeChannel();
  const [ada, grace] = peers(2);
  subscribe(ada);
  const byPattern = channels.open("jobs.1");
  addPattern(grace, "jobs.*");
  const kept = [channel.route, byPattern.route];
  channels.sweep();
  assertEquals([channel.route === kept[0], byPattern.route === kept[1]], [true, true]);
  addPattern(grace, "news.*");
  channels.sweep();
  assertEquals([channel.route === kept[0], byPattern.route === kept[1]], [false, false]);
  assertEquals([numbers(channel.route).all, numbers(byPattern.route).all], [[1], [2]]);
});

Deno.test("a sweep looks at so many channels, the next one goes on where it ended", () => {
  const { channels, addPattern } = makeChannel();
  const [ada, grace] = peers(2);
  const all = Array.from({ length: CHANNELS_PER_SWEEP + 10 }, (_, i) => channels.open(`jobs.${i}`));
  for (const channel of all) channel.subscribe(subscriptionOf(ada, channel.name));
  const routes = all.map(({ route }) => route);
  addPattern(grace, "news.*");
  channels.sweep();
  channels.sweep();
  assert(all.every(({ route }, i) => route !== routes[i]));
});
