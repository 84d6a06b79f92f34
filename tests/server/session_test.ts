import { assert, assertEquals, assertMatch, assertRejects, assertStringIncludes } from "@std/assert";
import { DEFAULT_LIMITS, MAX_CONTROL_BYTES, MAX_PAYLOAD_BYTES, MAX_PING_BYTES } from "../../lib/limits.ts";
import { ParleyError, serve } from "../../lib/mod.ts";
import { putU32, Type, u32 } from "../../lib/wire/header.ts";
import { concat, json, RawClient, text } from "../harness/raw_client.ts";
import { seeded, seedFrom } from "../harness/seeded.ts";
import { INVALID, type RefusedVector, SESSION } from "../wire/vectors.ts";
import { RecordedLog } from "../harness/recorded_log.ts";

/** A HELLO whose payload is just these bytes. */
function rawHello(client: RawClient, payload: Uint8Array | string): Uint8Array {
  return client.frame(Type.HELLO, {}, payload);
}

// Greeting

Deno.test("a HELLO is answered with a WELCOME that has session, server and limits", async () => {
  await using server = await serve({ firstSessionId: 1 });
  using ada = await RawClient.connect(server);
  await ada.send(ada.frame(Type.HELLO, {}, { protocol: "parley/1", name: "Ada" }));
  const frame = await ada.expect(Type.WELCOME);
  assertEquals([frame.flags, frame.id, frame.channel, frame.sender], [0, 0, 0, 0]);
  const { session, number, message, server: about, time, ...rest } = json<Record<string, string>>(frame);
  assertMatch(session, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  assertEquals(number as unknown, 1);
  assertStringIncludes(message, "Ada");
  assertEquals(Object.keys(about), ["name", "version"]);
  const { payloadBytes, channels, pendingBytes, heartbeatSeconds } = DEFAULT_LIMITS;
  assertEquals(rest as unknown, {
    name: "Ada",
    limits: { payload: payloadBytes, channels, pending: pendingBytes },
    heartbeat: heartbeatSeconds,
  });
  assert(Math.abs(Date.parse(time) - Date.now()) < 5000, time);
});

Deno.test("WELCOME has the limits of this server", async () => {
  const limits = { payloadBytes: 1024, pendingBytes: 100_000, channels: 7, heartbeatSeconds: 9 };
  await using server = await serve({ limits });
  using ada = await RawClient.greet(server);
  assertEquals(ada.welcome.limits, { payload: 1024, channels: 7, pending: 100_000 });
  assertEquals(ada.welcome.heartbeat, 9);
});

Deno.test("each session has a number and a UUID of its own", async () => {
  await using server = await serve();
  const numbers = new Set<number>();
  const uuids = new Set<string>();
  for (let i = 0; i < 5; i++) {
    using client = await RawClient.greet(server);
    numbers.add(client.number);
    uuids.add(client.welcome.session);
  }
  assertEquals([numbers.size, uuids.size], [5, 5]);
});

Deno.test("a client without a name is named guest-N, and the welcome message has that name", async () => {
  await using server = await serve();
  using guest = await RawClient.greet(server);
  assertEquals(guest.welcome.name, `guest-${guest.number}`);
  assertStringIncludes(guest.welcome.message, guest.welcome.name);
});

Deno.test("a name has 1 to 64 characters, whatever their bytes, and no control character", async () => {
  await using server = await serve();
  for (const name of ["a", "Ada Lovelace", "x".repeat(64), "😀".repeat(64), "Žofie", "名前"]) {
    using client = await RawClient.greet(server, { name });
    assertEquals(client.welcome.name, name);
  }
  for (const name of ["", "x".repeat(65), "😀".repeat(65), "a\nb", "\u0000", "\u007f", "\u0085"]) {
    using client = await RawClient.connect(server);
    await client.send(rawHello(client, JSON.stringify({ protocol: "parley/1", name })));
    assertStringIncludes((await client.ended("bad_hello")).message, "name");
  }
});

Deno.test("two sessions may have the same name", async () => {
  await using server = await serve();
  using one = await RawClient.greet(server, { name: "Ada" });
  using two = await RawClient.greet(server, { name: "Ada" });
  assertEquals([one.welcome.name, two.welcome.name], ["Ada", "Ada"]);
  assert(one.number !== two.number);
});

Deno.test("an unsupported protocol is rejected with those that are supported", async () => {
  await using server = await serve();
  for (const protocol of ["parley/2", "parley", "", "PARLEY/1"]) {
    using client = await RawClient.connect(server);
    await client.send(rawHello(client, JSON.stringify({ protocol })));
    assertStringIncludes((await client.ended("unsupported_protocol")).message, "parley/1");
  }
});

Deno.test("a HELLO may be 16 KiB long, and carry keys the server does not know", async () => {
  await using server = await serve();
  const hello = JSON.stringify({ protocol: "parley/1", colour: "blue" });
  using fits = await RawClient.connect(server);
  await fits.send(rawHello(fits, hello.padEnd(MAX_CONTROL_BYTES)));
  await fits.expect(Type.WELCOME);
  using long = await RawClient.connect(server);
  await long.send(rawHello(long, hello.padEnd(MAX_CONTROL_BYTES + 1)));
  await long.ended("too_large");
});

Deno.test("a HELLO may come byte by byte", async () => {
  await using server = await serve();
  using client = await RawClient.connect(server);
  const hello = rawHello(client, '{"protocol":"parley/1"}');
  for (let i = 0; i < hello.length; i++) await client.send(hello.subarray(i, i + 1));
  await client.expect(Type.WELCOME);
});

Deno.test("frames may follow HELLO at once, without waiting for WELCOME", async () => {
  await using server = await serve({ firstSessionId: 1 });
  using client = await RawClient.connect(server);
  const hello = rawHello(client, '{"protocol":"parley/1"}');
  client.number = 1;
  await client.send(hello, client.frame(Type.PING, { id: 3 }));
  await client.expect(Type.WELCOME);
  assertEquals((await client.expect(Type.PONG)).id, 3);
});

Deno.test("a HELLO that is not complete within the handshake time closes the connection", async () => {
  await using server = await serve({ limits: { handshakeMs: 100 } });
  using greeted = await RawClient.greet(server);
  for (const begun of [0, 1, 16, 30]) {
    const start = performance.now();
    using client = await RawClient.connect(server);
    await client.send(rawHello(client, '{"protocol":"parley/1"}').subarray(0, begun));
    await client.ended("timeout");
    assert(performance.now() - start >= 99);
  }
  assertEquals(await greeted.barrier(), [], "the handshake time does not apply to an accepted session");
});

// Refusals

/** The bytes of `vector` as the session `number` sends them: in its own name, or in that of the same neighbour. */
function bytesOf({ hex }: RefusedVector, number: number): Uint8Array {
  const bytes = Uint8Array.fromHex(hex);
  const sender = u32(bytes, 12);
  if (number !== 0 && sender !== 0) putU32(bytes, 12, number + sender - SESSION);
  return bytes;
}

Deno.test("every frame of tests/vectors.json that must be refused is refused with its code", async () => {
  await using server = await serve();
  for (const vector of INVALID) {
    using client = await RawClient.connect(server);
    if (vector.phase === "after hello") await client.hello();
    await client.send(bytesOf(vector, client.number));
    const rejection = await client.refused(vector.code);
    if (rejection.fatal) await client.end();
    else assertEquals(await client.barrier(), [], vector.name);
  }
});

Deno.test("a fatal ERROR names the frame it answers", async () => {
  await using server = await serve();
  using client = await RawClient.greet(server);
  await client.send(client.frame(Type.REQUEST, { id: 77, channel: 5, flags: 0x80 }));
  const { id, channel } = await client.ended("bad_frame");
  assertEquals([id, channel], [77, 5]);
});

Deno.test("a payload of the limit is taken, one byte more is not, nor is one of 2 or 4 GiB", async () => {
  await using server = await serve({ limits: { payloadBytes: 5000, pendingBytes: 100_000 } });
  using ada = await RawClient.greet(server);
  const { number } = await ada.open("big");
  await ada.send(ada.message(number, new Uint8Array(5000)));
  assertEquals((await ada.expect(Type.MESSAGE)).payload.length, 5000);
  for (const length of [5001, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1]) {
    using client = await RawClient.greet(server);
    const channel = await client.openToPublish("big");
    const header = client.message(channel);
    putU32(header, 4, length);
    await client.send(header);
    assertStringIncludes((await client.ended("too_large")).message, `${length}`);
  }
});

Deno.test("the largest payload of the defaults goes through", async () => {
  await using server = await serve();
  using ada = await RawClient.greet(server);
  const { number } = await ada.open("big");
  const payload = seeded(1).bytes(MAX_PAYLOAD_BYTES);
  const sending = ada.send(ada.message(number, payload));
  const received = (await ada.expect(Type.MESSAGE)).payload;
  assert(received.length === payload.length && received.every((byte, i) => byte === payload[i]));
  await sending;
});

Deno.test("a client that sends HTTP or TLS is closed with an ERROR that says so", async () => {
  await using server = await serve();
  const tlsHello = Uint8Array.fromHex("16030100f8010000f40303" + "5a".repeat(200));
  for (
    const [bytes, hint] of [
      [new TextEncoder().encode("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"), "HTTP"],
      [new TextEncoder().encode("POST /chat HTTP/1.1\r\n\r\n"), "HTTP"],
      [tlsHello, "TLS"],
    ] as const
  ) {
    using client = await RawClient.connect(server);
    await client.send(bytes);
    assertStringIncludes((await client.ended("bad_frame")).message, hint);
  }
});

Deno.test("garbage closes its own connection, and a control client is served as before", async () => {
  const random = seeded(seedFrom());
  await using server = await serve({ limits: { handshakeMs: 100 } });
  using control = await RawClient.greet(server);
  const { number } = await control.open("control");
  for (let i = 0; i < 60; i++) {
    using client = await RawClient.connect(server);
    const garbage = random.bytes(16 + random.int(200));
    if (garbage[0] === Type.HELLO) garbage[0] = 0; // by chance the beginning of a real one, for which the server waits
    await client.send(garbage);
    const [last] = (await client.rest()).slice(-1);
    assertEquals([last?.type, json(last).fatal], [Type.ERROR, true]);
    await control.send(control.message(number, `${i}`));
    assertEquals(text(await control.expect(Type.MESSAGE)), `${i}`);
  }
});

Deno.test("a client that has sent a lot still receives the reason of its rejection", async () => {
  await using server = await serve();
  using client = await RawClient.greet(server);
  const junk = new Uint8Array(3 * 1024 * 1024);
  await client.send(client.frame(Type.REQUEST, { id: 9 }), junk);
  assertEquals((await client.ended("bad_frame")).id, 9);
});

Deno.test("frames after a rejected one are not processed", async () => {
  await using server = await serve();
  using ada = await RawClient.greet(server);
  const { number } = await ada.open("chat");
  using grace = await RawClient.greet(server);
  await grace.openToPublish("chat");
  await grace.send(
    grace.message(number, "before"),
    grace.frame(Type.REQUEST, { id: 1 }),
    grace.message(number, "after"),
  );
  await grace.ended("bad_frame");
  assertEquals(text(await ada.expect(Type.MESSAGE)), "before");
  assertEquals(await ada.barrier(), []);
});

Deno.test("extension frames are skipped, whatever is in them", async () => {
  await using server = await serve();
  using client = await RawClient.greet(server);
  await client.send(
    client.frame(0x80),
    client.frame(0x9a, { flags: 0xff, id: 7, channel: 99 }, "something new"),
    client.frame(0xff, {}, new Uint8Array(100_000)),
  );
  assertEquals(await client.barrier(), []);
});

Deno.test("a malformed control payload is rejected, and the session goes on", async () => {
  await using server = await serve();
  using client = await RawClient.greet(server);
  for (
    const payload of [
      "",
      "chat",
      "[]",
      "{}",
      '{"channel":7}',
      '{"channel":"chat","subscribe":1}',
      '{"channel":"chat","echo":"no"}',
      '{"channel":"chat","subscribe":true,"group":""}',
      '{"channel":"chat","presence":true}',
      '{"channel":"chat","subscribe":true,"from":"all"}',
    ]
  ) {
    await client.send(client.frame(Type.OPEN, { id: 5 }, payload));
    const rejection = await client.refused("bad_payload");
    assertEquals([rejection.id, rejection.channel, rejection.fatal], [5, 0, false], payload);
  }
  assertEquals(await client.barrier(), []);
});

// Staying and leaving

Deno.test("a PING is answered with its id and payload, at most 125 bytes", async () => {
  await using server = await serve();
  using client = await RawClient.greet(server);
  for (const payload of ["", "p", "x".repeat(MAX_PING_BYTES)]) {
    await client.send(client.frame(Type.PING, { id: 400 + payload.length }, payload));
    const pong = await client.expect(Type.PONG);
    assertEquals([text(pong), pong.id, pong.channel, pong.sender], [payload, 400 + payload.length, 0, 0]);
  }
  await client.send(client.frame(Type.PING, {}, "x".repeat(MAX_PING_BYTES + 1)));
  await client.ended("too_large");
});

Deno.test("a session that is silent for a heartbeat gets a PING, and is closed after two; one that answers stays", async () => {
  const log = new RecordedLog();
  await using server = await serve({ limits: { heartbeatSeconds: 1 }, log: log.log });
  // The server checks once a second. If silence begins just before a check, it could close too early.
  await new Promise((resolve) => setTimeout(resolve, 800));
  using ada = await RawClient.greet(server);
  using silent = await RawClient.greet(server);
  const start = performance.now();
  const ping = await ada.expect(Type.PING);
  assertEquals([ping.channel, ping.sender, ping.length], [0, 0, 0]);
  assert(performance.now() - start >= 990, `asked after ${Math.round(performance.now() - start)} ms`);
  await ada.send(ada.frame(Type.PONG, { id: ping.id }));
  await silent.expect(Type.PING);
  await silent.ended("timeout");
  assert(performance.now() - start >= 1990, `closed after ${Math.round(performance.now() - start)} ms`);
  await log.until("closed", { number: silent.number, reason: "timeout" });
  assertEquals((await ada.barrier()).filter(({ type }) => type !== Type.PING), []);
});

Deno.test("after a BYE the server closes without another word; what was sent before it arrives", async () => {
  const log = new RecordedLog();
  await using server = await serve({ log: log.log });
  using ada = await RawClient.greet(server);
  const { number } = await ada.open("chat");
  using grace = await RawClient.greet(server);
  await grace.openToPublish("chat");
  await grace.send(grace.message(number, "farewell"), grace.frame(Type.BYE, {}, { reason: "done" }));
  await grace.end();
  assertEquals(text(await ada.expect(Type.MESSAGE)), "farewell");
  await log.until("closed", { number: grace.number, reason: "bye" });
});

Deno.test("frames after a BYE are not processed", async () => {
  await using server = await serve();
  using ada = await RawClient.greet(server);
  const { number } = await ada.open("chat");
  using grace = await RawClient.greet(server);
  await grace.openToPublish("chat");
  await grace.send(grace.frame(Type.BYE, {}, { reason: "done" }), grace.message(number, "one more thing"));
  await grace.end();
  assertEquals(await ada.barrier(), []);
});

Deno.test("a client that half-closes still gets the answers to all it sent", async () => {
  await using server = await serve();
  using client = await RawClient.greet(server);
  const { number } = await client.open("chat");
  await client.send(client.message(number, "echo"), client.frame(Type.PING, { id: 6 }));
  await client.closeWrite();
  const [message, pong, ...none] = await client.rest();
  assertEquals([text(message), pong.type, pong.id, none], ["echo", Type.PONG, 6, []]);
});

Deno.test("an end of the stream in the middle of a frame ends that session alone", async () => {
  const log = new RecordedLog();
  await using server = await serve({ log: log.log });
  using control = await RawClient.greet(server);
  using client = await RawClient.greet(server);
  await client.send(client.frame(Type.PING, {}, "never finished").subarray(0, 20));
  client.close();
  await log.until("closed", { number: client.number, reason: "eof" });
  assertEquals(await control.barrier(), []);
  assertEquals(server.sessions, 1);
});

Deno.test("20,000 frames of mixed channels and sizes arrive complete and in order, wherever they are cut", async () => {
  const random = seeded(seedFrom());
  await using server = await serve();
  using ada = await RawClient.greet(server);
  using grace = await RawClient.greet(server);
  const numbers: number[] = [];
  for (const name of ["a", "b", "c"]) {
    numbers.push((await ada.open(name)).number);
    await grace.openToPublish(name);
  }
  const frames = Array.from({ length: 20_000 }, () => {
    const payload = random.bytes(random.pick([0, 1, 7, 33, 200, random.int(3000)]));
    return random.int(10) === 0
      ? grace.frame(0x80 + random.int(128), { channel: 1 }, payload) // to be skipped
      : grace.frame(Type.MESSAGE, { channel: random.pick(numbers), flags: random.int(3) }, payload);
  });
  const stream = concat(frames);
  const sending = (async () => {
    for (let at = 0; at < stream.length;) {
      const count = random.pick([1, 15, 16, 17, 1023, 1024, 1025, 20_000, 300_000]);
      await grace.send(stream.subarray(at, at + count));
      at += count;
    }
  })();
  for (const frame of frames) {
    if (frame[0] !== Type.MESSAGE) continue;
    const { payload, ...header } = await ada.expect(Type.MESSAGE);
    assertEquals(header.channel, u32(frame, 8));
    assertEquals(header.flags, frame[1]);
    assert(payload.every((byte, i) => byte === frame[16 + i]) && frame.length === 16 + payload.length);
  }
  await sending;
});

// The server itself

Deno.test("the log has a session's events under its UUID, and no payload", async () => {
  const log = new RecordedLog();
  await using server = await serve({ log: log.log });
  using ada = await RawClient.greet(server, { name: "Ada" });
  const { number } = await ada.open("chat");
  await ada.send(ada.message(number, "a secret"));
  await ada.expect(Type.MESSAGE);
  await ada.send(ada.frame(Type.REQUEST, { id: 1 }, "a secret"));
  await ada.ended("bad_frame");
  await log.until("closed");
  const { session } = ada.welcome;
  const life = log.lines.filter((line) => line.session === session);
  assertEquals(life.map(({ level, message }) => [level, message]), [
    ["info", "connected"],
    ["info", "greeted"],
    ["warn", "refused"],
    ["info", "closed"],
  ]);
  assertMatch(`${life[0].remote}`, /^127\.0\.0\.1:\d+$/);
  assertEquals(life[3].reason, "bad_frame");
  assert(!JSON.stringify(log.lines).includes("secret"));
});

Deno.test("a server has its address and the number of its connections", async () => {
  const log = new RecordedLog();
  await using server = await serve({ log: log.log });
  assertEquals([server.hostname, server.url], ["127.0.0.1", `parley://127.0.0.1:${server.port}`]);
  assertEquals((await log.until("listening")).url, server.url);
  assertEquals(server.sessions, 0);
  using silent = await RawClient.connect(server);
  using _greeted = await RawClient.greet(server);
  assertEquals(server.sessions, 2, "accepted or not");
  silent.close();
  await log.until("closed");
  assertEquals(server.sessions, 1);
});

Deno.test("a server cannot be started where another listens, or with limits that contradict each other", async () => {
  await using server = await serve();
  const taken = await assertRejects(() => serve({ port: server.port }), ParleyError, "another program");
  assertEquals(taken.code, "cannot_listen");
  const wrong = await assertRejects(
    () => serve({ limits: { pendingBytes: 100_000 } }),
    ParleyError,
    "1048592",
  );
  assertEquals(wrong.code, "bad_argument");
});
