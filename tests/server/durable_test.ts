import { assertEquals } from "@std/assert";
import { Type } from "../../lib/wire/header.ts";
import { makeFolder } from "../harness/folder.ts";
import { json, RawClient } from "../harness/raw_client.ts";
import { fileTest, serveDurable } from "./durable_server.ts";

fileTest("a receipt tells the sequence, and covers the messages before it", async () => {
  await using server = await serveDurable();
  using ada = await RawClient.greet(server);
  const { number, durable } = await ada.open("d.a", { subscribe: false });
  assertEquals(durable, true);
  await ada.send(ada.message(number, "one"), ada.message(number, "two"), ada.durable(7, number, "three"));
  assertEquals(await ada.acked(), { id: 7, sequence: 3 });
});

fileTest("what is replayed is byte for byte what was sent, with id and receipt flag", async () => {
  await using server = await serveDurable();
  using ada = await RawClient.greet(server);
  const channel = await ada.openToPublish("d.a");
  await ada.send(ada.durable(7, channel, "hello"));
  await ada.acked();
  await ada.open("d.a", { from: "all" });
  await ada.expect(Type.POSITION);
  const { id, flags, sender } = await ada.expect(Type.MESSAGE);
  assertEquals([id, flags, sender], [7, 4, ada.number]);
});

fileTest("a producer that comes back is told how much of it is stored", async () => {
  await using server = await serveDurable();
  {
    using ada = await RawClient.greet(server);
    const { number, stored } = await ada.open("d.a", { subscribe: false, producer: "import" });
    assertEquals(stored, 0);
    await ada.send(ada.message(number, "1"), ada.message(number, "2"), ada.durable(1, number, "3"));
    await ada.acked();
  }
  using ada = await RawClient.greet(server);
  assertEquals((await ada.open("d.a", { subscribe: false, producer: "import" })).stored, 3);
  assertEquals((await ada.open("d.a", { subscribe: false, producer: "other" })).stored, 0);
});

fileTest("a producer that another session takes over is fenced, and told at once", async () => {
  await using server = await serveDurable();
  using one = await RawClient.greet(server);
  using two = await RawClient.greet(server);
  const { number } = await one.open("d.a", { subscribe: false, producer: "import" });
  await one.send(one.durable(1, number, "1"));
  await one.acked();
  assertEquals((await two.open("d.a", { subscribe: false, producer: "import" })).stored, 1);
  assertEquals((await one.refused("fenced")).id, 0);
  await one.send(one.durable(2, number, "2"));
  assertEquals((await one.refused("fenced")).id, 2);
  await two.send(two.durable(3, number, "3"));
  assertEquals(await two.acked(), { id: 3, sequence: 2 });
});

fileTest(
  "receipts that are due come before the answer to BYE, and before the server's when it stops",
  async () => {
    const server = await serveDurable();
    using ada = await RawClient.greet(server);
    const channel = await ada.openToPublish("d.a");
    await ada.send(ada.durable(1, channel, "x"), ada.frame(Type.BYE, {}, { reason: "done" }));
    assertEquals((await ada.acked()).id, 1);
    await ada.rest();
    using grace = await RawClient.greet(server);
    const other = await grace.openToPublish("d.a");
    await grace.send(...Array.from({ length: 100 }, (_, i) => grace.durable(i + 1, other, "y")));
    await grace.acked();
    await server[Symbol.asyncDispose]();
    let last = 1;
    for (const frame of await grace.rest()) {
      if (frame.type === Type.ACK) last = frame.id;
      else assertEquals(json(frame), { reason: "shutting_down" });
    }
    assertEquals(last, 100);
  },
);

fileTest("what has a receipt is there after the server started again, under the same numbers", async () => {
  using folder = makeFolder();
  const store = `${folder.path}/store`;
  let before;
  let session = 0;
  {
    await using server = await serveDurable(store);
    using ada = await RawClient.greet(server);
    session = ada.number;
    before = await ada.open("d.a", { subscribe: false, producer: "p" });
    await ada.send(ada.message(before.number, "1"), ada.durable(1, before.number, "2"));
    await ada.acked();
  }
  await using server = await serveDurable(store);
  using ada = await RawClient.greet(server);
  const after = await ada.open("d.a", { from: "all", producer: "p" });
  assertEquals([after.number, after.epoch, after.first, after.last, after.stored], [
    before.number,
    before.epoch,
    1,
    2,
    2,
  ]);
  assertEquals(await ada.stored(2), ["at 1", "1 1", "2 2"]);
  assertEquals(ada.number > session, true);
});
