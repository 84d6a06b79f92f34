import { assertEquals, assertStringIncludes } from "@std/assert";
import { serve } from "../../lib/mod.ts";
import { Type } from "../../lib/wire/header.ts";
import { inbox, RawClient, text } from "../harness/raw_client.ts";

Deno.test("a REQUEST goes to a subscriber and its REPLY back, both byte for byte", async () => {
  await using server = await serve();
  using ada = await RawClient.greet(server);
  using grace = await RawClient.greet(server);
  const { number } = await grace.open("jobs");
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

Deno.test("requests go to the subscribers in turn, never to who asks", async () => {
  await using server = await serve();
  using ada = await RawClient.greet(server);
  using grace = await RawClient.greet(server);
  using alan = await RawClient.greet(server);
  const { number } = await ada.open("jobs"); // subscribed itself
  await grace.open("jobs", { group: "w" }); // groups and echo make no difference
  await alan.open("jobs", { echo: false });
  await ada.send(...[1, 2, 3, 4].map((id) => ada.request(id, number, `${id}`)));
  assertEquals(await ada.barrier(), []);
  const ids = async (client: RawClient) => (await client.barrier()).map(({ id }) => id);
  const [first, second] = [await ids(grace), await ids(alan)].sort();
  assertEquals([first, second], [[1, 3], [2, 4]]);
  await grace.send(grace.request(5, number), grace.request(6, number));
  await grace.barrier();
  assertEquals([...await ids(ada), ...await ids(alan)].sort(), [5, 6]);
  assertEquals(await grace.barrier(), []);
});

Deno.test("a pattern's subscriber can be asked too, and is told the channel's name before", async () => {
  await using server = await serve();
  using ada = await RawClient.greet(server);
  using grace = await RawClient.greet(server);
  await grace.open("jobs.*");
  const number = await ada.openToPublish("jobs.resize");
  await ada.send(ada.request(1, number));
  assertEquals((await grace.expect(Type.OPENED)).channel, number);
  await grace.expect(Type.REQUEST);
  await grace.send(grace.reply(1, ada.number, "done"));
  assertEquals(text(await ada.expect(Type.REPLY)), "done");
});

Deno.test("with nobody to ask, or only oneself, there are no_responders at once", async () => {
  await using server = await serve();
  using ada = await RawClient.greet(server);
  using grace = await RawClient.greet(server);
  const { number } = await ada.open("jobs");
  await grace.openToPublish("jobs");
  await ada.send(ada.request(7, number));
  const { id, channel, fatal, message } = await ada.refused("no_responders");
  assertEquals([id, channel, fatal], [7, number, false]);
  assertStringIncludes(message, "jobs");
  await grace.open("jobs");
  await ada.send(ada.request(7, number)); // the id is free again
  await grace.expect(Type.REQUEST);
});

Deno.test("if the asked session ends before it answers, there is responder_gone at once", async () => {
  await using server = await serve();
  using ada = await RawClient.greet(server);
  using grace = await RawClient.greet(server);
  const { number } = await grace.open("jobs");
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

Deno.test("who leaves the channel may still answer what it was asked there", async () => {
  await using server = await serve();
  using ada = await RawClient.greet(server);
  using grace = await RawClient.greet(server);
  const { number } = await grace.open("jobs");
  await ada.openToPublish("jobs");
  await ada.send(ada.request(1, number));
  await grace.expect(Type.REQUEST);
  await grace.leave("jobs");
  await grace.send(grace.reply(1, ada.number, "last one"));
  assertEquals(text(await ada.expect(Type.REPLY)), "last one");
});

Deno.test("a REPLY from who was not asked, under another id, or a second one is forbidden", async () => {
  await using server = await serve();
  using ada = await RawClient.greet(server);
  using grace = await RawClient.greet(server);
  using mallory = await RawClient.greet(server);
  const { number } = await grace.open("jobs");
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
  const { number } = await grace.open("jobs");
  for (const asker of [ada, alan]) {
    await asker.openToPublish("jobs");
    await asker.send(asker.request(5, number));
    await grace.expect(Type.REQUEST);
  }
  await ada.send(ada.request(5, number));
  const { id, channel, fatal } = await ada.refused("id_in_use");
  assertEquals([id, channel, fatal], [5, number, false]);
  for (const asker of [alan, ada]) {
    await grace.send(grace.reply(5, asker.number, `to ${asker.number}`));
    assertEquals(text(await asker.expect(Type.REPLY)), `to ${asker.number}`);
  }
  await ada.send(ada.request(5, number));
  await grace.expect(Type.REQUEST);
});

Deno.test("only so many requests may wait for an answer", async () => {
  await using server = await serve({ limits: { requests: 2 } });
  using ada = await RawClient.greet(server);
  using grace = await RawClient.greet(server);
  const { number } = await grace.open("jobs");
  await ada.openToPublish("jobs");
  await ada.send(...[1, 2, 3].map((id) => ada.request(id, number)));
  assertEquals((await ada.refused("limit")).id, 3);
  await grace.send(grace.reply(1, ada.number));
  await ada.expect(Type.REPLY);
  await ada.send(ada.request(3, number));
  assertEquals(await ada.barrier(), []);
  assertEquals((await grace.barrier()).map(({ id }) => id), [1, 2, 3]);
});

Deno.test("who waits too long gets no_reply, and the late REPLY is forbidden", async () => {
  await using server = await serve({ limits: { requestMs: 200 } });
  using ada = await RawClient.greet(server);
  using grace = await RawClient.greet(server);
  const { number } = await grace.open("jobs");
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

Deno.test("a REPLY to who is gone goes nowhere, and the one who was asked is told", async () => {
  await using server = await serve();
  using ada = await RawClient.greet(server);
  using grace = await RawClient.greet(server);
  const { number } = await grace.open("jobs", { presence: true });
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
  const { number } = await grace.open("jobs");
  await ada.openToPublish("jobs");
  await ada.send(ada.message(number, "1"), ada.request(2, number, "2"), ada.message(number, "3"));
  await ada.barrier();
  assertEquals((await grace.barrier()).map(text), ["1", "2", "3"]);
});
