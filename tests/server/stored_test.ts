import { assert, assertEquals } from "@std/assert";
import type { StoredChannelOptions } from "../../lib/server/api.ts";
import { serve } from "../../lib/server/serve.ts";
import { Type } from "../../lib/wire/header.ts";
import { RawClient } from "../harness/raw_client.ts";

function policy(channels: string, options: Partial<StoredChannelOptions> = {}): StoredChannelOptions {
  return { channels, storage: "history", maxMessages: 1_000_000, ...options };
}

/** Starts a server that keeps a history of `h.>` (the last three of `h.few`), in memory. */
function start() {
  return serve({
    port: 0,
    stored: [
      policy("h.few", { maxMessages: 3 }),
      policy("h.full", { maxMessages: 2, full: "refuse" }),
      policy("h.>"),
    ],
  });
}

Deno.test("what is stored is sent first, then what is new, without a seam", async () => {
  await using server = await start();
  using ada = await RawClient.greet(server);
  const channel = await ada.openToPublish("h.a");
  await ada.send(...["one", "two", "three"].map((text) => ada.message(channel, text)));
  await ada.barrier();
  using grace = await RawClient.greet(server);
  const { epoch, first, last, history } = await grace.open("h.a", { from: "all" });
  assertEquals([first, last, history], [1, 3, true]);
  assert(epoch !== undefined);
  assertEquals(await grace.stored(3), ["at 1", "1 one", "2 two", "3 three"]);
  await ada.send(ada.message(channel, "four"));
  assertEquals(await grace.stored(1), ["4 four"]);
});

Deno.test("a subscriber begins where it asks to", async () => {
  await using server = await start();
  using ada = await RawClient.greet(server);
  const channel = await ada.openToPublish("h.b");
  await ada.send(...["one", "two", "three"].map((text) => ada.message(channel, text)));
  await ada.barrier();
  using grace = await RawClient.greet(server);
  const { epoch } = await grace.open("h.b", { from: "last" });
  assertEquals(await grace.stored(1), ["at 3", "3 three"]);
  await grace.open("h.b", { from: { sequence: 2, epoch } });
  assertEquals(await grace.stored(2), ["at 2", "2 two", "3 three"]);
  await grace.open("h.b", { from: { time: "2020-01-01T00:00:00Z" } });
  assertEquals(await grace.stored(3), ["at 1", "1 one", "2 two", "3 three"]);
  await grace.open("h.b", { from: { time: "2120-01-01T00:00:00Z" } });
  await grace.open("h.b"); // stays where it is
  await grace.open("h.never", { from: { time: "2020-01-01T00:00:00Z" } }); // nothing to look for
  await ada.send(ada.message(channel, "four"));
  assertEquals(await grace.stored(1), ["4 four"]);
});

Deno.test("a sequence of another epoch, or beyond the last, is refused", async () => {
  await using server = await start();
  using ada = await RawClient.greet(server);
  const { epoch } = await ada.open("h.c", { from: "new" });
  const open = (from: unknown) =>
    ada.send(ada.frame(Type.OPEN, { id: 9 }, { channel: "h.c", subscribe: true, from }));
  await open({ sequence: 1, epoch: "other" });
  await ada.refused("epoch_changed");
  await open({ sequence: 2, epoch });
  await ada.refused("epoch_changed");
  await open({ sequence: 1, epoch });
  await ada.expect(Type.OPENED);
});

Deno.test("messages beyond the limit of a channel go, and POSITION shows the jump", async () => {
  await using server = await start();
  using ada = await RawClient.greet(server);
  const channel = await ada.openToPublish("h.few");
  for (const text of ["1", "2", "3", "4", "5"]) {
    await ada.send(ada.message(channel, text));
    await ada.barrier();
  }
  using grace = await RawClient.greet(server);
  assertEquals((await grace.open("h.few", { from: { sequence: 1 } })).first, 3);
  assertEquals(await grace.stored(3), ["at 3", "3 3", "4 4", "5 5"]);
});

Deno.test("a channel that is told to refuse does so at its limit, until it is opened to try again", async () => {
  await using server = await start();
  using ada = await RawClient.greet(server);
  const channel = await ada.openToPublish("h.full");
  for (const text of ["1", "2"]) await ada.send(ada.message(channel, text));
  await ada.barrier();
  await ada.send(ada.message(channel, "3"), ada.message(channel, "4"));
  assertEquals((await ada.refused("not_stored")).channel, channel);
  assertEquals(await ada.barrier(), []);
});

Deno.test("a pattern receives what is stored from now on, and the last message of each if it asks for it", async () => {
  await using server = await start();
  using ada = await RawClient.greet(server);
  const a = await ada.openToPublish("h.a");
  const b = await ada.openToPublish("h.b");
  await ada.send(ada.message(a, "a1"), ada.message(a, "a2"), ada.message(b, "b1"));
  await ada.barrier();
  using grace = await RawClient.greet(server);
  assertEquals((await grace.open("h.*", { from: "last" })).count, 2);
  const seen: string[] = [];
  for (let i = 0; i < 6; i++) {
    const frame = await grace.next();
    seen.push(`${frame.type} ${frame.channel}`);
  }
  assertEquals(
    seen.sort(),
    [Type.OPENED, Type.POSITION, Type.MESSAGE].flatMap((type) => [`${type} ${a}`, `${type} ${b}`]).sort(),
  );
  using hedy = await RawClient.greet(server);
  await hedy.open("h.>");
  await ada.send(ada.message(a, "a3"));
  assertEquals((await hedy.expect(Type.OPENED)).channel, a);
  assertEquals(await hedy.stored(1), ["at 3", "3 a3"]);
  assertEquals(await grace.stored(1), ["0 a3"]); // its count began outside of `stored`
});

Deno.test("a slow subscriber holds no publisher, and reads everything from the store", async () => {
  await using server = await serve({
    port: 0,
    stored: [policy("h.>")],
    limits: { pendingBytes: 1_048_592, slowConsumerTimeoutMs: 1000 },
  });
  using slow = await RawClient.greet(server);
  await slow.open("h.slow");
  using fast = await RawClient.greet(server);
  await fast.open("h.slow");
  using ada = await RawClient.greet(server);
  const channel = await ada.openToPublish("h.slow");
  const payload = new Uint8Array(10_000);
  for (let i = 0; i < 1000; i++) await ada.send(ada.message(channel, payload));
  await ada.barrier();
  for (const client of [fast, slow]) {
    let count = 0;
    while (count < 1000) if ((await client.next()).type === Type.MESSAGE) count++;
  }
});

Deno.test("a group shares one place, and each message goes to one member", async () => {
  await using server = await start();
  using one = await RawClient.greet(server);
  using two = await RawClient.greet(server);
  await one.open("h.work", { group: "w" });
  await two.open("h.work", { group: "w" });
  using ada = await RawClient.greet(server);
  const channel = await ada.openToPublish("h.work");
  await ada.send(...["1", "2", "3", "4"].map((text) => ada.message(channel, text)));
  assertEquals(await one.stored(2), ["at 1", "1 1", "at 3", "3 3"]);
  assertEquals(await two.stored(2), ["at 2", "2 2", "at 4", "4 4"]);
});

Deno.test("without echo a session does not receive its own messages, which are no losses", async () => {
  await using server = await start();
  using ada = await RawClient.greet(server);
  using grace = await RawClient.greet(server);
  const { number } = await ada.open("h.echo", { echo: false });
  const channel = await grace.openToPublish("h.echo");
  await ada.send(ada.message(number, "mine"));
  await ada.barrier();
  await grace.send(grace.message(channel, "hers"));
  assertEquals(await ada.stored(1), ["at 2", "2 hers"]);
});

Deno.test("history begins anew with another epoch when the server starts again", async () => {
  const epochs: (string | undefined)[] = [];
  for (let i = 0; i < 2; i++) {
    await using server = await start();
    using ada = await RawClient.greet(server);
    epochs.push((await ada.open("h.a")).epoch);
  }
  assert(epochs[0] !== epochs[1]);
});

Deno.test("history has no receipts, producers or consumers", async () => {
  await using server = await start();
  using ada = await RawClient.greet(server);
  const channel = await ada.openToPublish("h.a");
  await ada.send(ada.durable(5, channel, "hello"));
  assertEquals((await ada.refused("not_durable")).id, 5);
  for (const options of [{ producer: "p" }, { consumer: "c" }]) {
    await ada.send(ada.frame(Type.OPEN, { id: 9 }, { channel: "h.a", subscribe: true, ...options }));
    await ada.refused("not_durable");
  }
});

Deno.test("if all history is full, the channels that take most of it make room for the others", async () => {
  await using server = await serve({
    port: 0,
    stored: [policy("h.>")],
    limits: { historyBytes: 64 * 1024 },
  });
  using ada = await RawClient.greet(server);
  const [large, small] = [await ada.openToPublish("h.large"), await ada.openToPublish("h.small")];
  await ada.send(ada.message(small, "the first"));
  await ada.barrier();
  const payload = new Uint8Array(1000);
  for (let i = 0; i < 100; i++) {
    await ada.send(ada.message(large, payload));
    assertEquals(await ada.barrier(), []); // taken
  }
  await ada.send(ada.message(small, "the second"));
  assertEquals(await ada.barrier(), []);
  const { first = 0, last = 0 } = await ada.open("h.large", { subscribe: false });
  assert(last === 100 && first > 1 && last - first > 20, `${first} to ${last}`);
  using grace = await RawClient.greet(server);
  await grace.open("h.small", { from: "all" });
  assertEquals(await grace.stored(2), ["at 1", "1 the first", "2 the second"]);
});

Deno.test("what all history takes is bounded, however many channels it has", async () => {
  await using server = await serve({
    port: 0,
    stored: [policy("h.>")],
    limits: { historyBytes: 64 * 1024 },
  });
  using ada = await RawClient.greet(server);
  const payload = new Uint8Array(1000); // the last message of each channel stays
  let refused = 0;
  for (let i = 0; i < 100; i++) {
    await ada.send(ada.message(await ada.openToPublish(`h.${i}`), payload));
    refused += (await ada.barrier()).length;
  }
  assertEquals(refused, 100 - Math.floor(64 * 1024 * 1.25 / 1016));
});
