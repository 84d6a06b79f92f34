import { assertEquals } from "@std/assert";
import { serve } from "../../lib/mod.ts";
import { INBOX, Type } from "../../lib/wire/header.ts";
import { inbox, RawClient, text, texts } from "../harness/raw_client.ts";

Deno.test("a MESSAGE to an inbox goes to that session alone, byte for byte", async () => {
  await using server = await serve();
  using ada = await RawClient.greet(server);
  using grace = await RawClient.greet(server);
  using alan = await RawClient.greet(server);
  await alan.open(">");
  await ada.send(
    ada.frame(Type.MESSAGE, { channel: inbox(grace.number), flags: 1 }, "psst"),
    ada.message(inbox(grace.number), "again"),
  );
  assertEquals(await ada.barrier(), []);
  const { payload: _, ...header } = await grace.expect(Type.MESSAGE);
  assertEquals(header, {
    type: Type.MESSAGE,
    flags: 1,
    id: 0,
    length: 4,
    channel: inbox(grace.number),
    sender: ada.number,
  });
  assertEquals(text(await grace.expect(Type.MESSAGE)), "again");
  assertEquals(await alan.barrier(), []);
});

Deno.test("a session may write to itself", async () => {
  await using server = await serve();
  using ada = await RawClient.greet(server);
  await ada.send(ada.message(inbox(ada.number), "note to self"));
  assertEquals(texts(await ada.barrier()), ["note to self"]);
});

Deno.test("the inbox of a session that is not there is no_such_session, said once for a run", async () => {
  await using server = await serve();
  using ada = await RawClient.greet(server);
  using grace = await RawClient.greet(server);
  await grace.open("chat", { presence: true });
  await ada.open("chat");
  await grace.expect(Type.JOINED);
  ada.close();
  await grace.expect(Type.PARTED);
  for (const number of [ada.number, 0, 4711, INBOX - 1]) {
    await grace.send(grace.message(inbox(number), "a"), grace.message(inbox(number), "b"));
    const { id, channel, fatal } = await grace.refused("no_such_session");
    assertEquals([id, channel, fatal], [0, inbox(number), false]);
  }
  assertEquals(await grace.barrier(), []);
});

Deno.test("a connection that has said no HELLO has no inbox", async () => {
  await using server = await serve();
  using ada = await RawClient.greet(server);
  using _silent = await RawClient.connect(server);
  await ada.send(ada.message(inbox(0)), ada.message(inbox(ada.number + 1)));
  await ada.refused("no_such_session");
  await ada.refused("no_such_session");
});

Deno.test("an inbox gives no receipts", async () => {
  await using server = await serve();
  using ada = await RawClient.greet(server);
  await ada.send(ada.frame(Type.MESSAGE, { id: 3, flags: 0x04, channel: inbox(ada.number) }, "keep"));
  const { id, channel } = await ada.refused("not_durable");
  assertEquals([id, channel], [3, inbox(ada.number)]);
});

Deno.test("$echo answers a REQUEST with its payload and flags", async () => {
  await using server = await serve();
  using ada = await RawClient.greet(server);
  const number = await ada.openToPublish("$echo");
  await ada.send(ada.frame(Type.REQUEST, { id: 8, channel: number, flags: 2 }, "[1]"));
  const { payload, ...header } = await ada.expect(Type.REPLY);
  assertEquals(header, {
    type: Type.REPLY,
    flags: 2,
    id: 8,
    length: 3,
    channel: inbox(ada.number),
    sender: 0,
  });
  assertEquals(new TextDecoder().decode(payload), "[1]");
});

Deno.test("$echo returns a MESSAGE to its sender, and to no other session", async () => {
  await using server = await serve();
  using ada = await RawClient.greet(server);
  using grace = await RawClient.greet(server);
  const { number } = await ada.open("$echo");
  assertEquals((await grace.open("$echo")).number, number);
  await ada.send(ada.message(number, "one"), ada.message(number, "two"));
  assertEquals(texts(await ada.barrier()), ["one", "two"]);
  assertEquals(await grace.barrier(), []);
  await ada.leave("$echo");
  await ada.send(ada.message(number, "three"));
  await ada.refused("not_open");
});

Deno.test("$echo has no presence", async () => {
  await using server = await serve();
  using ada = await RawClient.greet(server);
  using grace = await RawClient.greet(server);
  await ada.open("$echo", { presence: true });
  const { members, count } = await grace.open("$echo", { presence: true });
  assertEquals([members, count], [[], 0]);
  assertEquals(await ada.barrier(), []);
});
