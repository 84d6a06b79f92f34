/** What a token allows on stored channels, and whose the names of producers and consumers are. */

import { assertEquals } from "@std/assert";
import { serve } from "../../lib/mod.ts";
import { Type } from "../../lib/wire/header.ts";
import { makeFolder } from "../harness/folder.ts";
import { RawClient } from "../harness/raw_client.ts";
import { openTokenDesk } from "../harness/token_desk.ts";
import { fileTest } from "./durable_server.ts";

const NONE = { publish: [], subscribe: [], respond: [], direct: false, expiresInSeconds: 3600 };

/** A server with durable channels `d.>`, and clients of the subject and grants given. */
async function start() {
  const folder = makeFolder();
  const { tokens } = openTokenDesk(folder.path);
  await tokens.issue({ ...NONE, name: "first", publish: [">"] }); // makes the keys
  const server = await serve({
    auth: true,
    state: folder.path,
    stored: [{ channels: "d.>", storage: "durable" }],
  });
  return {
    async client(name: string, grants: { publish?: string[]; subscribe?: string[] }) {
      const { token } = await tokens.issue({ ...NONE, ...grants, name });
      await server.reload();
      return await RawClient.greet(server, { token });
    },
    async [Symbol.asyncDispose]() {
      await server.close();
      folder[Symbol.dispose]();
    },
  };
}

fileTest("producing needs the right to publish, reading what is stored the right to subscribe", async () => {
  await using desk = await start();
  using reader = await desk.client("reader", { subscribe: ["d.>"] });
  using writer = await desk.client("writer", { publish: ["d.>"] });
  const refused = async (client: RawClient, channel: string, options: object) => {
    await client.send(client.frame(Type.OPEN, { id: client.nextId() }, { channel, ...options }));
    await client.refused("forbidden");
  };
  await refused(reader, "d.a", { producer: "p" });
  await refused(reader, "d.a", { subscribe: true, producer: "p" });
  await refused(writer, "d.a", { subscribe: true, from: "all" });
  await refused(writer, "d.a", { subscribe: true, consumer: "c" });
  await refused(writer, "d.*", { subscribe: true, from: "last" });
  const { number } = await reader.open("d.a", { from: "all" });
  await reader.send(reader.durable(7, number, "no"));
  await reader.refused("forbidden");
  await writer.open("d.a", { subscribe: false, producer: "p" });
  await writer.send(writer.durable(7, number, "yes"));
  assertEquals(await writer.acked(), { id: 7, sequence: 1 });
  assertEquals(await reader.stored(1), ["at 1", "1 yes"]);
});

fileTest("the names of producers belong to the subject of the token", async () => {
  await using desk = await start();
  const grants = { publish: [">"], subscribe: [">"] };
  using ada = await desk.client("Ada", grants);
  using grace = await desk.client("Grace", grants);
  const { number } = await ada.open("d.a", { subscribe: false, producer: "p" });
  await ada.send(ada.durable(1, number, "one"));
  await ada.acked();
  assertEquals((await grace.open("d.a", { subscribe: false, producer: "p" })).stored, 0);
  await ada.send(ada.durable(2, number, "two")); // not fenced
  assertEquals(await ada.acked(), { id: 2, sequence: 2 });
  using again = await desk.client("Ada", grants);
  assertEquals((await again.open("d.a", { subscribe: false, producer: "p" })).stored, 2);
  await ada.refused("fenced");
});

fileTest("the names of consumers belong to the subject of the token", async () => {
  await using desk = await start();
  const grants = { publish: [">"], subscribe: [">"] };
  using ada = await desk.client("Ada", grants);
  using grace = await desk.client("Grace", grants);
  const { number } = await ada.open("d.a", { consumer: "billing" });
  await ada.send(ada.message(number, "one"));
  assertEquals(await ada.stored(1), ["at 1", "1 one"]);
  await grace.open("d.a", { consumer: "billing" });
  assertEquals(await grace.stored(1), ["at 1", "1 one"]);
  using again = await desk.client("Ada", grants);
  await again.open("d.a", { consumer: "billing" });
  ada.close();
  assertEquals(await again.stored(1), ["at 1 again 1", "1 one"]);
});
