/** Stored messages and idempotency keys by curl. */

import { assertEquals } from "@std/assert";
import { serve } from "../../lib/mod.ts";
import { curl, HAS_CURL } from "../harness/curl.ts";
import { makeFolder } from "../harness/folder.ts";
import { RecordedLog } from "../harness/recorded_log.ts";
import { ServerProcess } from "../harness/server_process.ts";
import { canMount, SmallDisk } from "../harness/small_disk.ts";
import { gatewayTest, problem } from "./gateway_server.ts";

gatewayTest("stored messages are read as JSON, in pages", async ({ client, http }) => {
  await client.publish("d.a", "one");
  await client.publish("d.a", '{"n": 12345678901234567890}', { kind: "json", headers: { lang: "en" } });
  await client.publish("d.a", new Uint8Array([0, 255]));
  const get = async (query: string) => {
    const { status, body } = await http(`/channels/d.a${query}`);
    assertEquals(status, 200, body);
    return body;
  };
  const all = await get("");
  const { channel, epoch, first, last, next, messages } = JSON.parse(all);
  assertEquals([channel, first, last, next, messages.length], ["d.a", 1, 3, 4, 3]);
  const about = { channel: "d.a", sender: client.sessionId };
  const [one, two, three] = messages.map(({ time, ...rest }: { time: string }) => {
    assertEquals(Math.abs(Date.parse(time) - Date.now()) < 60_000, true, time);
    return rest;
  });
  assertEquals(one, { ...about, sequence: 1, kind: "text", text: "one" });
  assertEquals([two.sequence, two.kind, two.headers], [2, "json", { lang: "en" }]);
  assertEquals(all.includes('"json":{"n": 12345678901234567890}'), true);
  assertEquals(three, { ...about, sequence: 3, kind: "bytes", base64: "AP8=" });
  const sequences = async (query: string) => {
    const { messages, next } = JSON.parse(await get(query));
    return [messages.map(({ sequence }: { sequence: number }) => sequence), next];
  };
  assertEquals(await sequences("?count=2"), [[1, 2], 3]);
  assertEquals(await sequences("?from=3&count=2"), [[3], 4]);
  assertEquals(await sequences("?from=4"), [[], 4]);
  assertEquals(await sequences("?from=last"), [[3], 4]);
  assertEquals(await sequences(`?from=${epoch}:2&count=1`), [[2], 3]);
  assertEquals(await sequences("?from=2020-01-01T00:00:00Z&count=1"), [[1], 2]);
  assertEquals(await sequences("?from=2999-01-01T00:00:00Z"), [[], 4]);
  assertEquals(problem(await http("/channels/d.a?from=other:2")).slice(0, 2), [409, "epoch_changed"]);
});

gatewayTest(
  "a page of large messages ends at its limit, and the next one goes on",
  async ({ client, http }) => {
    for (let i = 0; i < 5; i++) await client.publish("d.big", new Uint8Array(400_000).fill(i));
    const counts: number[] = [];
    for (let from = 1; from <= 5;) {
      const { messages, next } = JSON.parse((await http(`/channels/d.big?from=${from}`)).body);
      counts.push(messages.length);
      from = next;
    }
    assertEquals(counts, [3, 2]);
  },
);

gatewayTest("what is not stored, or not asked for as it must be, is refused", async ({ http }) => {
  const refused = async (path: string) => problem(await http(path)).slice(0, 2);
  assertEquals(await refused("/channels/alerts"), [404, "not_found"]);
  assertEquals(await refused("/channels/d.*"), [400, "bad_channel"]);
  assertEquals(await refused("/channels/d..a"), [400, "bad_channel"]);
  assertEquals(await refused("/channels/d.a?from=new"), [400, "bad_argument"]);
  for (const count of ["0", "1001", "x"]) {
    assertEquals(await refused(`/channels/d.a?count=${count}`), [400, "bad_argument"]);
  }
  const { epoch: _, ...nothing } = JSON.parse((await http("/channels/d.new")).body);
  assertEquals(nothing, { channel: "d.new", first: 1, last: 0, next: 1, messages: [] });
});

gatewayTest("history in memory is read in the same way", async ({ client, http }) => {
  await client.publish("h.a", "one");
  await client.flush();
  const { messages } = JSON.parse((await http("/channels/h.a")).body);
  assertEquals(messages.map(({ text }: { text: string }) => text), ["one"]);
});

Deno.test({
  name: "an Idempotency-Key stores once: 50 requests at once, retried across kill -9 of the server",
  ignore: !HAS_CURL,
  async fn() {
    using folder = makeFolder();
    await Deno.writeTextFile(
      `${folder.path}/parley.jsonc`,
      JSON.stringify({ store: `${folder.path}/store`, stored: [{ channels: "d.>", storage: "durable" }] }),
    );
    const start = async () => {
      const args = ["--config", `${folder.path}/parley.jsonc`, "--web", "0"];
      const server = await ServerProcess.start({ args });
      const { url } = await server.log.until("web");
      return { server, url: String(url) };
    };
    const post = (url: string, key: string) =>
      curl("-H", `Idempotency-Key: ${key}`, "-d", key, `${url}/publish/d.orders`);
    const keys = ["a", "b", "c"];
    /** What was answered for each key. */
    const told = new Map(keys.map((key) => [key, new Set<number>()]));
    let { server, url } = await start();
    try {
      for (let round = 0; round < 3; round++) {
        const requests = Array.from({ length: 50 }, (_, i) => {
          const key = keys[i % (round + 1)];
          return post(url, key).then((answer) => ({ key, ...answer }));
        });
        // Killed while they are on their way, except for the last time.
        if (round < 2) {
          await Promise.race(requests);
          server.kill("SIGKILL");
        }
        for (const { key, status, body } of await Promise.all(requests)) {
          if (status === 200) told.get(key)!.add(JSON.parse(body).sequence);
          else assertEquals([status, round < 2], [0, true], body); // the server was gone
        }
        if (round === 2) break;
        await server[Symbol.asyncDispose]();
        ({ server, url } = await start());
      }
      const { messages } = JSON.parse((await curl(`${url}/channels/d.orders`)).body);
      assertEquals(messages.map(({ text }: { text: string }) => text).toSorted(), keys);
      for (const { text, sequence } of messages) {
        assertEquals([...told.get(text)!], [sequence]);
        const { headers, body } = await post(url, text);
        assertEquals([JSON.parse(body).sequence, headers.get("idempotency-replayed")], [sequence, "true"]);
      }
    } finally {
      await server[Symbol.asyncDispose]();
    }
  },
});

Deno.test({
  name: "a full disk answers 503, under a key too, and the same request succeeds once there is room",
  ignore: !HAS_CURL || !await canMount(),
  async fn() {
    await using disk = await SmallDisk.mount("1m");
    const stored = [{ channels: "d.>", storage: "durable" }] as const;
    await using server = await serve({
      web: { port: 0 },
      stored,
      store: `${disk.path}/s`,
      log: new RecordedLog().log,
    });
    const text = "x".repeat(50_000);
    const post = (key: number) =>
      curl("-H", `Idempotency-Key: ${key}`, "-d", text, `${server.webUrl}/publish/d.a`);
    let key = 1;
    let answer = await post(key);
    for (; answer.status === 200; answer = await post(++key)) { /* until it is full */ }
    for (let again = 0; again < 2; again++, answer = await post(key)) {
      assertEquals(problem(answer), [503, "not_stored", "d.a: database or disk is full"]);
    }
    await disk.remount("size=8m");
    const { status, headers, body } = await post(key);
    assertEquals([status, headers.get("idempotency-replayed")], [200, null]);
    assertEquals(JSON.parse(body).sequence, key);
    const { last } = JSON.parse((await curl(`${server.webUrl}/channels/d.a?from=last`)).body);
    assertEquals(last, key);
  },
});
