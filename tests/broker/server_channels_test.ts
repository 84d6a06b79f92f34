/** The server's own channels: who may open them, how requests are answered, and what subscribers are sent. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { SERVER_CHANNELS, type ServerAnswers } from "../../lib/broker/server_channels.ts";
import { ParleyError } from "../../lib/errors.ts";
import { MAX_SERVER_ASK_BYTES, MAX_SERVER_REQUESTS } from "../../lib/limits.ts";
import { encodeFrame, INBOX, MESSAGE_HEADERS, Type } from "../../lib/wire/header.ts";
import { encodeMessageHeaders } from "../../lib/wire/message_headers.ts";
import { concat } from "../harness/raw_client.ts";
import { turnOfLoop } from "./test_broker.ts";
import { acceptWith, newContext, TestConnection } from "./test_session.ts";

const { MESSAGE, REQUEST, REPLY, OPEN, OPENED, ERROR } = Type;
const INBOX_OF_17 = (17 | INBOX) >>> 0;

/** A session that may do everything, on a server that answers so. */
function administrator(answers?: ServerAnswers): Promise<TestConnection> {
  return new TestConnection(newContext({ authenticator: acceptWith({}), answers })).greet();
}

/** Opens `channel`; returns what it was answered. */
function open(session: TestConnection, channel: string, options: Record<string, unknown> = {}) {
  session.outbox.frames.length = 0;
  session.control(OPEN, { channel, ...options });
  const [answer] = session.outbox.frames.splice(0);
  const { type, text } = answer;
  return { isOpen: type === OPENED, ...JSON.parse(text) };
}

/** The replies that `session` was sent: id and text. */
function replies(session: TestConnection): [number, string][] {
  return session.outbox.frames.filter(({ type }) => type === REPLY).map(({ id, channel, text }) => {
    assertEquals(channel, INBOX_OF_17);
    return [id, text];
  });
}

Deno.test("each channel needs its grant, and the refusal names it", async () => {
  const sessions = {
    nobody: { mayMonitor: false, mayAdmin: false },
    monitor: { mayMonitor: true, mayAdmin: false },
    admin: { mayMonitor: true, mayAdmin: true },
  };
  for (const [who, permissions] of Object.entries(sessions)) {
    const session = await new TestConnection(newContext({ authenticator: acceptWith(permissions) })).greet();
    for (const channel of SERVER_CHANNELS) {
      const grant = channel.startsWith("$admin") ? "admin" : "monitor";
      const isAllowed = grant === "admin" ? permissions.mayAdmin : permissions.mayMonitor;
      const { isOpen, code, message, publish } = open(session, channel);
      assertEquals(isOpen, isAllowed, `${who} ${channel}`);
      if (isAllowed) assertEquals(publish, channel !== "$stats");
      else {assertEquals([code, message], [
          "forbidden",
          `this session's token lacks the grant "${grant}", which ${channel} needs`,
        ]);}
    }
  }
});

Deno.test("without tokens a session from another machine is refused", async () => {
  const session = await new TestConnection(newContext()).greet();
  for (const channel of SERVER_CHANNELS) {
    const { code, message } = open(session, channel);
    assertEquals(code, "forbidden");
    assertMatch(message, /is only for clients on the server's own machine: it asks for no tokens$/);
  }
});

Deno.test("only $stats can be subscribed to, nobody responds, and no pattern covers any of them", async () => {
  const session = await administrator();
  const refused: [string, Record<string, unknown>, string, RegExp][] = [
    [
      "$stats.now",
      { subscribe: true },
      "forbidden",
      /sends nothing on \$stats.now by itself; send it a REQUEST/,
    ],
    ["$admin.consumer", { subscribe: true }, "forbidden", /send it a REQUEST/],
    ["$stats", { respond: true }, "forbidden", /only the server responds on \$stats/],
    ["$stats.now", { respond: true }, "forbidden", /only the server responds/],
    [
      "$stats.>",
      { subscribe: true },
      "forbidden",
      /a pattern, and the server's own channels are opened by name/,
    ],
    ["$stats.*", { subscribe: true }, "forbidden", /opened by name/],
    ["$admin.>", { subscribe: true, respond: true }, "forbidden", /opened by name/],
    ["$stats", { subscribe: true, group: "g" }, "bad_payload", /"group" has no place on \$stats/],
    ["$stats", { subscribe: true, presence: true }, "bad_payload", /"presence" has no place/],
    ["$stats", { subscribe: true, from: "all" }, "bad_payload", /"from" needs a stored channel/],
    ["$stats.now", { producer: "p" }, "not_durable", /not durable/],
    ["$stats.other", {}, "forbidden", /has no such channel; it has \$echo, \$stats, \$stats.now/],
    ["$admin", {}, "forbidden", /has no such channel/],
  ];
  for (const [channel, options, code, message] of refused) {
    const answer = open(session, channel, options);
    assertEquals([channel, answer.code], [channel, code]);
    assertMatch(answer.message, message);
  }
  assert(open(session, ">", { subscribe: true, respond: true }).isOpen);
  assert(open(session, "*.now", { subscribe: true, respond: true }).isOpen);
  const { number } = open(session, "$stats.now");
  session.send(REQUEST, number, "", { id: 7 });
  await turnOfLoop();
  assertEquals(replies(session), [[7, '{"channel":"$stats.now","ask":{}}']], "no pattern took it");
});

Deno.test("messages to them are refused, and change nothing", async () => {
  const session = await administrator();
  const stats = open(session, "$stats", { subscribe: true }).number;
  const now = open(session, "$stats.now").number;
  session.send(MESSAGE, stats, "{}");
  session.send(MESSAGE, now, "{}");
  session.send(REQUEST, stats, "{}", { id: 8 });
  assertEquals(session.errors, [`forbidden 0 ${stats}`, `forbidden 0 ${now}`, `forbidden 8 ${stats}`]);
  const messages = session.outbox.control(ERROR).map(({ message }) => message);
  assertEquals(messages, [
    "$stats only carries messages of the server",
    "$stats.now takes requests, not messages",
    "$stats only carries messages of the server",
  ]);
  assertEquals(session.outbox.sent, []);
});

Deno.test("a request is answered with what was asked, message headers or not", async () => {
  const session = await administrator();
  const { number } = open(session, "$stats.why");
  session.send(REQUEST, number, '{"channel":"a"}', { id: 1, flags: 2 });
  const headers = new TextDecoder().decode(encodeMessageHeaders({ a: "b" }));
  session.send(REQUEST, number, `${headers}{"channel":"b"}`, { id: 2, flags: 2 | MESSAGE_HEADERS });
  session.send(REQUEST, number, "", { id: 3 });
  await turnOfLoop();
  assertEquals(replies(session), [
    [1, '{"channel":"$stats.why","ask":{"channel":"a"}}'],
    [2, '{"channel":"$stats.why","ask":{"channel":"b"}}'],
    [3, '{"channel":"$stats.why","ask":{}}'],
  ]);
  assertEquals(session.errors, []);
});

Deno.test("a malformed request is answered with the header error and a sentence", async () => {
  const session = await administrator();
  const { number } = open(session, "$stats.why");
  const wrong: [string, number, RegExp][] = [
    ["{", 0, /must be a JSON object, and is not JSON$/],
    ["[1]", 0, /must be a JSON object, got an array$/],
    ["null", 0, /must be a JSON object, got null$/],
    ["7", 0, /must be a JSON object, got 7$/],
    ["\0", MESSAGE_HEADERS, /is not well-formed: the message headers lack their length$/],
    [`{"a":"${"x".repeat(MAX_SERVER_ASK_BYTES)}"}`, 0, /takes at most 4096 bytes, got 410\d$/],
  ];
  for (const [i, [text, flags]] of wrong.entries()) session.send(REQUEST, number, text, { id: i + 1, flags });
  await turnOfLoop();
  const texts = replies(session).map(([, text]) => text.slice(2));
  for (const [i, [, , message]] of wrong.entries()) {
    assertMatch(texts[i], /^\{"error":"bad_payload"\}/);
    assertMatch(texts[i], message);
  }
});

Deno.test("an answer that fails is told to the session, a bug only by its reference", async () => {
  const answers: ServerAnswers = {
    answer: (channel) => {
      if (channel === "$admin.disconnect") {
        return Promise.reject(new ParleyError("no_such_session", "there is no session 7"));
      }
      throw new Error("the secret details");
    },
    failed: () => "the-reference",
  };
  const session = await administrator(answers);
  session.send(REQUEST, open(session, "$admin.disconnect").number, '{"session":7}', { id: 1 });
  await turnOfLoop();
  assertEquals(replies(session).map(([, text]) => text.slice(2)), [
    '{"error":"no_such_session"}there is no session 7',
  ]);
  session.send(REQUEST, open(session, "$stats.now").number, "", { id: 2 });
  await turnOfLoop();
  const [[, bug]] = replies(session);
  assertEquals(
    bug.slice(2),
    '{"error":"responder_failed"}the server failed; its log has the details under the-reference',
  );
});

Deno.test("a reply that is too large, or that a session has no room for, is not sent", async () => {
  const answers: ServerAnswers = {
    answer: (_channel, { size }) => Promise.resolve(JSON.stringify("x".repeat(Number(size)))),
    failed: () => "unexpected",
  };
  const session = await administrator(answers);
  const { number } = open(session, "$stats.now");
  session.send(REQUEST, number, `{"size":${1024 * 1024}}`, { id: 1 });
  await turnOfLoop();
  assertMatch(replies(session)[0][1].slice(2), /^\{"error":"too_large"\}the reply would have 1048578 bytes/);
  session.send(REQUEST, number, '{"size":1000}', { id: 2 });
  session.outbox.room = 900;
  await turnOfLoop();
  assertEquals(session.errors, [`no_reply 2 ${number}`]);
});

Deno.test("a session has a bound of requests under way, and each id once", async () => {
  const waiting: ((json: string) => void)[] = [];
  const answers: ServerAnswers = {
    answer: () => new Promise((resolve) => waiting.push(resolve)),
    failed: () => "unexpected",
  };
  const session = await administrator(answers);
  const { number } = open(session, "$stats.now");
  session.send(REQUEST, number, "", { id: 1 });
  session.send(REQUEST, number, "", { id: 1 });
  assertEquals(session.errors, [`id_in_use 1 ${number}`]);
  for (let id = 2; id <= MAX_SERVER_REQUESTS + 1; id++) session.send(REQUEST, number, "", { id });
  assertEquals(session.errors.slice(1), [`limit ${MAX_SERVER_REQUESTS + 1} ${number}`]);
  await turnOfLoop();
  for (const answer of waiting.splice(0).reverse()) answer("{}");
  await turnOfLoop();
  assertEquals(
    replies(session).map(([id]) => id),
    Array.from({ length: MAX_SERVER_REQUESTS }, (_, i) => 16 - i),
  );
  session.send(REQUEST, number, "", { id: 1 });
  await turnOfLoop();
  session.session.ended("reset");
  session.outbox.frames.length = 0;
  waiting[0]("{}");
  await turnOfLoop();
  assertEquals(session.outbox.frames, [], "a session that has ended is sent nothing");
});

Deno.test("subscribers of $stats are sent what $stats.now would reply, as messages of the server", async () => {
  let asked = 0;
  const answers: ServerAnswers = {
    answer: (channel) => Promise.resolve(JSON.stringify({ channel, asked: ++asked })),
    failed: () => "unexpected",
  };
  const context = newContext({ authenticator: acceptWith({}), answers });
  const [ada, grace, alan] = [1, 2, 3].map(() => new TestConnection(context));
  for (const [i, session] of [ada, grace, alan].entries()) {
    await session.greet();
    session.number = 17 + i;
  }
  const tell = async () => {
    context.serverChannels.tick();
    await turnOfLoop();
    return [ada, grace, alan].map(({ outbox }) => outbox.sent.length);
  };
  open(ada, "$stats");
  assertEquals([await tell(), asked], [[0, 0, 0], 0], "nobody is subscribed, so nothing is counted up");
  const { number } = open(ada, "$stats", { subscribe: true });
  open(grace, "$stats", { subscribe: true });
  assertEquals([await tell(), asked], [[1, 1, 0], 1]);
  assertEquals(ada.outbox.frames, [
    { type: MESSAGE, id: 0, channel: number, text: '{"channel":"$stats.now","asked":1}' },
  ]);
  grace.outbox.room = 10;
  assertEquals(await tell(), [2, 1, 0], "without room one is missed");
  grace.outbox.room = Infinity;
  ada.control(Type.LEAVE, { channel: "$stats" });
  assertEquals(await tell(), [2, 2, 0]);
  grace.session.ended("reset");
  assertEquals([await tell(), asked], [[2, 2, 0], 3]);
});

Deno.test("a REQUEST in the same chunk as others is read before the buffer is used again", async () => {
  const session = await administrator();
  const { number } = open(session, "$stats.why");
  const frames = [1, 2].map((id) =>
    encodeFrame(
      { type: REQUEST, flags: 2, id, channel: number, sender: 17 },
      new TextEncoder().encode(`{"channel":"c${id}"}`),
    )
  );
  const chunk = concat(frames);
  session.session.receive(chunk, chunk.length);
  chunk.fill(0);
  await turnOfLoop();
  assertEquals(replies(session).map(([, text]) => JSON.parse(text).ask.channel), ["c1", "c2"]);
});
