import { assertEquals } from "@std/assert";
import { serve, type Server } from "../../lib/mod.ts";
import { Type } from "../../lib/wire/header.ts";
import { type OpenOptions, RawClient, text, texts } from "../harness/raw_client.ts";

/** Sessions that can be disposed of together. */
class Crew implements Disposable {
  constructor(readonly members: RawClient[]) {}

  [Symbol.dispose](): void {
    for (const member of this.members) member.close();
  }

  /** What each of them has received, in order. */
  received(): Promise<string[][]> {
    return Promise.all(this.members.map(async (member) => texts(await member.barrier())));
  }
}

/** `groups.length` sessions, each subscribed to `channel` in the group named at its place. */
async function crew(server: Server, channel: string, groups: (string | undefined)[]): Promise<Crew> {
  const members: RawClient[] = [];
  for (const group of groups) {
    const member = await RawClient.greet(server);
    await member.open(channel, { group });
    members.push(member);
  }
  return new Crew(members);
}

/** A session that publishes on a channel. */
async function publisher(server: Server, channel: string) {
  const client = await RawClient.greet(server);
  const number = await client.openToPublish(channel);
  return {
    client,
    number,
    /** Publishes each of `payloads`, all in one write, and waits until they are dealt with. */
    async publish(...payloads: string[]): Promise<void> {
      await client.send(...payloads.map((payload) => client.message(number, payload)));
      assertEquals(await client.barrier(), []);
    },
    [Symbol.dispose]: () => client.close(),
  };
}

Deno.test("the messages of one run go to the members of a group in turn", async () => {
  await using server = await serve();
  using workers = await crew(server, "jobs", ["w", "w", "w"]);
  using boss = await publisher(server, "jobs");
  await boss.publish("0", "1", "2", "3", "4", "5", "6");
  assertEquals(await workers.received(), [["0", "3", "6"], ["1", "4"], ["2", "5"]]);
});

Deno.test("the turn goes on from run to run, and from publisher to publisher", async () => {
  await using server = await serve();
  using workers = await crew(server, "jobs", ["w", "w", "w"]);
  using boss = await publisher(server, "jobs");
  using deputy = await publisher(server, "jobs");
  await boss.publish("0");
  await boss.publish("1", "2");
  await deputy.publish("3");
  await boss.publish("4", "5");
  assertEquals(await workers.received(), [["0", "3"], ["1", "4"], ["2", "5"]]);
});

Deno.test("each group gets every message, and so does each session in none", async () => {
  await using server = await serve();
  using all = await crew(server, "jobs", ["a", "a", "b", "b", undefined]);
  using boss = await publisher(server, "jobs");
  await boss.publish("0", "1", "2", "3");
  assertEquals(await all.received(), [["0", "2"], ["1", "3"], ["0", "2"], ["1", "3"], ["0", "1", "2", "3"]]);
});

Deno.test("groups of the same name on different channels are different groups", async () => {
  await using server = await serve();
  using one = await crew(server, "one", ["w"]);
  using two = await crew(server, "two", ["w"]);
  using boss = await publisher(server, "one");
  await boss.publish("0", "1");
  assertEquals([await one.received(), await two.received()], [[["0", "1"]], [[]]]);
});

Deno.test("a group goes on with the members that are left", async () => {
  await using server = await serve();
  using workers = await crew(server, "jobs", ["w", "w", "w"]);
  using boss = await publisher(server, "jobs");
  const [first, second, third] = workers.members;
  await boss.publish("0", "1", "2");
  assertEquals(await workers.received(), [["0"], ["1"], ["2"]]);
  await second.leave("jobs");
  await third.openToPublish("jobs");
  await boss.publish("3", "4");
  assertEquals(texts(await first.barrier()), ["3", "4"]);
  await first.leave("jobs");
  await boss.publish("5");
  assertEquals(await workers.received(), [[], [], []]);
});

Deno.test("a member with echo false is passed over with its own messages", async () => {
  await using server = await serve();
  using ada = await RawClient.greet(server);
  using grace = await RawClient.greet(server);
  const { number } = await ada.open("jobs", { group: "w", echo: false });
  await grace.open("jobs", { group: "w" });
  await ada.send(...["0", "1", "2"].map((job) => ada.message(number, job)));
  assertEquals(await ada.barrier(), []);
  assertEquals(texts(await grace.barrier()), ["0", "1", "2"]);
  await grace.leave("jobs");
  await ada.send(ada.message(number, "no other member"));
  assertEquals(await ada.barrier(), []);
});

Deno.test("members of a group may come by name and by pattern", async () => {
  await using server = await serve();
  using named = await crew(server, "jobs.small", ["w"]);
  using covered = await crew(server, "jobs.*", ["w"]);
  using boss = await publisher(server, "jobs.small");
  await boss.publish("0", "1", "2", "3");
  const [announcement, ...messages] = await covered.members[0].barrier();
  assertEquals(announcement.channel, boss.number);
  assertEquals([await named.received(), texts(messages)], [[["0", "2"]], ["1", "3"]]);
});

Deno.test("a group's turns go on over short-lived channels", async () => {
  await using server = await serve();
  using workers = await crew(server, "jobs.*", ["w", "w", "w"]);
  using boss = await RawClient.greet(server);
  for (let job = 0; job < 9; job++) {
    const number = await boss.openToPublish(`jobs.${job}`);
    await boss.send(boss.message(number, `${job}`));
    await boss.leave(`jobs.${job}`);
  }
  const shares = [];
  for (const member of workers.members) {
    shares.push((await member.barrier()).filter(({ type }) => type === Type.MESSAGE).map(text));
  }
  assertEquals(shares, [["0", "3", "6"], ["1", "4", "7"], ["2", "5", "8"]]);
});

Deno.test("groups of one name are one group, whatever its members subscribe to", async () => {
  await using server = await serve();
  using first = await crew(server, "jobs.a", ["w"]);
  using both = await crew(server, "jobs.*", ["w"]);
  using boss = await RawClient.greet(server);
  const [a, b] = [await boss.openToPublish("jobs.a"), await boss.openToPublish("jobs.b")];
  // On jobs.b only one of them can have the turn. So on jobs.a it is the other's, each time.
  await boss.send(...[0, 1, 2].flatMap((i) => [boss.message(b, `b${i}`), boss.message(a, `a${i}`)]));
  assertEquals(await boss.barrier(), []);
  assertEquals(await first.received(), [["a0", "a1", "a2"]]);
  const received = (await both.members[0].barrier()).filter(({ type }) => type === Type.MESSAGE).map(text);
  assertEquals(received, ["b0", "b1", "b2"]);
});

// Overlaps

const OVERLAPS: [first: OpenOptions & { channel: string }, second: OpenOptions & { channel: string }][] = [
  [{ channel: "jobs.a", group: "w" }, { channel: "jobs.>", group: "w" }],
  [{ channel: "jobs.a", group: "w" }, { channel: "jobs.>" }],
  [{ channel: "jobs.*" }, { channel: "jobs.a", group: "w" }],
  [{ channel: "jobs.*", group: "w" }, { channel: ">" }],
  [{ channel: "jobs.*", group: "v" }, { channel: "*.a", group: "w" }],
];

for (const [first, second] of OVERLAPS) {
  const name = [first, second].map(({ channel, group }) =>
    group === undefined ? channel : `${channel} in ${group}`
  );
  Deno.test(`a subscription to ${name[0]} and then to ${name[1]} is refused as overlap`, async () => {
    await using server = await serve();
    using ada = await RawClient.greet(server);
    await ada.open(first.channel, first);
    await ada.send(ada.frame(Type.OPEN, { id: 7 }, { subscribe: true, ...second }));
    const { id, fatal } = await ada.refused("overlap");
    assertEquals([id, fatal], [7, false]);
    await ada.leave(first.channel);
    await ada.open(second.channel, second);
  });
}

Deno.test("subscriptions that only look alike do not overlap", async () => {
  await using server = await serve();
  using ada = await RawClient.greet(server);
  await ada.open("jobs.a", { group: "w" });
  await ada.open("jobs.a", { group: "v" }); // takes the place of the first
  await ada.open("jobs.b", { group: "v" });
  await ada.open("jobs.*.*", { group: "v" });
  await ada.open("jobs.>", { subscribe: false, respond: true }); // no messages
  await ada.open("logs.>");
});
