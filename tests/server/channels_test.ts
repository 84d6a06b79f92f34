import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { serve } from "../../lib/mod.ts";
import { Type } from "../../lib/wire/header.ts";
import { json, RawClient, text, texts } from "../harness/raw_client.ts";
import { seeded, seedFrom } from "../harness/seeded.ts";

// Opening and leaving

Deno.test("OPENED tells the number to use, and what the session may do and does", async () => {
  await using server = await serve();
  using ada = await RawClient.greet(server);
  const lobby = await ada.open("chat.lobby");
  assertEquals(lobby, {
    channel: "chat.lobby",
    number: lobby.number,
    publish: true,
    subscribe: true,
    respond: false,
  });
  assert(lobby.number > 0);
  const quiet = await ada.open("chat.quiet", { subscribe: false });
  assertEquals(quiet, {
    channel: "chat.quiet",
    number: quiet.number,
    publish: true,
    subscribe: false,
    respond: false,
  });
});

Deno.test("OPEN alone does not subscribe", async () => {
  await using server = await serve();
  using ada = await RawClient.greet(server);
  await ada.send(ada.frame(Type.OPEN, { id: 1 }, { channel: "chat" }));
  const { number, subscribe } = json<{ number: number; subscribe: boolean }>(await ada.expect(Type.OPENED));
  assertEquals(subscribe, false);
  await ada.send(ada.message(number, "into the void"));
  assertEquals(await ada.barrier(), []);
});

Deno.test("a number stands for one name in every session", async () => {
  await using server = await serve();
  using ada = await RawClient.greet(server);
  using grace = await RawClient.greet(server);
  const a = await ada.openToPublish("a");
  const b = await ada.openToPublish("b");
  assert(a !== b);
  assertEquals([await grace.openToPublish("b"), await grace.openToPublish("a")], [b, a]);
});

Deno.test("a name keeps its number after all sessions have left", async () => {
  await using server = await serve();
  using ada = await RawClient.greet(server);
  const before = await ada.openToPublish("chat");
  await ada.leave("chat");
  using grace = await RawClient.greet(server);
  const other = await grace.openToPublish("other");
  assert(other !== before);
  assertEquals(await grace.openToPublish("chat"), before);
});

Deno.test("opening a name again answers the same number and takes the new subscribe", async () => {
  await using server = await serve();
  using ada = await RawClient.greet(server);
  const { number } = await ada.open("chat");
  assertEquals(await ada.openToPublish("chat"), number);
  await ada.send(ada.message(number, "not heard"));
  assertEquals(await ada.barrier(), []);
  assertEquals((await ada.open("chat")).number, number);
  await ada.send(ada.message(number, "heard once"));
  assertEquals(texts(await ada.barrier()), ["heard once"]);
});

Deno.test("after LEAVE the number is not open, and no message of the channel comes", async () => {
  await using server = await serve();
  using ada = await RawClient.greet(server);
  using grace = await RawClient.greet(server);
  const { number } = await ada.open("chat");
  await grace.openToPublish("chat");
  assertEquals(await ada.leave("chat"), number);
  await grace.send(grace.message(number, "still here?"));
  await grace.barrier();
  assertEquals(await ada.barrier(), []);
  await ada.send(ada.message(number));
  assertEquals((await ada.refused("not_open")).channel, number);
});

Deno.test("leaving what is not open is not_open", async () => {
  await using server = await serve();
  using ada = await RawClient.greet(server);
  await ada.open("chat");
  await ada.leave("chat");
  for (const channel of ["chat", "never", "never.>"]) {
    await ada.send(ada.frame(Type.LEAVE, { id: 8 }, { channel }));
    const { id, message } = await ada.refused("not_open");
    assertEquals(id, 8);
    assertStringIncludes(message, channel);
  }
});

Deno.test("a number the session has not opened is not_open, said once for a run", async () => {
  await using server = await serve();
  using ada = await RawClient.greet(server);
  using grace = await RawClient.greet(server);
  const number = await grace.openToPublish("not.of.ada");
  for (const channel of [number, 4711]) {
    await ada.send(ada.message(channel, "a"), ada.message(channel, "b"), ada.message(channel, "c"));
    const rejection = await ada.refused("not_open");
    assertEquals([rejection.id, rejection.channel, rejection.fatal], [0, channel, false]);
    await ada.send(ada.request(5, channel));
    assertEquals((await ada.refused("not_open")).id, 5);
  }
  assertEquals(await ada.barrier(), []);
});

Deno.test("only so many channels and patterns may be open; leaving one makes room", async () => {
  await using server = await serve({ limits: { channels: 3 } });
  using ada = await RawClient.greet(server);
  const refused = async (channel: string) => {
    await ada.send(ada.frame(Type.OPEN, { id: 9 }, { channel, subscribe: true }));
    assertEquals((await ada.refused("limit")).id, 9);
  };
  await ada.open("a");
  await ada.open("b");
  await ada.open("c.>");
  await refused("d");
  await refused("d.>");
  await ada.open("a"); // is open already
  await ada.open("c.>");
  await ada.leave("c.>");
  await ada.open("d");
  await refused("e");
  await ada.leave("a");
  await ada.open("e");
});

Deno.test("names and patterns against the grammar are bad_channel", async () => {
  await using server = await serve();
  using ada = await RawClient.greet(server);
  for (
    const channel of [
      "",
      ".",
      "a.",
      ".a",
      "a..b",
      "a b",
      "a/b",
      "ä",
      "a.$b",
      "a>",
      "a*",
      "*a",
      ">.a",
      "a.>.b",
      "a\n",
      "$",
      "x".repeat(129),
    ]
  ) {
    for (const type of [Type.OPEN, Type.LEAVE]) {
      await ada.send(ada.frame(type, { id: 3 }, { channel, subscribe: true }));
      assertEquals((await ada.refused("bad_channel")).id, 3);
    }
  }
  for (const channel of ["x".repeat(128), "A-z_0.-._", "*", ">", "*.*.>", "*.b"]) await ada.open(channel);
});

Deno.test("names of the server's own that it does not have are forbidden, and patterns of them", async () => {
  await using server = await serve();
  using ada = await RawClient.greet(server);
  for (
    const channel of [
      "$sys",
      "$stats.more",
      "$echo.more",
      "$echo.>",
      "$stats.*",
      "$stats.>",
      "$admin",
      "$ECHO",
    ]
  ) {
    await ada.send(ada.frame(Type.OPEN, { id: 3 }, { channel, subscribe: true }));
    assertEquals((await ada.refused("forbidden")).id, 3);
  }
  await ada.open("$echo");
});

// Publishing

Deno.test("a message goes to every subscriber, its publisher too, byte for byte", async () => {
  const random = seeded(seedFrom());
  await using server = await serve();
  using ada = await RawClient.greet(server);
  using grace = await RawClient.greet(server);
  using alan = await RawClient.greet(server);
  const { number } = await ada.open("chat");
  for (const client of [grace, alan]) await client.open("chat");
  const sent = [0, 1, 2].map((flags) =>
    ada.frame(Type.MESSAGE, { channel: number, flags }, random.bytes(random.int(2000)))
  );
  await ada.send(...sent);
  for (const client of [ada, grace, alan]) {
    for (const bytes of sent) {
      const { type, payload, ...header } = await client.expect(Type.MESSAGE);
      assertEquals(client.frame(type, header, payload), bytes);
    }
  }
});

Deno.test("a session that is not subscribed receives nothing", async () => {
  await using server = await serve();
  using ada = await RawClient.greet(server);
  using grace = await RawClient.greet(server);
  const number = await ada.openToPublish("chat");
  await grace.open("other");
  await ada.send(ada.message(number, "alone"));
  assertEquals(await ada.barrier(), []);
  assertEquals(await grace.barrier(), []);
});

Deno.test("with echo false the session's own messages do not come back, others' do", async () => {
  await using server = await serve();
  using ada = await RawClient.greet(server);
  using grace = await RawClient.greet(server);
  const { number } = await ada.open("chat", { echo: false });
  await grace.open("chat", { echo: false });
  await ada.send(ada.message(number, "from Ada"));
  assertEquals(await ada.barrier(), []);
  assertEquals(texts(await grace.barrier()), ["from Ada"]);
  await ada.open("chat"); // echo is part of what is taken anew
  await ada.send(ada.message(number, "to all"));
  assertEquals(texts(await ada.barrier()), ["to all"]);
});

Deno.test("messages of one sender arrive in the order sent, between runs of other channels too", async () => {
  const random = seeded(seedFrom());
  await using server = await serve();
  using ada = await RawClient.greet(server);
  using grace = await RawClient.greet(server);
  const numbers: number[] = [];
  for (const name of ["a", "b", "c"]) {
    numbers.push((await grace.open(name)).number);
    await ada.openToPublish(name);
  }
  const sent = Array.from({ length: 500 }, (_, i) => [random.pick(numbers), `${i}`] as const);
  await ada.send(...sent.map(([channel, payload]) => ada.message(channel, payload)));
  await ada.barrier();
  assertEquals(
    (await grace.barrier()).map((frame) => [frame.channel, text(frame)]),
    sent.map((pair) => [...pair]),
  );
});

Deno.test("a receipt cannot be had on a channel that is not durable, and the message is not delivered", async () => {
  await using server = await serve();
  using ada = await RawClient.greet(server);
  const { number } = await ada.open("chat");
  await ada.send(
    ada.message(number, "before"),
    ada.frame(Type.MESSAGE, { id: 12, channel: number, flags: 0x04 }, "keep this"),
    ada.message(number, "after"),
  );
  assertEquals(text(await ada.expect(Type.MESSAGE)), "before");
  const rejection = await ada.refused("not_durable");
  assertEquals([rejection.id, rejection.channel, rejection.fatal], [12, number, false]);
  assertEquals(texts(await ada.barrier()), ["after"]);
});

// Presence

/** What a JOINED or PARTED says. */
async function seen(client: RawClient, type: number) {
  const frame = await client.expect(type);
  return { channel: frame.channel, ...json<{ number: number; name: string }>(frame) };
}

Deno.test("with presence, OPENED lists the subscribers, and JOINED and PARTED follow for each change", async () => {
  await using server = await serve();
  using ada = await RawClient.greet(server, { name: "Ada" });
  using grace = await RawClient.greet(server, { name: "Grace" });
  const { number: channel, members: alone, count } = await ada.open("chat", { presence: true });
  const [adaMember, graceMember] = [{ number: ada.number, name: "Ada" }, {
    number: grace.number,
    name: "Grace",
  }];
  assertEquals([alone, count], [[adaMember], 1]);

  const { members } = await grace.open("chat", { presence: true });
  assertEquals(members, [adaMember, graceMember]);
  assertEquals(await seen(ada, Type.JOINED), { channel, ...graceMember });

  await grace.open("chat", { subscribe: false });
  assertEquals(await seen(ada, Type.PARTED), { channel, ...graceMember });
  await grace.open("chat");
  assertEquals(await seen(ada, Type.JOINED), { channel, ...graceMember });
  await grace.leave("chat");
  assertEquals(await seen(ada, Type.PARTED), { channel, ...graceMember });
  await grace.open("chat");
  assertEquals(await seen(ada, Type.JOINED), { channel, ...graceMember });
  grace.close();
  assertEquals(await seen(ada, Type.PARTED), { channel, ...graceMember });
});

Deno.test("presence is of subscribers by name only, and of changes only", async () => {
  await using server = await serve();
  using ada = await RawClient.greet(server);
  using grace = await RawClient.greet(server);
  await ada.open("chat", { presence: true });
  await grace.openToPublish("chat"); // does not subscribe
  await grace.open("*"); // is no name
  await grace.respond("chat"); // is asked, and receives no messages
  await grace.leave("*");
  assertEquals(await grace.barrier(), []);
  assertEquals(await ada.barrier(), []);
  await grace.open("chat");
  await grace.open("chat", { group: "workers" }); // was subscribed already
  await seen(ada, Type.JOINED);
  assertEquals(await ada.barrier(), []);
});

Deno.test("opening again without presence ends JOINED and PARTED", async () => {
  await using server = await serve();
  using ada = await RawClient.greet(server);
  using grace = await RawClient.greet(server);
  await ada.open("chat", { presence: true });
  assertEquals(Object.keys(await ada.open("chat")), ["channel", "number", "publish", "subscribe", "respond"]);
  await grace.open("chat");
  assertEquals(await ada.barrier(), []);
});

Deno.test("presence needs a name and a subscription", async () => {
  await using server = await serve();
  using ada = await RawClient.greet(server);
  await ada.send(ada.frame(Type.OPEN, { id: 1 }, { channel: "chat", presence: true }));
  await ada.refused("bad_payload");
  await ada.send(ada.frame(Type.OPEN, { id: 2 }, { channel: "chat.*", subscribe: true, presence: true }));
  await ada.refused("bad_channel");
});
