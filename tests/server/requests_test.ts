import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { serve } from "../../lib/mod.ts";
import { Type } from "../../lib/wire/header.ts";
import { inbox, json, RawClient, text } from "../harness/raw_client.ts";

Deno.test("a REQUEST goes to a responder and its REPLY back, both byte for byte", async () => {
  await using server = await serve();
  using ada = await RawClient.greet(server);
  using grace = await RawClient.greet(server);
  const { number } = await grace.respond("jobs");
  await ada.openToPublish("jobs");
  await ada.send(ada.frame(Type.REQUEST, { id: 40_000, channel: number, flags: 2 }, '{"n":1}'));
  const { payload: question, ...asked } = await grace.expect(Type.REQUEST);
  const { number: sender } = ada;
  assertEquals(asked, { type: Type.REQUEST, flags: 2, id: 40_000, length: 7, channel: number, sender });
  assertEquals(new TextDecoder().decode(question), '{"n":1}');
  await grace.send(grace.frame(Type.REPLY, { id: 40_000, channel: inbox(ada.number), flags: 1 }, "two"));
  const { payload: _, ...answer } = await ada.expect(Type.REPLY);
  assertEquals(answer, {
    type: Type.REPLY,
    flags: 1,
    id: 40_000,
    length: 3,
    channel: inbox(ada.number),
    sender: grace.number,
  });
});

Deno.test("responders take turns, whether by name or by pattern; the requester may be one of them", async () => {
  await using server = await serve();
  using ada = await RawClient.greet(server);
  using grace = await RawClient.greet(server);
  using alan = await RawClient.greet(server);
  const { number } = await ada.respond("jobs");
  await grace.respond("*");
  await alan.open("jobs", { respond: true, group: "w", echo: false }); // which concern messages only
  await ada.send(...[1, 2, 3, 4, 5, 6].map((id) => ada.request(id, number, `${id}`)));
  const ids = async (client: RawClient) =>
    (await client.barrier()).filter(({ type }) => type === Type.REQUEST).map(({ id }) => id);
  const shares = [await ids(ada), await ids(grace), await ids(alan)];
  assertEquals(shares.map(({ length }) => length), [2, 2, 2]);
  assertEquals(shares.flat().sort(), [1, 2, 3, 4, 5, 6]);
});

Deno.test("responders take turns over short-lived channels too", async () => {
  await using server = await serve();
  using ada = await RawClient.greet(server);
  const responders = [];
  for (let i = 0; i < 3; i++) responders.push(await RawClient.greet(server));
  for (const responder of responders) await responder.respond("jobs.*");
  for (let id = 1; id <= 9; id++) {
    await ada.send(ada.request(id, await ada.openToPublish(`jobs.${id}`)));
    await ada.leave(`jobs.${id}`);
  }
  const counts = [];
  for (const responder of responders) {
    counts.push((await responder.barrier()).filter(({ type }) => type === Type.REQUEST).length);
    responder.close();
  }
  assertEquals(counts, [3, 3, 3]);
});

Deno.test("subscribing does not make a responder, not even by a pattern beside a running service", async () => {
  await using server = await serve();
  using ada = await RawClient.greet(server);
  using service = await RawClient.greet(server);
  using passive = await RawClient.greet(server);
  const { number } = await service.respond("shop.price");
  await passive.open("shop.>");
  await passive.open("shop.price");
  await ada.openToPublish("shop.price");
  await ada.send(...[1, 2, 3, 4].map((id) => ada.request(id, number)), ada.message(number, "to all"));
  assertEquals((await service.barrier()).map(({ id }) => id), [1, 2, 3, 4], "and no message");
  const received = await passive.barrier();
  assertEquals(received.filter(({ type }) => type === Type.REQUEST), []);
  assertEquals(received.filter(({ type }) => type === Type.MESSAGE).map(text), ["to all"]);
});

Deno.test("OPENED says whether the session responds; opening again changes it", async () => {
  await using server = await serve();
  using ada = await RawClient.greet(server);
  using grace = await RawClient.greet(server);
  const opened = await grace.respond("jobs");
  assertEquals([opened.publish, opened.subscribe, opened.respond], [true, false, true]);
  const number = await ada.openToPublish("jobs");
  assertEquals((await grace.open("jobs")).respond, false);
  await ada.send(ada.request(1, number));
  assertEquals((await ada.refused("no_responders")).id, 1);
  const pattern = await grace.open("jobs.>", { respond: true });
  assertEquals([pattern.number, pattern.subscribe, pattern.respond], [0, true, true]);
  await grace.send(grace.frame(Type.OPEN, { id: 9 }, { channel: "$echo", respond: true }));
  assertEquals((await grace.refused("forbidden")).id, 9);
});

Deno.test("a requester that does not read its replies gets no_reply, and holds up no other session", async () => {
  await using server = await serve({ limits: { payloadBytes: 64 * 1024, pendingBytes: 128 * 1024 } });
  using deaf = await RawClient.greet(server);
  using ada = await RawClient.greet(server);
  using grace = await RawClient.greet(server);
  const { number } = await grace.respond("jobs");
  await deaf.openToPublish("jobs");
  await ada.openToPublish("jobs");
  await deaf.send(...Array.from({ length: 500 }, (_, i) => deaf.request(i + 1, number)));
  const large = "x".repeat(60 * 1024);
  for (let id = 1; id <= 500; id++) {
    await grace.expect(Type.REQUEST);
    await grace.send(grace.reply(id, deaf.number, large));
  }
  await ada.send(ada.request(1, number));
  await grace.expect(Type.REQUEST);
  await grace.send(grace.reply(1, ada.number, "prompt"));
  assertEquals(text(await ada.expect(Type.REPLY)), "prompt");
  const answers = [];
  for (let i = 0; i < 500; i++) answers.push(await deaf.next());
  const refused = answers.filter(({ type }) => type === Type.ERROR);
  for (const frame of refused) assertEquals(json(frame).code, "no_reply");
  assertEquals(answers.length - refused.length, answers.filter(({ type }) => type === Type.REPLY).length);
  assertEquals(new Set(answers.map(({ id }) => id)).size, 500, "each request ended once");
  assert(refused.length > 0);
});

Deno.test("a pattern's responder is told the channel's name before its first request", async () => {
  await using server = await serve();
  using ada = await RawClient.greet(server);
  using grace = await RawClient.greet(server);
  await grace.respond("jobs.*");
  const number = await ada.openToPublish("jobs.resize");
  await ada.send(ada.request(1, number));
  assertEquals((await grace.expect(Type.OPENED)).channel, number);
  await grace.expect(Type.REQUEST);
  await grace.send(grace.reply(1, ada.number, "done"));
  assertEquals(text(await ada.expect(Type.REPLY)), "done");
});

Deno.test("without a responder there is no_responders at once", async () => {
  await using server = await serve();
  using ada = await RawClient.greet(server);
  using grace = await RawClient.greet(server);
  const { number } = await ada.open("jobs");
  await grace.open("jobs");
  await ada.send(ada.request(7, number));
  const { id, channel, fatal, message } = await ada.refused("no_responders");
  assertEquals([id, channel, fatal], [7, number, false]);
  assertStringIncludes(message, "jobs");
  await grace.respond("jobs");
  await ada.send(ada.request(7, number)); // the id is free again
  await grace.expect(Type.REQUEST);
});

Deno.test("if the responder ends before it answers, there is responder_gone at once", async () => {
  await using server = await serve();
  using ada = await RawClient.greet(server);
  using grace = await RawClient.greet(server);
  const { number } = await grace.respond("jobs");
  await ada.openToPublish("jobs");
  await ada.send(ada.request(1, number), ada.request(2, number), ada.request(3, number));
  await grace.expect(Type.REQUEST);
  await grace.send(grace.reply(1, ada.number));
  await ada.expect(Type.REPLY);
  grace.close();
  for (const id of [2, 3]) {
    const rejection = await ada.refused("responder_gone");
    assertEquals([rejection.id, rejection.channel, rejection.fatal], [id, number, false]);
  }
  assertEquals(await ada.barrier(), [], "and what was answered is not gone");
});

Deno.test("a responder that left the channel may still answer what it was asked there", async () => {
  await using server = await serve();
  using ada = await RawClient.greet(server);
  using grace = await RawClient.greet(server);
  const { number } = await grace.respond("jobs");
  await ada.openToPublish("jobs");
  await ada.send(ada.request(1, number));
  await grace.expect(Type.REQUEST);
  await grace.leave("jobs");
  await grace.send(grace.reply(1, ada.number, "last one"));
  assertEquals(text(await ada.expect(Type.REPLY)), "last one");
});

Deno.test("a REPLY from a session that was not asked, under another id, or a second time is forbidden", async () => {
  await using server = await serve();
  using ada = await RawClient.greet(server);
  using grace = await RawClient.greet(server);
  using mallory = await RawClient.greet(server);
  const { number } = await grace.respond("jobs");
  await ada.openToPublish("jobs");
  await ada.send(ada.request(1, number));
  await grace.expect(Type.REQUEST);

  const forbidden = async (client: RawClient, id: number) => {
    await client.send(client.reply(id, ada.number, "forged"));
    const rejection = await client.refused("forbidden");
    assertEquals([rejection.id, rejection.channel, rejection.fatal], [id, inbox(ada.number), false]);
  };
  await forbidden(mallory, 1);
  await forbidden(grace, 2);
  await grace.send(grace.reply(1, ada.number, "genuine"));
  assertEquals(text(await ada.expect(Type.REPLY)), "genuine");
  await forbidden(grace, 1);
  assertEquals(await ada.barrier(), []);
});

Deno.test("an id that waits for its answer is in use; another session's is not", async () => {
  await using server = await serve();
  using ada = await RawClient.greet(server);
  using alan = await RawClient.greet(server);
  using grace = await RawClient.greet(server);
  const { number } = await grace.respond("jobs");
  for (const requester of [ada, alan]) {
    await requester.openToPublish("jobs");
    await requester.send(requester.request(5, number));
    await grace.expect(Type.REQUEST);
  }
  await ada.send(ada.request(5, number));
  const { id, channel, fatal } = await ada.refused("id_in_use");
  assertEquals([id, channel, fatal], [5, number, false]);
  for (const requester of [alan, ada]) {
    await grace.send(grace.reply(5, requester.number, `to ${requester.number}`));
    assertEquals(text(await requester.expect(Type.REPLY)), `to ${requester.number}`);
  }
  await ada.send(ada.request(5, number));
  await grace.expect(Type.REQUEST);
});

Deno.test("only so many requests may wait for an answer", async () => {
  await using server = await serve({ limits: { requests: 2 } });
  using ada = await RawClient.greet(server);
  using grace = await RawClient.greet(server);
  const { number } = await grace.respond("jobs");
  await ada.openToPublish("jobs");
  await ada.send(...[1, 2, 3].map((id) => ada.request(id, number)));
  assertEquals((await ada.refused("limit")).id, 3);
  await grace.send(grace.reply(1, ada.number));
  await ada.expect(Type.REPLY);
  await ada.send(ada.request(3, number));
  assertEquals(await ada.barrier(), []);
  assertEquals((await grace.barrier()).map(({ id }) => id), [1, 2, 3]);
});

Deno.test("a request that is not answered in time gets no_reply, and the late REPLY is forbidden", async () => {
  await using server = await serve({ limits: { requestMs: 200 } });
  using ada = await RawClient.greet(server);
  using grace = await RawClient.greet(server);
  const { number } = await grace.respond("jobs");
  await ada.openToPublish("jobs");
  const start = performance.now();
  await ada.send(ada.request(1, number));
  const { id, channel, fatal } = await ada.refused("no_reply");
  assertEquals([id, channel, fatal, performance.now() - start >= 199], [1, number, false, true]);
  await grace.expect(Type.REQUEST);
  await grace.send(grace.reply(1, ada.number, "sorry, late"));
  assertEquals((await grace.refused("forbidden")).id, 1);
  assertEquals(await ada.barrier(), []);
});

Deno.test("a REPLY to a session that is gone is refused as no_such_session", async () => {
  await using server = await serve();
  using ada = await RawClient.greet(server);
  using grace = await RawClient.greet(server);
  const { number } = await grace.open("jobs", { presence: true, respond: true });
  await ada.open("jobs");
  await ada.send(ada.request(1, number));
  await grace.expect(Type.JOINED);
  await grace.expect(Type.REQUEST);
  ada.close();
  await grace.expect(Type.PARTED);
  await grace.send(grace.reply(1, ada.number));
  assertEquals((await grace.refused("no_such_session")).id, 1);
});

Deno.test("requests and messages of one sender keep their order", async () => {
  await using server = await serve();
  using ada = await RawClient.greet(server);
  using grace = await RawClient.greet(server);
  const { number } = await grace.open("jobs", { respond: true });
  await ada.openToPublish("jobs");
  await ada.send(ada.message(number, "1"), ada.request(2, number, "2"), ada.message(number, "3"));
  await ada.barrier();
  assertEquals((await grace.barrier()).map(text), ["1", "2", "3"]);
});
