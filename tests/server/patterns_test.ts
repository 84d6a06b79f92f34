import { assertEquals } from "@std/assert";
import { serve } from "../../lib/mod.ts";
import { Type } from "../../lib/wire/header.ts";
import { typeName } from "../../lib/wire/type_name.ts";
import { type Frame, json, RawClient, text } from "../harness/raw_client.ts";

/** What a frame is, short: `OPENED 5 a.b` for an announcement, `MESSAGE 5 hello` for a message. */
function short(frame: Frame): string {
  const what = frame.type === Type.OPENED ? json<{ channel: string }>(frame).channel : text(frame);
  return `${typeName(frame.type)} ${frame.channel} ${what}`;
}

/** Makes `from` publish, and gives what `to` receives of it. */
async function pass(from: RawClient, channel: number, payload: string, to: RawClient): Promise<string[]> {
  await from.send(from.message(channel, payload));
  assertEquals(await from.barrier(), []);
  return (await to.barrier()).map(short);
}

Deno.test("OPENED of a pattern has number 0 and cannot be published on", async () => {
  await using server = await serve();
  using ada = await RawClient.greet(server);
  assertEquals(await ada.open("chat.*"), {
    channel: "chat.*",
    number: 0,
    publish: false,
    subscribe: true,
    respond: false,
  });
  assertEquals(await ada.leave("chat.*"), 0);
});

Deno.test("a pattern must subscribe or respond", async () => {
  await using server = await serve();
  using ada = await RawClient.greet(server);
  await ada.send(ada.frame(Type.OPEN, { id: 2 }, { channel: "chat.*" }));
  assertEquals((await ada.refused("bad_channel")).id, 2);
});

Deno.test("* stands for one segment, a last > for one or more", async () => {
  await using server = await serve();
  using grace = await RawClient.greet(server);
  const names = ["a", "a.b", "a.c", "a.b.c", "b", "b.b"];
  const numbers = new Map<string, number>();
  for (const name of names) numbers.set(name, await grace.openToPublish(name));
  for (
    const [pattern, covered] of [
      ["*", ["a", "b"]],
      [">", names],
      ["a.*", ["a.b", "a.c"]],
      ["a.>", ["a.b", "a.c", "a.b.c"]],
      ["*.b", ["a.b", "b.b"]],
      ["*.b.>", ["a.b.c"]],
      ["*.*.*", ["a.b.c"]],
      ["c.>", []],
    ] as const
  ) {
    using ada = await RawClient.greet(server);
    await ada.open(pattern);
    for (const name of names) await grace.send(grace.message(numbers.get(name)!, name));
    assertEquals(await grace.barrier(), []);
    const messages = (await ada.barrier()).filter(({ type }) => type === Type.MESSAGE);
    assertEquals(messages.map(text), [...covered], pattern);
  }
});

Deno.test("a channel only a pattern matched is announced before its first message, and once", async () => {
  await using server = await serve();
  using ada = await RawClient.greet(server);
  using grace = await RawClient.greet(server);
  await ada.open("chat.*");
  const lobby = await grace.openToPublish("chat.lobby");
  await grace.send(grace.message(lobby, "hello"));
  const announcement = await ada.expect(Type.OPENED);
  assertEquals([announcement.id, announcement.channel, announcement.sender], [0, lobby, 0]);
  assertEquals(json(announcement), {
    channel: "chat.lobby",
    number: lobby,
    publish: false,
    subscribe: true,
    respond: false,
  });
  assertEquals(short(await ada.next()), `MESSAGE ${lobby} hello`);
  assertEquals(await pass(grace, lobby, "again", ada), [`MESSAGE ${lobby} again`]);
  const other = await grace.openToPublish("chat.other");
  assertEquals(await pass(grace, other, "hi", ada), [`OPENED ${other} chat.other`, `MESSAGE ${other} hi`]);
});

Deno.test("a channel the session has opened by name is not announced to it", async () => {
  await using server = await serve();
  using ada = await RawClient.greet(server);
  using grace = await RawClient.greet(server);
  await ada.open("chat.*");
  const number = await ada.openToPublish("chat.lobby");
  await grace.openToPublish("chat.lobby");
  assertEquals(await pass(grace, number, "hello", ada), [`MESSAGE ${number} hello`]);
});

Deno.test("after LEAVE of the name the pattern brings its messages again, announced anew", async () => {
  await using server = await serve();
  using ada = await RawClient.greet(server);
  using grace = await RawClient.greet(server);
  await ada.open("chat.*");
  const { number } = await ada.open("chat.lobby");
  await grace.openToPublish("chat.lobby");
  assertEquals(await pass(grace, number, "by name", ada), [`MESSAGE ${number} by name`]);
  await ada.leave("chat.lobby");
  assertEquals(await pass(grace, number, "by pattern", ada), [
    `OPENED ${number} chat.lobby`,
    `MESSAGE ${number} by pattern`,
  ]);
});

Deno.test("so it is where the channel was announced already before it was opened by name", async () => {
  await using server = await serve();
  using ada = await RawClient.greet(server);
  using grace = await RawClient.greet(server);
  await ada.open("chat.*");
  const number = await grace.openToPublish("chat.lobby");
  await pass(grace, number, "announced", ada);
  await ada.open("chat.lobby");
  assertEquals(await ada.leave("chat.lobby"), number);
  assertEquals(await pass(grace, number, "by pattern", ada), [
    `OPENED ${number} chat.lobby`,
    `MESSAGE ${number} by pattern`,
  ]);
});

Deno.test("after LEAVE of the pattern none of its messages comes; of another pattern's they do", async () => {
  await using server = await serve();
  using ada = await RawClient.greet(server);
  using grace = await RawClient.greet(server);
  await ada.open("chat.*");
  await ada.open("chat.>");
  const number = await grace.openToPublish("chat.lobby");
  await pass(grace, number, "announced", ada);
  await ada.leave("chat.*");
  assertEquals((await pass(grace, number, "still", ada)).slice(-1), [`MESSAGE ${number} still`]);
  await ada.leave("chat.>");
  assertEquals(await pass(grace, number, "not any more", ada), []);
  await ada.open("chat.>");
  assertEquals(await pass(grace, number, "anew", ada), [
    `OPENED ${number} chat.lobby`,
    `MESSAGE ${number} anew`,
  ]);
});

Deno.test("a channel that all sessions left is announced again when it is opened again", async () => {
  await using server = await serve();
  using ada = await RawClient.greet(server);
  using grace = await RawClient.greet(server);
  await ada.open("chat.*");
  const number = await grace.openToPublish("chat.lobby");
  await pass(grace, number, "first", ada);
  await grace.leave("chat.lobby");
  assertEquals(await grace.openToPublish("chat.lobby"), number);
  assertEquals((await pass(grace, number, "second", ada)).slice(-1), [`MESSAGE ${number} second`]);
});

Deno.test("a session with two matching subscriptions receives once", async () => {
  await using server = await serve();
  using ada = await RawClient.greet(server);
  using grace = await RawClient.greet(server);
  const { number } = await ada.open("chat.lobby");
  for (const pattern of ["chat.*", "chat.>", "*.lobby", ">"]) await ada.open(pattern);
  await grace.openToPublish("chat.lobby");
  assertEquals(await pass(grace, number, "once", ada), [`MESSAGE ${number} once`]);
});

Deno.test("own messages come back if one of the two subscriptions wants them", async () => {
  await using server = await serve();
  using ada = await RawClient.greet(server);
  const { number } = await ada.open("chat.lobby", { echo: false });
  await ada.open("chat.*", { echo: false });
  await ada.send(ada.message(number, "to others"));
  assertEquals(await ada.barrier(), []);
  await ada.open("chat.>");
  await ada.send(ada.message(number, "to all"));
  assertEquals((await ada.barrier()).map(short), [`MESSAGE ${number} to all`]);
});

Deno.test("an announced number is not open for publishing", async () => {
  await using server = await serve();
  using ada = await RawClient.greet(server);
  using grace = await RawClient.greet(server);
  await ada.open("chat.*");
  const number = await grace.openToPublish("chat.lobby");
  await pass(grace, number, "hello", ada);
  await ada.send(ada.message(number, "hello yourself"));
  assertEquals((await ada.refused("not_open")).channel, number);
});

Deno.test("no pattern covers the server's own names", async () => {
  await using server = await serve();
  using ada = await RawClient.greet(server);
  using grace = await RawClient.greet(server);
  for (const pattern of [">", "*"]) await ada.open(pattern);
  const number = await grace.openToPublish("$echo");
  await grace.send(grace.message(number, "to myself"));
  assertEquals((await grace.barrier()).map(short), [`MESSAGE ${number} to myself`]);
  assertEquals(await ada.barrier(), []);
});
