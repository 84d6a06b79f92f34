/** Announcements: a session learns a channel's number before the first message that a pattern brings it. */

import { assertEquals } from "@std/assert";
import { Type } from "../../lib/wire/header.ts";
import { TestBroker } from "./test_broker.ts";

/** The publisher, and others, with `chat.lobby` open by the publisher. */
function make(sessions: number) {
  const broker = new TestBroker({ sessions });
  const [publisher, ...others] = broker.sessions;
  publisher.open("chat.lobby", { subscribe: false });
  return { broker, publisher, others, publish: () => broker.publish(publisher, "chat.lobby", "text") };
}

Deno.test("a channel is announced before its first message, and only to sessions that a pattern brought", () => {
  const { broker, publisher, others: [ada, grace, alan], publish } = make(4);
  ada.open("chat.*");
  grace.open("chat.lobby");
  alan.open("chat.*");
  alan.open("chat.lobby");
  for (const { frames } of broker.sessions) frames.length = 0;
  publish();
  const types = (session: typeof ada) => session.frames.map(({ type }) => type);
  assertEquals(types(ada), [Type.OPENED, Type.MESSAGE]);
  assertEquals([types(grace), types(alan), types(publisher)], [[Type.MESSAGE], [Type.MESSAGE], []]);
  const { number } = broker.channel("chat.lobby");
  const [{ id, channel, text }] = ada.frames;
  assertEquals([id, channel], [0, number]);
  assertEquals(JSON.parse(text), {
    channel: "chat.lobby",
    number,
    publish: false,
    subscribe: true,
    respond: false,
  });
});

Deno.test("an announcement says what all patterns of the session together do", () => {
  const { others: [ada], publish } = make(2);
  ada.open("chat.*");
  ada.open("chat.>", { subscribe: false, respond: true });
  ada.frames.length = 0;
  publish();
  const [{ subscribe, respond }] = ada.control(Type.OPENED);
  assertEquals([subscribe, respond, ada.announced], [true, true, ["chat.lobby"]]);
});

Deno.test("a request, too, is announced first", () => {
  const { broker, publisher, others: [ada] } = make(2);
  ada.open("chat.*", { subscribe: false, respond: true });
  ada.frames.length = 0;
  broker.request(publisher, "chat.lobby", 1);
  assertEquals(ada.frames.map(({ type }) => type), [Type.OPENED, Type.REQUEST]);
});

Deno.test("a channel is announced once, whatever other patterns come and go", () => {
  const { others: [ada, grace, alan], publish } = make(4);
  ada.open("chat.*");
  publish();
  for (const pattern of ["chat.*", "chat.>", "news.*"]) grace.open(pattern);
  publish();
  grace.leave("chat.*"); // grace is told again; see below
  alan.open("chat.lobby");
  publish();
  grace.leave("chat.>");
  publish();
  assertEquals([ada.announced, ada.sent.length, alan.announced], [["chat.lobby"], 4, []]);
});

Deno.test("a channel is announced again after LEAVE of its name, if a pattern still covers it", () => {
  const { others: [ada, grace], publish } = make(3);
  for (const session of [ada, grace]) session.open("chat.*");
  ada.open("chat.lobby");
  publish();
  assertEquals([ada.announced, grace.announced], [[], ["chat.lobby"]]);
  ada.leave("chat.lobby");
  publish();
  assertEquals([ada.announced, grace.announced], [["chat.lobby"], ["chat.lobby"]]);
  assertEquals(ada.sent.length, 2);
});

Deno.test("a channel is announced again after LEAVE of an overlapping pattern, to that session only", () => {
  const { others: [ada, grace], publish } = make(3);
  for (const session of [ada, grace]) {
    session.open("chat.*");
    session.open("chat.>");
  }
  publish();
  ada.leave("chat.>");
  publish();
  assertEquals([ada.announced, grace.announced], [["chat.lobby", "chat.lobby"], ["chat.lobby"]]);
});

Deno.test("an announcement without room makes the publisher wait, and no session is told twice", () => {
  const { broker, others: [ada, grace], publish } = make(3);
  for (const session of [ada, grace]) session.open("chat.*");
  grace.room = 30; // enough for the message
  assertEquals([publish(), broker.waitedFor], [0, [3]]);
  assertEquals([publish(), broker.sent], [0, [[], [], []]]);
  grace.drain();
  assertEquals([broker.calls, publish()], [1, 1]);
  assertEquals([ada.announced, grace.announced], [["chat.lobby"], ["chat.lobby"]]);
});

Deno.test("the room that an announcement takes does not lose a message of a group", () => {
  for (let room = 0; room < 300; room++) {
    const { broker, publisher, others: [ada, grace] } = make(3);
    for (const session of [ada, grace]) session.open("chat.*", { group: "w" });
    ada.room = room;
    grace.room = room + 7;
    const passed = broker.publish(publisher, "chat.lobby", "no.1", "no.2", "no.3");
    assertEquals(ada.sent.length + grace.sent.length, passed, `with room for ${room} bytes`);
    for (const session of [ada, grace]) session.drain();
    if (passed === 0) assertEquals(broker.publish(publisher, "chat.lobby", "no.1", "no.2", "no.3"), 3);
    assertEquals([...ada.sent, ...grace.sent].sort(), ["no.1", "no.2", "no.3"]);
    assertEquals([ada.announced, grace.announced], [["chat.lobby"], ["chat.lobby"]]);
  }
});

Deno.test("a channel that is opened again keeps its number, and sessions that know it are not told again", () => {
  const { broker, publisher, others: [ada, grace], publish } = make(3);
  ada.open("chat.*");
  publish();
  const { number } = broker.channel("chat.lobby");
  publisher.leave("chat.lobby");
  grace.open("chat.*");
  publisher.open("chat.lobby", { subscribe: false });
  publish();
  assertEquals(broker.channel("chat.lobby").number, number);
  assertEquals([ada.announced, grace.announced], [["chat.lobby"], ["chat.lobby"]]);
});

Deno.test("an announcement that still waited when the last session left is made when the channel is opened again", () => {
  const { publisher, others: [ada], publish } = make(2);
  ada.open("chat.*");
  ada.room = 0;
  assertEquals(publish(), 0);
  publisher.leave("chat.lobby");
  ada.drain();
  publisher.open("chat.lobby", { subscribe: false });
  assertEquals([publish(), ada.announced, ada.sent], [1, ["chat.lobby"], ["text"]]);
});

Deno.test("a session that left its pattern, or opened the name, while an announcement waited is not told", () => {
  const { others: [ada, grace, alan], publish } = make(4);
  for (const session of [ada, grace, alan]) session.open("chat.*");
  alan.room = 0;
  assertEquals(publish(), 0);
  ada.leave("chat.*");
  grace.open("chat.lobby");
  alan.drain();
  assertEquals(publish(), 1);
  assertEquals([ada, grace, alan].map(({ announced }) => announced), [[], [], ["chat.lobby"]]);
  assertEquals([ada, grace, alan].map(({ sent }) => sent), [[], ["text"], ["text"]]);
});
