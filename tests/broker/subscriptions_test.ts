import { assertEquals } from "@std/assert";
import { Channels } from "../../lib/broker/channels.ts";
import { ALL_PERMISSIONS } from "../../lib/broker/authenticator.ts";
import { Subscriptions } from "../../lib/broker/subscriptions.ts";
import { MAX_LISTED_MEMBERS } from "../../lib/limits.ts";
import { FakePeer } from "./fake_peer.ts";

/** The memberships of a new peer. */
function join(channels: Channels, number: number) {
  const peer = new FakePeer(number);
  const subscriptions = new Subscriptions(peer, channels, 10, ALL_PERMISSIONS);
  return {
    peer,
    subscriptions,
    open: (channel: string, presence = false) =>
      subscriptions.open(
        { channel, subscribe: true, respond: false, echo: true, presence, exclusive: false },
        1,
      ),
  };
}

Deno.test("OPENED lists so many members at most, and counts all of them", () => {
  const channels = new Channels();
  const all = MAX_LISTED_MEMBERS + 5;
  for (let number = 1; number < all; number++) join(channels, number).open("crowd");
  const { peer, open } = join(channels, all);
  open("crowd", true);
  const { members, count } = JSON.parse(peer.sent[0]);
  assertEquals([members.length, count], [MAX_LISTED_MEMBERS, all]);
});

Deno.test("who leaves everything leaves nothing behind", () => {
  const channels = new Channels();
  const watcher = join(channels, 1);
  watcher.open("chat.lobby", true);
  const { subscriptions, open, peer } = join(channels, 2);
  for (const channel of ["chat.lobby", "chat.more", "chat.*", ">"]) open(channel);
  peer.sent.length = 0;
  subscriptions.leaveAll();
  assertEquals(peer.sent, [], "without a word to it");
  assertEquals(
    watcher.peer.sent.slice(1).map((text) => JSON.parse(text).number),
    [2, 2],
    "JOINED and PARTED",
  );
  assertEquals(channels.find("chat.more"), undefined);
  const { all, groups } = channels.find("chat.lobby")!.route(channels.patterns);
  assertEquals([all.map(({ peer }) => peer.number), groups], [[1], []]);
});
