import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { connect } from "../../lib/client/connect.ts";
import { ApplicationError, ParleyError } from "../../lib/errors.ts";
import { serve } from "../../lib/server/serve.ts";
import { encodeFrame, INBOX, Kind, MESSAGE_HEADERS, Type } from "../../lib/wire/header.ts";
import { decodeMessageHeaders } from "../../lib/wire/message_headers.ts";
import { type FakePeer, playServer } from "./fake_server.ts";
import { next } from "./messages.ts";

const TEXT_WITH_HEADERS = Kind.TEXT | MESSAGE_HEADERS;

/** A payload that announces more bytes of message headers than it has. */
const MALFORMED = new Uint8Array([0, 9, 0x7b, 0x7d]);

/** Opens channel 5, and sends a malformed message there and one that is in order. */
async function sendMalformed(peer: FakePeer): Promise<void> {
  await peer.open(5);
  const message = { type: Type.MESSAGE, channel: 5, sender: 3 };
  await peer.write(encodeFrame({ ...message, flags: TEXT_WITH_HEADERS }, MALFORMED));
  await peer.write(encodeFrame({ ...message, flags: Kind.TEXT }, new TextEncoder().encode("in order")));
  await peer.drain();
}

Deno.test("headers arrive beside the payload, whatever its kind", async () => {
  await using server = await serve({ port: 0 });
  await using client = await connect({ port: server.port });
  await using chat = await client.subscribe("chat");
  const headers = { traceparent: "00-1", note: "grüße 👋" };
  await client.publish("chat", "text", { headers });
  await client.publish("chat", { json: [1] }, { headers });
  await client.publish("chat", new Uint8Array([1, 2]), { headers: {} });
  await client.publish("chat", "without");

  const text = await next(chat);
  assertEquals([text.headers, text.text(), text.kind], [headers, "text", "text"]);
  const json = await next(chat);
  assertEquals([json.headers, json.json(), json.kind], [headers, [1], "json"]);
  const bytes = await next(chat);
  assertEquals([bytes.headers, bytes.payload], [{}, new Uint8Array([1, 2])]);
  assertEquals(bytes.payload.buffer.byteLength, 2); // a copy: the payload does not keep its headers in memory
  const plain = await next(chat);
  assertEquals([plain.headers, plain.text()], [{}, "without"]);
});

Deno.test("requests, replies and direct messages carry headers", async () => {
  await using server = await serve({ port: 0 });
  await using worker = await connect({ port: server.port });
  await using client = await connect({ port: server.port });
  await using _responder = await worker.respond("trace", async (request) => {
    const { step } = request.headers;
    await request.reply(request.text(), { headers: { step: `${Number(step) + 1}` } });
    return "ignored, because the request has its reply";
  });
  const reply = await client.request("trace", "hello", { headers: { step: "1" } });
  assertEquals([reply.text(), reply.headers], ["hello", { step: "2" }]);
  await client.sendTo(worker.sessionId, "direct", { headers: { step: "3" } });
  const direct = await next(worker.inbox);
  assertEquals([direct.text(), direct.headers], ["direct", { step: "3" }]);
});

Deno.test("headers that cannot be sent are rejected, and count towards the limit on payloads", async () => {
  await using server = await serve({ port: 0, limits: { payloadBytes: 1024 } });
  await using client = await connect({ port: server.port });
  const notHeaders: unknown[] = [null, "text", ["list"], { n: 1 }, { Upper: "x" }, { a: "x".repeat(70_000) }];
  for (const each of notHeaders) {
    const headers = each as Record<string, string>; // JavaScript callers may pass anything
    const error = await assertRejects(() => client.publish("chat", "x", { headers }), ParleyError);
    assertEquals(error.code, "bad_argument");
  }
  const headers = { a: "x".repeat(512) };
  await client.publish("chat", "x".repeat(400), { headers });
  assertEquals(
    (await assertRejects(() => client.publish("chat", "x".repeat(600), { headers }), ParleyError)).code,
    "too_large",
  );
});

Deno.test("a message with malformed headers makes one iteration fail, and the next one goes on", async () => {
  await playServer(async (server) => {
    using peer = await server.greet();
    await sendMalformed(peer);
  }, async (port) => {
    await using client = await connect({ port, reconnect: false });
    const chat = await client.subscribe("chat");
    const error = await assertRejects(() => next(chat), ParleyError);
    assertEquals([error.code, error.fatal], ["bad_payload", false]);
    assertStringIncludes(error.message, "a message of session 3 on chat was dropped");
    assertEquals((await next(chat)).text(), "in order");
  });
});

Deno.test("with onError, a message with malformed headers is reported there and skipped", async () => {
  await playServer(async (server) => {
    using peer = await server.greet();
    await sendMalformed(peer);
  }, async (port) => {
    const errors: string[] = [];
    await using client = await connect({
      port,
      reconnect: false,
      onError: (error) => errors.push(error.code),
    });
    const chat = await client.subscribe("chat");
    assertEquals((await next(chat)).text(), "in order");
    assertEquals(errors, ["bad_payload"]);
  });
});

Deno.test("a reply with malformed headers fails its own request alone", async () => {
  await playServer(async (server) => {
    using peer = await server.greet();
    await peer.open(5);
    const reply = { type: Type.REPLY, channel: (INBOX | 17) >>> 0, sender: 3 };
    const first = (await peer.expect(Type.REQUEST)).header;
    await peer.write(encodeFrame({ ...reply, id: first.id, flags: TEXT_WITH_HEADERS }, MALFORMED));
    const second = (await peer.expect(Type.REQUEST)).header;
    await peer.write(encodeFrame({ ...reply, id: second.id, flags: Kind.TEXT }, new Uint8Array([0x41])));
    await peer.drain();
  }, async (port) => {
    await using client = await connect({ port, reconnect: false });
    assertEquals((await assertRejects(() => client.request("q", ""), ParleyError)).code, "bad_payload");
    assertEquals((await client.request("q", "")).text(), "A");
  });
});

Deno.test("a request with malformed headers is answered with the error, and not handled", async () => {
  await playServer(async (server) => {
    using peer = await server.greet();
    await peer.open(5);
    const request = { type: Type.REQUEST, channel: 5, sender: 3 };
    await peer.write(encodeFrame({ ...request, id: 7, flags: TEXT_WITH_HEADERS }, MALFORMED));
    const { header, payload } = await peer.expect(Type.REPLY);
    assertEquals([header.id, header.channel], [7, (INBOX | 3) >>> 0]);
    const decoded = decodeMessageHeaders(payload);
    assert("headers" in decoded);
    assertEquals(decoded.headers, { error: "responder_failed" });
    await peer.write(encodeFrame({ ...request, id: 8 }));
    assertEquals((await peer.expect(Type.REPLY)).header.id, 8);
    await peer.control({ type: Type.BYE }, { reason: "tested" });
    await peer.drain();
  }, async (port) => {
    const errors: string[] = [];
    let handled = 0;
    await using client = await connect({
      port,
      reconnect: false,
      onError: (error) => errors.push(error.code),
    });
    const responder = await client.respond("q", () => void handled++);
    responder.finished.catch(() => {});
    await client.closed;
    assertEquals([errors, handled], [["bad_payload"], 1]);
  });
});

Deno.test("a reply with the header `error` fails the request with the code of the application", async () => {
  await using server = await serve({ port: 0 });
  await using worker = await connect({ port: server.port });
  await using client = await connect({ port: server.port });
  await using _responder = await worker.respond("fail", async (request) => {
    await request.reply("no shoes left", { headers: { error: request.text() } });
  });
  for (const code of ["forbidden", "out_of_stock"]) {
    const error = await assertRejects(() => client.request("fail", code), ApplicationError, "no shoes left");
    assertEquals([error.code, error.data], [code, undefined]);
  }
  const error = await assertRejects(() => client.request("fail", "Not a code"), ParleyError, "no shoes left");
  assertEquals(error.code, "responder_failed");
});

Deno.test("an error in a handler becomes a reply with the header `error`", async () => {
  const replies: unknown[] = [];
  await using server = await serve({ port: 0 });
  await using worker = await connect({ port: server.port });
  await using client = await connect({
    port: server.port,
    trace: (_way, { type }, payload) => {
      if (type === Type.REPLY) replies.push(decodeMessageHeaders(payload));
    },
  });
  await using _responder = await worker.respond("fail", () => {
    throw new ApplicationError("not_for_you", "go away");
  }, { onError: () => {} });
  await assertRejects(() => client.request("fail", ""), ApplicationError, "go away");
  assertEquals(replies, [{ headers: { error: "not_for_you" }, contentAt: 25 }]);
});
