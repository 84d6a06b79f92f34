import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import type { Trace } from "../../lib/client/options.ts";
import { serve } from "../../lib/server/serve.ts";
import { connect } from "../../lib/client/connect.ts";
import { ApplicationError, ParleyError } from "../../lib/errors.ts";
import { encodeFrame, INBOX, Type } from "../../lib/wire/header.ts";
import { playServer } from "./fake_server.ts";
import { next } from "./messages.ts";

Deno.test("a request gets the handler's reply, of any kind", async () => {
  await using server = await serve({ port: 0 });
  await using worker = await connect({ port: server.port });
  await using requester = await connect({ port: server.port });
  await using _upper = await worker.respond("upper", (request) => request.text().toUpperCase());
  await using _sum = await worker.respond("sum", async (request) => {
    await Promise.resolve();
    return { json: (request.json() as number[]).reduce((a, b) => a + b, 0) };
  });
  await using _nothing = await worker.respond("nothing", () => {});

  const reply = await requester.request("upper", "quiet");
  assertEquals([reply.text(), reply.kind, reply.channel], ["QUIET", "text", "upper"]);
  assertEquals(reply.sender, worker.sessionId);
  assertEquals((await requester.request("sum", { json: [1, 2, 3] })).json(), 6);
  assertEquals((await requester.request("nothing", "")).payload.length, 0);
});

Deno.test("a thousand requests at once each get their own reply", async () => {
  await using server = await serve({ port: 0 });
  await using worker = await connect({ port: server.port });
  await using requester = await connect({ port: server.port });
  await using _responder = await worker.respond("id", (request) => request.text(), { concurrency: 7 });
  const sent = Array.from({ length: 1000 }, (_, i) => `${i}`);
  const replies = await Promise.all(sent.map((text) => requester.request("id", text)));
  assertEquals(replies.map((reply) => reply.text()), sent);
});

Deno.test("a responder handles no more requests at once than its concurrency", async () => {
  await using server = await serve({ port: 0 });
  await using worker = await connect({ port: server.port });
  await using requester = await connect({ port: server.port });
  let running = 0;
  let most = 0;
  await using _responder = await worker.respond("slow", async () => {
    most = Math.max(most, ++running);
    await worker.ping(); // any wait will do
    running--;
  }, { concurrency: 3 });
  await Promise.all(Array.from({ length: 20 }, () => requester.request("slow", "")));
  assertEquals(most, 3);
});

Deno.test("without a responder a request fails at once as no_responders", async () => {
  await using server = await serve({ port: 0 });
  await using requester = await connect({ port: server.port });
  assertEquals(
    (await assertRejects(() => requester.request("none", "?"), ParleyError)).code,
    "no_responders",
  );
});

Deno.test("requests fail as responder_gone when the responder closes", async () => {
  await using server = await serve({ port: 0 });
  const worker = await connect({ port: server.port });
  await using requester = await connect({ port: server.port });
  let received!: () => void;
  const isReceived = new Promise<void>((resolve) => received = resolve);
  await worker.respond("never", () => {
    received();
    return new Promise<string>(() => {});
  });
  const failed = assertRejects(() => requester.request("never", "?"), ParleyError);
  await isReceived;
  await worker.close();
  assertEquals((await failed).code, "responder_gone");
});

Deno.test("no reply in time is timed_out, and a late reply is not taken for that of another request", async () => {
  await playServer(async (server) => {
    using peer = await server.greet();
    await peer.open(5);
    const late = (await peer.expect(Type.REQUEST)).header;
    const inTime = (await peer.expect(Type.REQUEST)).header;
    assert(late.id !== inTime.id);
    const reply = { type: Type.REPLY, channel: (INBOX | 17) >>> 0, sender: 3, flags: 1 };
    const text = (words: string) => new TextEncoder().encode(words);
    await peer.write(encodeFrame({ ...reply, id: late.id }, text("late")));
    await peer.write(encodeFrame({ ...reply, id: inTime.id }, text("in time")));
    await peer.drain();
  }, async (port) => {
    await using client = await connect({ port, reconnect: false });
    const error = await assertRejects(() => client.request("slow", "?", { timeoutMs: 20 }), ParleyError);
    assertEquals([error.code, error.fatal], ["timed_out", false]);
    assertEquals((await client.request("slow", "?")).text(), "in time");
  });
});

Deno.test("an error in a handler is reported locally, and fails the request at once, without the details", async () => {
  await using server = await serve({ port: 0 });
  await using worker = await connect({ port: server.port });
  await using requester = await connect({ port: server.port });
  const reported: unknown[] = [];
  await using _responder = await worker.respond("fragile", (request) => {
    if (request.text() === "no") throw new ParleyError("no_responders", "not for you");
    throw new Error("the password is 1234");
  }, { onError: (error) => reported.push((error as Error).message) });

  const error = await assertRejects(() => requester.request("fragile", "x"), ParleyError, "responder failed");
  assertEquals([error.code, error.fatal, error.message.includes("1234")], ["responder_failed", false, false]);
  const refused = await assertRejects(() => requester.request("fragile", "no"), ParleyError);
  assertEquals([refused.code, refused.message.includes("not for you")], ["responder_failed", false]);
  assertEquals(reported, ["the password is 1234", "not for you"]);
});

Deno.test("a handler whose result cannot be sent has failed", async () => {
  await using server = await serve({ port: 0 });
  await using worker = await connect({ port: server.port });
  await using requester = await connect({ port: server.port });
  const codes: string[] = [];
  await using _responder = await worker.respond(
    "wrong",
    () => 7 as unknown as string,
    { onError: (error) => codes.push((error as ParleyError).code) },
  );
  assertEquals(
    (await assertRejects(() => requester.request("wrong", ""), ParleyError)).code,
    "responder_failed",
  );
  assertEquals(codes, ["bad_argument"]);
});

Deno.test("a handler may reply by itself, once", async () => {
  await using server = await serve({ port: 0 });
  await using worker = await connect({ port: server.port });
  await using requester = await connect({ port: server.port });
  const errors: unknown[] = [];
  await using _responder = await worker.respond("jobs", async (request) => {
    await request.reply(`${Number(request.text()) * 2}`);
    await request.reply("again");
  }, { onError: (error) => errors.push((error as ParleyError).code) });
  assertEquals((await requester.request("jobs", "2")).text(), "4");
  await worker.ping();
  assertEquals(errors, ["bad_argument"]);
});

Deno.test("subscribing does not make a responder, neither by name nor by pattern", async () => {
  await using server = await serve({ port: 0 });
  await using subscriber = await connect({ port: server.port });
  await using requester = await connect({ port: server.port });
  await using jobs = await subscriber.subscribe("jobs");
  await using _all = await subscriber.subscribe(">");
  const error = await assertRejects(() => requester.request("jobs", "?"), ParleyError);
  assertEquals(error.code, "no_responders");
  await requester.publish("jobs", "the next one, so no request came before");
  assertEquals((await next(jobs)).text(), "the next one, so no request came before");
});

Deno.test("responding does not make a subscriber", async () => {
  await using server = await serve({ port: 0 });
  const received: number[] = [];
  const trace: Trace = (way, { type }) => way === "in" && received.push(type);
  await using worker = await connect({ port: server.port, trace });
  await using requester = await connect({ port: server.port });
  await using _responder = await worker.respond("jobs", () => "done");
  await requester.publish("jobs", "a message");
  await requester.request("jobs", "");
  assertEquals(received, [Type.WELCOME, Type.OPENED, Type.REQUEST]);
});

Deno.test("a client answers its own requests, by name and by pattern", async () => {
  await using server = await serve({ port: 0 });
  await using client = await connect({ port: server.port });
  await using _upper = await client.respond("text.upper", (request) => request.text().toUpperCase());
  await using _any = await client.respond("shop.*", (request) => request.channel);
  const reply = await client.request("text.upper", "quiet");
  assertEquals([reply.text(), reply.sender], ["QUIET", client.sessionId]);
  assertEquals((await client.request("shop.shoes", "")).text(), "shop.shoes");
});

Deno.test("a handler that responds by name takes precedence over one by pattern", async () => {
  await using server = await serve({ port: 0 });
  await using client = await connect({ port: server.port });
  await using _pattern = await client.respond("shop.*", () => "by pattern");
  await using _name = await client.respond("shop.shoes", () => "by name");
  assertEquals((await client.request("shop.shoes", "")).text(), "by name");
  assertEquals((await client.request("shop.hats", "")).text(), "by pattern");
});

Deno.test("a responder answers by pattern", async () => {
  await using server = await serve({ port: 0 });
  await using worker = await connect({ port: server.port });
  await using requester = await connect({ port: server.port });
  await using _responder = await worker.respond("shop.*", (request) => request.channel);
  assertEquals((await requester.request("shop.shoes", "?")).text(), "shop.shoes");
});

Deno.test("stop answers the requests received before, and takes no more", async () => {
  await using server = await serve({ port: 0 });
  await using worker = await connect({ port: server.port });
  await using requester = await connect({ port: server.port });
  let release!: () => void;
  let received!: () => void;
  const released = new Promise<void>((resolve) => release = resolve);
  const isReceived = new Promise<void>((resolve) => received = resolve);
  const responder = await worker.respond("slow", async (request) => {
    received();
    await released;
    return request.text();
  });
  const reply = requester.request("slow", "before");
  await isReceived;
  const stopped = responder.stop();
  release();
  assertEquals((await reply).text(), "before");
  await stopped;
  assertEquals(
    (await assertRejects(() => requester.request("slow", "after"), ParleyError)).code,
    "no_responders",
  );
});

Deno.test("a client subscribes to a channel and responds on it, each independent of the other", async () => {
  await using server = await serve({ port: 0 });
  await using client = await connect({ port: server.port });
  const jobs = await client.subscribe("jobs");
  const responder = await client.respond("jobs", () => "done");
  await assertRejects(
    () => client.respond("jobs", () => {}),
    ParleyError,
    "has a responder for jobs already",
  );
  await client.publish("jobs", "a message");
  assertEquals((await client.request("jobs", "")).text(), "done");
  await responder.stop();
  await client.publish("jobs", "another");
  assertEquals([(await next(jobs)).text(), (await next(jobs)).text()], ["a message", "another"]);
  await using _again = await client.respond("jobs", () => "again");
  await jobs.end();
  assertEquals((await client.request("jobs", "")).text(), "again");
});

Deno.test("a responder that is stopped aborts request.signal once its time is over", async () => {
  await using server = await serve({ port: 0 });
  await using client = await connect({ port: server.port });
  const received = Promise.withResolvers<void>();
  const aborted = Promise.withResolvers<unknown>();
  const responder = await client.respond("slow", (request) => {
    request.signal.addEventListener("abort", () => aborted.resolve(request.signal.reason.code));
    received.resolve();
    return aborted.promise as Promise<void>;
  });
  const reply = client.request("slow", "").catch(() => {});
  await received.promise;
  const error = await assertRejects(() => responder.stop({ timeoutMs: 20 }), ParleyError);
  assertEquals([error.code, await aborted.promise], ["timed_out", "closed"]);
  await reply;
});

Deno.test("a request ends by its signal, its time or a limit that is no limit", async () => {
  await using server = await serve({ port: 0 });
  await using client = await connect({ port: server.port });
  await using _echo = await client.respond("echo", (request) => request.text());
  const release = Promise.withResolvers<void>();
  await using _slow = await client.respond("slow", () => release.promise);
  for (const timeoutMs of [Infinity, 2 ** 40]) {
    assertEquals((await client.request("echo", "x", { timeoutMs })).text(), "x");
  }
  const abort = new AbortController();
  const request = client.request("slow", "", { signal: abort.signal });
  await client.ping();
  abort.abort(new Error("no more"));
  await assertRejects(() => request, Error, "no more");
  release.resolve();
});

Deno.test("an application's error crosses with code, message and data", async () => {
  await using server = await serve({ port: 0 });
  await using client = await connect({ port: server.port });
  await using _shop = await client.respond("shop", () => {
    throw new ApplicationError("out_of_stock", "no shoes left", { next: "Monday" });
  }, { onError: () => {} });
  const error = await assertRejects(() => client.request("shop", ""), ApplicationError, "no shoes left");
  assertEquals([error.code, error.data], ["out_of_stock", { next: "Monday" }]);
  assertThrows(() => new ApplicationError("Not A Code", ""), ParleyError, "1 to 64 of");
});

Deno.test("a channel can be subscribed to after the server has refused to let the client respond on it", async () => {
  await playServer(async (server) => {
    using peer = await server.greet();
    const respond = await peer.expect(Type.OPEN);
    assertEquals([respond.json().subscribe, respond.json().respond], [false, true]);
    const rejection = { code: "forbidden", message: "not allowed", fatal: false };
    await peer.control({ type: Type.ERROR, id: respond.header.id }, rejection);
    const open = await peer.open(5);
    assertEquals([open.subscribe, open.respond], [true, false]);
    await peer.drain();
  }, async (port) => {
    await using client = await connect({ port, reconnect: false });
    await assertRejects(() => client.respond("jobs", () => {}), ParleyError, "not allowed");
    await client.subscribe("jobs");
  });
});

Deno.test("a request on a channel that is being subscribed does not end the subscription", async () => {
  await using server = await serve({ port: 0 });
  await using worker = await connect({ port: server.port });
  await using _responder = await worker.respond("news", () => "yes");
  await using client = await connect({ port: server.port });
  const [news, reply] = await Promise.all([client.subscribe("news"), client.request("news", "anything?")]);
  assertEquals(reply.text(), "yes");
  await client.publish("news", "something");
  for await (const message of news) {
    assertEquals(message.text(), "something");
    break;
  }
});

Deno.test("requests on more channels than may be open leave the least recently used", async () => {
  await using server = await serve({ port: 0, limits: { channels: 8 } });
  await using worker = await connect({ port: server.port });
  await using _responder = await worker.respond("user.*", (request) => request.channel);
  await using client = await connect({ port: server.port });
  for (let i = 0; i < 40; i++) assertEquals((await client.request(`user.${i}`, "")).text(), `user.${i}`);
  assertEquals((await client.request("user.0", "")).text(), "user.0");
});

Deno.test("$echo answers with the same payload and kind", async () => {
  await using server = await serve({ port: 0 });
  await using client = await connect({ port: server.port });
  const reply = await client.request("$echo", { json: [1] });
  assertEquals([reply.json(), reply.kind, reply.sender], [[1], "json", 0]);
});

Deno.test("a direct message reaches one session, with its sender's number", async () => {
  await using server = await serve({ port: 0 });
  await using ada = await connect({ port: server.port });
  await using grace = await connect({ port: server.port });
  await ada.sendTo(grace.sessionId, "psst");
  for await (const message of grace.inbox) {
    assertEquals([message.text(), message.sender, message.channel], ["psst", ada.sessionId, "$inbox"]);
    break;
  }
});

Deno.test("a direct message to an unknown session fails the next one, or close", async () => {
  await using server = await serve({ port: 0 });
  const client = await connect({ port: server.port });
  await client.sendTo(4711, "hello?");
  await client.ping();
  assertEquals((await assertRejects(() => client.sendTo(4711, "?"), ParleyError)).code, "no_such_session");
  await client.sendTo(4711, "hello?");
  assertEquals((await assertRejects(() => client.close(), ParleyError)).code, "no_such_session");
  assertEquals((await assertRejects(() => client.sendTo(0, "?"), ParleyError)).code, "bad_argument");
});
