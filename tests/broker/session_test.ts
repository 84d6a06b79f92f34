/** Sessions: their states, and every reason to end one. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { welcome } from "../../lib/broker/session.ts";
import { DEFAULT_LIMITS } from "../../lib/limits.ts";
import { decodeControl, encodeControl, PROTOCOL } from "../../lib/wire/control.ts";
import { encodeFrame, Type } from "../../lib/wire/header.ts";
import { turnOfLoop } from "./test_broker.ts";
import { acceptWith, newContext, TestConnection } from "./test_session.ts";

const PONG = encodeFrame({ type: Type.PONG, sender: 17 });
const PING = encodeFrame({ type: Type.PING, sender: 17 });
const HEARTBEAT = { limits: { heartbeatSeconds: 10 } };

/** A greeted session. */
function greeted(context = newContext()): Promise<TestConnection> {
  return new TestConnection(context).greet();
}

Deno.test("a bug of the server is answered as internal with a reference; the details are for the log alone", async () => {
  const context = newContext();
  using connection = await greeted(context);
  connection.session.failed(new Error("a secret of the server's"));
  const [error] = connection.outbox.control(Type.ERROR);
  assertEquals([error.code, error.fatal], ["internal", true]);
  assertMatch(`${error.message}`, /uuid-2/);
  assert(!`${error.message}`.includes("secret"));
  assertEquals(connection.calls, ["finish internal", "ended"]);
  const [line] = context.recorded.all("internal error");
  assertEquals([line.level, line.reference, line.session], ["error", "uuid-2", "uuid-1"]);
  assertMatch(`${line.error}`, /secret/);
});

Deno.test("a session that sends something within every heartbeat is neither pinged nor ended", async () => {
  using connection = await greeted(newContext(HEARTBEAT));
  for (let i = 0; i < 10; i++) {
    connection.tick(10);
    connection.give(PONG);
  }
  assertEquals([connection.outbox.frames, connection.calls], [[], []]);
});

Deno.test("a silent session is pinged once, and ended after two heartbeats", async () => {
  using connection = await greeted(newContext(HEARTBEAT));
  const types = () => connection.outbox.frames.map(({ type }) => type);
  connection.tick(11);
  assertEquals(types(), [Type.PING]);
  connection.tick(9);
  assertEquals([types(), connection.calls], [[Type.PING], []]);
  connection.tick(1);
  assertEquals(connection.calls, ["finish timeout", "ended"]);
  connection.tick(50);
  assertEquals([types(), connection.calls.length], [[Type.PING, Type.ERROR], 2]);
});

Deno.test("the time for which a session is paused does not count as silence", async () => {
  using connection = await greeted(newContext(HEARTBEAT));
  connection.outbox.room = 0;
  assert(!connection.give(PING), "its PONG has no room");
  connection.tick(100);
  assertEquals(connection.calls, ["pause"]);
  connection.outbox.drain();
  await turnOfLoop();
  assertEquals(connection.calls, ["pause", "resume"]);
  connection.tick(21);
  assertEquals(connection.calls.slice(2), ["finish timeout", "ended"]);
});

Deno.test("a session ends once, whatever happens afterwards", async () => {
  const context = newContext();
  using connection = await greeted(context);
  connection.session.ended("eof");
  connection.session.ended("reset");
  connection.session.onSlowConsumer();
  connection.session.shutDown();
  connection.session.failed(new Error("late"));
  assertEquals([connection.calls, connection.outbox.frames], [["ended"], []]);
  assertEquals(context.recorded.all("closed").map(({ reason }) => reason), ["eof"]);
});

Deno.test("a session that has ended takes nothing more", async () => {
  using connection = await greeted();
  connection.session.ended("eof");
  assert(!connection.give(PING));
  assertEquals(connection.outbox.frames, []);
});

Deno.test("a server that shuts down says BYE to a session, and rejects a client that is not greeted", async () => {
  const context = newContext();
  using connection = await greeted(context);
  using waiting = new TestConnection(context);
  for (const { session } of [connection, waiting]) session.shutDown();
  assertEquals(connection.outbox.control(Type.BYE), [{ reason: "shutting_down" }]);
  assertEquals([waiting.errors, waiting.calls], [["shutting_down 0 0"], ["finish shutting_down", "ended"]]);
});

Deno.test("a client whose HELLO does not come in time is told so", async () => {
  using connection = new TestConnection(newContext({ limits: { handshakeMs: 1 } }));
  await connection.ended;
  assertEquals([connection.errors, connection.calls], [["timeout 0 0"], ["finish timeout", "ended"]]);
});

Deno.test("the time that a client has taken to connect counts towards its HELLO", async () => {
  using connection = new TestConnection(newContext({ limits: { handshakeMs: 3_600_000 } }), 3_600_000);
  await connection.ended;
  assertEquals(connection.errors, ["timeout 0 0"]);
});

Deno.test("what a client sends while its token is being verified waits, and is then handled in order", async () => {
  using connection = new TestConnection(newContext({ authenticator: acceptWith({}) }));
  const hello = encodeControl({ type: Type.HELLO }, { protocol: PROTOCOL, token: "a.b.c" });
  assert(!connection.give(hello, PING));
  assertEquals([connection.outbox.frames, connection.calls], [[], ["pause"]]);
  await connection.resumed.promise;
  assertEquals(connection.outbox.frames.map(({ type }) => type), [Type.WELCOME, Type.PONG]);
  assertEquals(connection.outbox.control(Type.WELCOME)[0].name, "Ada");
});

Deno.test("an identity that is no longer valid ends the session with unauthorized and the server's time", async () => {
  const rejections: { message: string; detail: string }[] = [];
  const context = newContext({ authenticator: { ...acceptWith({}), check: () => rejections[0] } });
  using connection = await greeted(context);
  connection.tick(1);
  assertEquals(connection.calls, []);
  rejections.push({ message: "token revoked", detail: "by the operator" });
  connection.tick(1);
  const [error] = connection.outbox.control(Type.ERROR);
  assertEquals([error.code, error.message, error.time], ["unauthorized", "token revoked", context.time()]);
  assertEquals(context.recorded.all("refused")[0].reason, "by the operator");
});

Deno.test("a session that breaks the protocol is told where, and ended", async () => {
  using connection = await greeted();
  connection.give(encodeFrame({ type: Type.MESSAGE, channel: 5, sender: 18 }));
  assertEquals([connection.errors, connection.calls], [["bad_frame 0 5"], ["finish bad_frame", "ended"]]);
});

Deno.test("WELCOME names the session and its limits, in the form that the protocol defines", () => {
  const session = { uuid: crypto.randomUUID(), number: 7, name: "Ada" };
  const payload = welcome(
    session,
    { name: "parley", version: "1" },
    DEFAULT_LIMITS,
    "2026-11-25T12:00:00.000Z",
  );
  assertEquals([payload.session, payload.number, payload.name, payload.limits.payload, payload.time], [
    session.uuid,
    7,
    "Ada",
    DEFAULT_LIMITS.payloadBytes,
    "2026-11-25T12:00:00.000Z",
  ]);
  const frame = encodeControl({ type: Type.WELCOME }, payload);
  assertEquals(decodeControl("WELCOME", frame, 0, frame.length), { value: payload });
});
