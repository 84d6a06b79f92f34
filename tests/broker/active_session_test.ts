/** What an established session may send, and how it is answered. */

import { assert, assertEquals } from "@std/assert";
import type { SessionContext } from "../../lib/broker/context.ts";
import { encodeFrame, INBOX, RECEIPT, Type } from "../../lib/wire/header.ts";
import { nextTurn, turnOfLoop } from "./test_broker.ts";
import { acceptWith, newContext, TestConnection } from "./test_session.ts";

const { MESSAGE, REQUEST, REPLY, OPEN, LEAVE, OPENED, PING, PONG, BYE } = Type;

/** So many greeted sessions, numbered from 17. */
async function connect(context: SessionContext, count: number): Promise<TestConnection[]> {
  const connections: TestConnection[] = [];
  for (let i = 0; i < count; i++) {
    const connection = await new TestConnection(context).greet();
    connection.number = 17 + i;
    connections.push(connection);
  }
  return connections;
}

/** Opens `channel`. Returns its number. */
function open(connection: TestConnection, channel: string, options: Record<string, unknown> = {}): number {
  assert(connection.control(OPEN, { channel, ...options }));
  const [opened] = connection.outbox.control(OPENED);
  connection.outbox.frames.length = 0;
  return opened.number as number;
}

function inbox(number: number): number {
  return (number | INBOX) >>> 0;
}

Deno.test("a session publishes, asks and replies on what it has open", async () => {
  const [ada, grace] = await connect(newContext(), 2);
  const number = open(ada, "chat");
  open(grace, "chat", { subscribe: true, respond: true });
  ada.send(MESSAGE, number, "text");
  ada.send(REQUEST, number, "what", { id: 7 });
  grace.send(REPLY, inbox(17), "that", { id: 7 });
  ada.send(MESSAGE, inbox(18), "psst");
  assertEquals([grace.outbox.sent, ada.outbox.sent], [["text", "what", "psst"], ["that"]]);
  assertEquals([ada.errors, grace.errors], [[], []]);
});

Deno.test("a channel that is not open, or left, cannot be used", async () => {
  const [ada] = await connect(newContext(), 1);
  const number = open(ada, "chat", { subscribe: true });
  ada.send(MESSAGE, number + 1, "text");
  ada.send(REQUEST, number + 1, "what", { id: 7 });
  ada.control(LEAVE, { channel: "chat" });
  ada.send(MESSAGE, number, "text");
  assertEquals(ada.errors, [`not_open 0 ${number + 1}`, `not_open 7 ${number + 1}`, `not_open 0 ${number}`]);
  assertEquals(ada.outbox.sent, []);
});

Deno.test("a session without the permission is refused, and nothing is done by half", async () => {
  const authenticator = acceptWith({
    mayDirect: false,
    mayPublish: (name) => name === "open",
    maySubscribe: (name) => name !== "secret",
    mayRespond: () => false,
  });
  const [ada] = await connect(newContext({ authenticator }), 1);
  const number = open(ada, "chat", { subscribe: true });
  ada.send(MESSAGE, number, "text");
  ada.send(REQUEST, number, "what", { id: 7 });
  ada.send(MESSAGE, inbox(18), "psst");
  ada.send(MESSAGE, inbox(17), "note to self");
  ada.control(OPEN, { channel: "secret", subscribe: true }, 2);
  ada.control(OPEN, { channel: "open", subscribe: true, respond: true }, 3);
  ada.control(OPEN, { channel: "chat.a" }, 4);
  assertEquals(ada.errors, [
    `forbidden 0 ${number}`,
    `forbidden 7 ${number}`,
    `forbidden 0 ${inbox(18)}`,
    "forbidden 2 0",
    "forbidden 3 0",
    "forbidden 4 0",
  ]);
  assertEquals(ada.outbox.sent, ["note to self"]);
});

Deno.test("so many channels and patterns may be open; one of them may be opened again", async () => {
  const [ada] = await connect(newContext({ limits: { channels: 2 } }), 1);
  open(ada, "one");
  open(ada, "two.*", { subscribe: true });
  ada.control(OPEN, { channel: "three" }, 3);
  ada.control(OPEN, { channel: "three.*", subscribe: true }, 4);
  open(ada, "one", { subscribe: true });
  open(ada, "two.*", { respond: true });
  assertEquals(ada.errors, []);
  ada.control(OPEN, { channel: "three" }, 5);
  assertEquals(ada.errors, ["limit 5 0"]);
});

Deno.test("PING is answered with its id and payload", async () => {
  const [ada] = await connect(newContext(), 1);
  ada.send(PING, 0, "clock", { id: 9 });
  assertEquals(ada.outbox.frames, [{ type: PONG, id: 9, channel: 0, text: "clock" }]);
});

Deno.test("$echo answers a request with its payload, and returns a message to its sender alone", async () => {
  const [ada, grace] = await connect(newContext(), 2);
  const number = open(ada, "$echo", { subscribe: true });
  open(grace, "$echo", { subscribe: true });
  ada.send(REQUEST, number, "what", { id: 7 });
  ada.send(MESSAGE, number, "text");
  assertEquals(ada.outbox.frames, [
    { type: REPLY, id: 7, channel: inbox(17), text: "what" },
    { type: MESSAGE, id: 0, channel: number, text: "text" },
  ]);
  assertEquals(grace.outbox.frames, []);
});

Deno.test("receipts and acknowledgements need a durable channel", async () => {
  const [ada] = await connect(newContext(), 1);
  const number = open(ada, "chat", { subscribe: true });
  ada.send(MESSAGE, number, "text", { id: 7, flags: RECEIPT });
  ada.send(MESSAGE, number + 1, "text", { id: 8, flags: RECEIPT });
  ada.send(Type.ACK, number, "8 bytes!");
  ada.send(Type.NAK, number, "twelve bytes");
  ada.send(Type.RENEW, number, "8 bytes!");
  assertEquals(ada.errors, [
    `not_durable 7 ${number}`,
    `not_open 8 ${number + 1}`,
    ...Array(3).fill(`not_durable 0 ${number}`),
  ]);
  assertEquals(ada.outbox.sent, []);
});

Deno.test("a control payload that is malformed is answered under its id, and the session goes on", async () => {
  const [ada] = await connect(newContext(), 1);
  ada.control(OPEN, { subscribe: true }, 5);
  ada.control(LEAVE, { channel: 7 }, 6);
  ada.control(BYE, {});
  assertEquals(ada.errors, ["bad_payload 5 0", "bad_payload 6 0", "bad_payload 0 0"]);
  ada.control(BYE, { reason: "done" });
  assertEquals(ada.calls, ["finish bye", "ended"]);
});

Deno.test("a publisher is paused while a subscriber has no room, and then goes on with the same bytes", async () => {
  const [ada, grace] = await connect(newContext(), 2);
  const number = open(ada, "chat");
  open(grace, "chat", { subscribe: true });
  grace.outbox.room = 0;
  assert(!ada.send(MESSAGE, number, "text"));
  assertEquals([ada.calls, grace.outbox.sent], [["pause"], []]);
  grace.outbox.drain();
  await turnOfLoop();
  assertEquals([ada.calls, grace.outbox.sent], [["pause", "resume"], ["text"]]);
});

Deno.test("a run to a group that is cut by the budget goes on in later turns, each message once and in order", async () => {
  const context = newContext({ perTurn: 30 });
  const [ada, grace, alan] = await connect(context, 3);
  const number = open(ada, "jobs");
  for (const member of [grace, alan]) {
    await nextTurn(context.budget);
    open(member, "jobs", { subscribe: true, group: "w" });
  }
  await nextTurn(context.budget);
  ada.calls.length = 0;
  const texts = Array.from({ length: 40 }, (_, i) => String(i).padStart(4, "0"));
  const frames = texts.map((text) =>
    encodeFrame({ type: MESSAGE, channel: number, sender: 17 }, new TextEncoder().encode(text))
  );
  assert(!ada.give(...frames));
  const sent = () => [grace, alan].flatMap(({ outbox }) => outbox.sent);
  assert(sent().length > 0 && sent().length < 20, `${sent().length} at once`);
  for (let turns = 0; sent().length < 40 && turns < 100; turns++) await turnOfLoop();
  assertEquals(sent().sort(), texts);
  for (const { outbox } of [grace, alan]) assertEquals(outbox.sent, outbox.sent.toSorted());
  assert(ada.calls.filter((call) => call === "resume").length > 2);
});

Deno.test("once the budget is spent, a session's frames wait for the next turn, in order", async () => {
  const context = newContext({ perTurn: 10 });
  const [ada] = await connect(context, 1);
  context.budget.spend(10);
  assert(!ada.send(PING, 0, "one", { id: 1 }));
  ada.send(PING, 0, "two", { id: 2 });
  assertEquals(ada.outbox.frames, []);
  await turnOfLoop();
  assertEquals(ada.outbox.frames.map(({ text }) => text), ["one", "two"]);
});

Deno.test("a session that ends can no longer be reached, and its requesters are told", async () => {
  const [ada, grace] = await connect(newContext(), 2);
  const number = open(ada, "jobs");
  open(grace, "jobs", { respond: true });
  ada.send(REQUEST, number, "what", { id: 7 });
  grace.session.ended("reset");
  ada.send(REQUEST, number, "what", { id: 8 });
  ada.send(MESSAGE, inbox(18), "psst");
  assertEquals(ada.errors, [
    `responder_gone 7 ${number}`,
    `no_responders 8 ${number}`,
    `no_such_session 0 ${inbox(18)}`,
  ]);
});
