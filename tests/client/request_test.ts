import { assert, assertEquals, assertRejects } from "@std/assert";
import { serve } from "../../lib/server/serve.ts";
import { connect } from "../../lib/client/connect.ts";
import { ParleyError } from "../../lib/errors.ts";
import { encodeFrame, INBOX, Type } from "../../lib/wire/header.ts";
import { playServer } from "./fake_server.ts";

Deno.test("a request gets the handler's answer, of any kind", async () => {
  await using server = await serve({ port: 0 });
  await using worker = await connect({ port: server.port });
  await using asker = await connect({ port: server.port });
  await using _upper = await worker.respond("upper", (request) => request.text().toUpperCase());
  await using _sum = await worker.respond("sum", async (request) => {
    await Promise.resolve();
    return { json: (request.json() as number[]).reduce((a, b) => a + b, 0) };
  });
  await using _nothing = await worker.respond("nothing", () => {});

  const reply = await asker.request("upper", "quiet");
  assertEquals([reply.text(), reply.kind, reply.channel], ["QUIET", "text", "upper"]);
  assertEquals([reply.sender, reply.isRequest], [worker.number, false]);
  assertEquals((await asker.request("sum", { json: [1, 2, 3] })).json(), 6);
  assertEquals((await asker.request("nothing", "")).payload.length, 0);
});

Deno.test("a thousand requests at once each get their own answer", async () => {
  await using server = await serve({ port: 0 });
  await using worker = await connect({ port: server.port });
  await using asker = await connect({ port: server.port });
  await using _responder = await worker.respond("id", (request) => request.text(), { concurrency: 7 });
  const asked = Array.from({ length: 1000 }, (_, i) => `${i}`);
  const replies = await Promise.all(asked.map((text) => asker.request("id", text)));
  assertEquals(replies.map((reply) => reply.text()), asked);
});

Deno.test("a responder works on no more requests at once than it may", async () => {
  await using server = await serve({ port: 0 });
  await using worker = await connect({ port: server.port });
  await using asker = await connect({ port: server.port });
  let running = 0;
  let most = 0;
  await using _responder = await worker.respond("slow", async () => {
    most = Math.max(most, ++running);
    await worker.ping(); // any wait will do
    running--;
  }, { concurrency: 3 });
  await Promise.all(Array.from({ length: 20 }, () => asker.request("slow", "")));
  assertEquals(most, 3);
});

Deno.test("with nobody to ask a request fails at once as no_responders", async () => {
  await using server = await serve({ port: 0 });
  await using asker = await connect({ port: server.port });
  assertEquals((await assertRejects(() => asker.request("nobody", "?"), ParleyError)).code, "no_responders");
});

Deno.test("a responder that goes away fails its requests as responder_gone", async () => {
  await using server = await serve({ port: 0 });
  const worker = await connect({ port: server.port });
  await using asker = await connect({ port: server.port });
  let asked!: () => void;
  const isAsked = new Promise<void>((resolve) => asked = resolve);
  await worker.respond("never", () => {
    asked();
    return new Promise<string>(() => {});
  });
  const failed = assertRejects(() => asker.request("never", "?"), ParleyError);
  await isAsked;
  await worker.close();
  assertEquals((await failed).code, "responder_gone");
});

Deno.test("no reply in time is no_reply, and a late one is not taken for the answer to another question", async () => {
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
    await using client = await connect({ port });
    const error = await assertRejects(() => client.request("slow", "?", { timeoutMs: 20 }), ParleyError);
    assertEquals([error.code, error.fatal], ["no_reply", false]);
    assertEquals((await client.request("slow", "?")).text(), "in time");
  });
});

Deno.test("a handler that throws is reported where it is, and the asker told at once, without the details", async () => {
  await using server = await serve({ port: 0 });
  await using worker = await connect({ port: server.port });
  await using asker = await connect({ port: server.port });
  const reported: unknown[] = [];
  await using _responder = await worker.respond("fragile", (request) => {
    if (request.text() === "no") throw new ParleyError("forbidden", "not for you");
    throw new Error("the password is 1234");
  }, { onError: (error) => reported.push((error as Error).message) });

  const error = await assertRejects(() => asker.request("fragile", "x"), ParleyError, "responder failed");
  assertEquals([error.code, error.fatal, error.message.includes("1234")], ["no_reply", false, false]);
  const refused = await assertRejects(() => asker.request("fragile", "no"), ParleyError, "not for you");
  assertEquals(refused.code, "forbidden");
  assertEquals(reported, ["the password is 1234", "not for you"]);
});

Deno.test("a handler that returns what cannot be sent is a handler that failed", async () => {
  await using server = await serve({ port: 0 });
  await using worker = await connect({ port: server.port });
  await using asker = await connect({ port: server.port });
  const codes: string[] = [];
  await using _responder = await worker.respond(
    "wrong",
    () => 7 as unknown as string,
    { onError: (error) => codes.push((error as ParleyError).code) },
  );
  assertEquals((await assertRejects(() => asker.request("wrong", ""), ParleyError)).code, "no_reply");
  assertEquals(codes, ["bad_argument"]);
});

Deno.test("requests come in the loop too, where they can be answered once", async () => {
  await using server = await serve({ port: 0 });
  await using worker = await connect({ port: server.port });
  await using asker = await connect({ port: server.port });
  const jobs = await worker.open("jobs");
  const reply = asker.request("jobs", "2");
  for await (const message of jobs) {
    assert(message.isRequest);
    await message.reply(`${Number(message.text()) * 2}`);
    assertEquals((await assertRejects(() => message.reply("again"), ParleyError)).code, "bad_argument");
    break;
  }
  assertEquals((await reply).text(), "4");
  await jobs.publish("no question");
  for await (const message of jobs) {
    assertEquals((await assertRejects(() => message.reply("x"), ParleyError)).code, "bad_argument");
    break;
  }
});

Deno.test("a responder answers by pattern, and passes over messages that ask nothing", async () => {
  await using server = await serve({ port: 0 });
  await using worker = await connect({ port: server.port });
  await using asker = await connect({ port: server.port });
  await using _responder = await worker.respond("shop.*", (request) => request.channel);
  const shop = await asker.open("shop.shoes", { subscribe: false });
  await shop.publish("closing soon");
  assertEquals((await asker.request("shop.shoes", "?")).text(), "shop.shoes");
});

Deno.test("stop answers what was asked before, and takes no more", async () => {
  await using server = await serve({ port: 0 });
  await using worker = await connect({ port: server.port });
  await using asker = await connect({ port: server.port });
  let release!: () => void;
  let asked!: () => void;
  const released = new Promise<void>((resolve) => release = resolve);
  const isAsked = new Promise<void>((resolve) => asked = resolve);
  const responder = await worker.respond("slow", async (request) => {
    asked();
    await released;
    return request.text();
  });
  const reply = asker.request("slow", "before");
  await isAsked;
  const stopped = responder.stop();
  release();
  assertEquals((await reply).text(), "before");
  await stopped;
  assertEquals(
    (await assertRejects(() => asker.request("slow", "after"), ParleyError)).code,
    "no_responders",
  );
});

Deno.test("a channel is either iterated or responded on", async () => {
  await using server = await serve({ port: 0 });
  await using client = await connect({ port: server.port });
  await client.open("one");
  await assertRejects(() => client.respond("one", () => {}), ParleyError, "open on this client already");
  await using _responder = await client.respond("two", () => {});
  await assertRejects(() => client.open("two"), ParleyError, "open on this client already");
  await assertRejects(() => client.respond("two", () => {}), ParleyError, "open on this client already");
});

Deno.test("asking on a channel that is being subscribed does not end the subscription", async () => {
  await using server = await serve({ port: 0 });
  await using worker = await connect({ port: server.port });
  await using _responder = await worker.respond("news", () => "yes");
  await using client = await connect({ port: server.port });
  const [news, reply] = await Promise.all([client.open("news"), client.request("news", "anything?")]);
  assertEquals(reply.text(), "yes");
  await news.publish("something");
  for await (const message of news) {
    assertEquals(message.text(), "something");
    break;
  }
});

Deno.test("asking on more channels than may be open leaves the longest unused", async () => {
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
  await ada.direct(grace.number, "psst");
  for await (const message of grace.inbox) {
    assertEquals([message.text(), message.sender, message.channel], ["psst", ada.number, "$inbox"]);
    break;
  }
});

Deno.test("a direct message to nobody fails the next one, or close", async () => {
  await using server = await serve({ port: 0 });
  const client = await connect({ port: server.port });
  await client.direct(4711, "anybody?");
  await client.ping();
  assertEquals((await assertRejects(() => client.direct(4711, "?"), ParleyError)).code, "no_such_session");
  await client.direct(4711, "anybody?");
  assertEquals((await assertRejects(() => client.close(), ParleyError)).code, "no_such_session");
  assertEquals((await assertRejects(() => client.direct(0, "?"), ParleyError)).code, "bad_argument");
});
