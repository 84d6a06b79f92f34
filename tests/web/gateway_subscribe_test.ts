/** Event streams by curl. */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { Relay } from "../client/relay.ts";
import { within } from "../harness/deadline.ts";
import { EventReader } from "./event_reader.ts";
import { gatewayTest, problem } from "./gateway_server.ts";

gatewayTest(
  "messages come as events: text and JSON as they are, bytes in base64",
  async ({ server, client }) => {
    await using reader = await EventReader.open(`${server.webUrl}/subscribe/alerts`);
    await client.publish("alerts", "disk full");
    await client.publish("alerts", "one\ntwo\r\nthree\rfour");
    await client.publish("alerts", { json: { a: 1 } });
    await client.publish("alerts", '{"n": 12345678901234567890}', { kind: "json" });
    await client.publish("alerts", new Uint8Array([0, 255]));
    await client.publish("alerts", "");
    assertEquals([await reader.next(), await reader.next(), await reader.next()], [
      { data: "disk full" },
      { data: "one\ntwo\nthree\nfour" },
      { data: '{"a":1}' },
    ]);
    assertEquals([await reader.next(), await reader.next(), await reader.next()], [
      { data: '{"n": 12345678901234567890}' },
      { event: "base64", data: "AP8=" },
      { data: "" },
    ]);
  },
);

gatewayTest("on a pattern, each event names its channel", async ({ server, client }) => {
  await using reader = await EventReader.open(`${server.webUrl}/subscribe/sensors.%3E`);
  await client.publish("sensors.a.b", "1");
  await client.publish("sensors.c", new Uint8Array([1]));
  assertEquals([await reader.next(), await reader.next()], [
    { channel: "sensors.a.b", data: "1" },
    { event: "base64", channel: "sensors.c", data: "AQ==" },
  ]);
});

gatewayTest("an envelope has all that is known of a message", async ({ server, client }) => {
  await using reader = await EventReader.open(`${server.webUrl}/subscribe/h.*?envelope=json`);
  await client.publish("h.a", "one\r\n", { headers: { lang: "en" } });
  await client.publish("h.b", new Uint8Array([1]));
  const sender = client.sessionId;
  const [one, two] = (await reader.data(2)).map((data) => JSON.parse(data));
  assertEquals(one, {
    channel: "h.a",
    sender,
    sequence: 1,
    kind: "text",
    headers: { lang: "en" },
    text: "one\r\n",
  });
  assertEquals(two, { channel: "h.b", sender, sequence: 1, kind: "bytes", base64: "AQ==" });
});

gatewayTest("a stored channel is read from where the reader says", async ({ server, client }) => {
  for (let i = 1; i <= 5; i++) await client.publish("d.a", `${i}`);
  const epoch = (await client.subscribe("d.a", { from: "last" })).stored!.epoch;
  const first = async (from: string, ...args: string[]) => {
    await using reader = await EventReader.open(`${server.webUrl}/subscribe/d.a?from=${from}`, ...args);
    return await reader.data(1);
  };
  assertEquals(await first("all"), ["1"]);
  assertEquals(await first("last"), ["5"]);
  assertEquals(await first("3"), ["3"]);
  assertEquals(await first(`${epoch}:4`), ["4"]);
  assertEquals(await first("2026-01-01T00:00:00Z"), ["1"]);
  assertEquals(await first("all", "-H", `Last-Event-ID: ${epoch}:3`), ["4"]);
  await using reader = new EventReader(`${server.webUrl}/subscribe/d.a`);
  assertEquals([await reader.next(), await reader.next()], [{ retry: "2000" }, { id: `${epoch}:5` }]);
  await client.publish("d.a", "6");
  assertEquals(await reader.next(), { id: `${epoch}:6`, data: "6" });
});

gatewayTest(
  "a subscriber that is killed and comes back with its last event id misses nothing",
  async ({ server, client }) => {
    const url = `${server.webUrl}/subscribe/d.orders`;
    const count = 800;
    let isFirstRead = Promise.withResolvers<void>();
    const publishing = (async () => {
      for (let i = 1; i <= count; i++) {
        await client.publish("d.orders", `${i}`);
        if (i % 100 === 0) await isFirstRead.promise;
      }
    })();
    const seen: string[] = [];
    let lastId: string | undefined;
    for (let life = 1; seen.length < count; life++) {
      const args = lastId === undefined ? [] : ["-H", `Last-Event-ID: ${lastId}`];
      await using reader = new EventReader(lastId === undefined ? `${url}?from=all` : url, ...args);
      const until = Math.min(count, seen.length + 1 + 97 * life);
      while (seen.length < until) {
        const { id, data } = await reader.next();
        lastId = id ?? lastId;
        if (data !== undefined) seen.push(data);
        isFirstRead.resolve();
      }
      isFirstRead = Promise.withResolvers();
      isFirstRead.resolve();
      reader.kill("SIGKILL");
      await reader.ended();
    }
    await publishing;
    assertEquals(seen, Array.from({ length: count }, (_, i) => `${i + 1}`));
  },
);

gatewayTest("a reader whose first message never came goes on where it began", async ({ server, client }) => {
  const url = `${server.webUrl}/subscribe/d.a`;
  let id: string;
  {
    await using reader = await EventReader.open(url);
    id = (await reader.next()).id!;
  }
  await client.publish("d.a", "while it was away");
  await using reader = await EventReader.open(url, "-H", `Last-Event-ID: ${id}`);
  assertEquals(await reader.data(1), ["while it was away"]);
});

gatewayTest("a stream that cannot be is refused with a status", async ({ http, client }) => {
  await client.publish("d.a", "1");
  const refused = async (path: string, ...args: string[]) => problem(await http(path, ...args)).slice(0, 2);
  assertEquals(await refused("/subscribe/a..b"), [400, "bad_channel"]);
  assertEquals(await refused("/subscribe/d.a?from=x"), [400, "bad_argument"]);
  assertEquals(await refused("/subscribe/d.a?envelope=xml"), [400, "bad_argument"]);
  assertEquals(await refused("/subscribe/alerts?from=all"), [400, "bad_payload"]);
  assertEquals(await refused("/subscribe/d.*?from=all"), [400, "bad_payload"]);
  assertEquals(await refused("/subscribe/d.a", "-H", "Last-Event-ID: 7"), [400, "bad_argument"]);
  assertEquals(await refused("/subscribe/d.a", "-H", "Last-Event-ID: other:1"), [409, "epoch_changed"]);
  assertEquals(await refused("/subscribe/$admin.x"), [403, "forbidden"]);
  const { detail } = JSON.parse((await http("/subscribe/d.a", "-H", "Last-Event-ID: other:1")).body);
  assertStringIncludes(detail, "began anew");
});

gatewayTest("the reader learns of messages that are stored no longer", async ({ server, client }) => {
  const url = `${server.webUrl}/subscribe/h.a`;
  for (let i = 1; i <= 30; i++) await client.publish("h.a", `${i}`);
  await client.flush();
  const { epoch } = (await client.subscribe("h.a", { from: "last" })).stored!;
  await using reader = await EventReader.open(url, "-H", `Last-Event-ID: ${epoch}:4`);
  await reader.next(); // the id
  const missed = await reader.next();
  assertEquals(missed.event, "missed");
  const { channel, from, to } = JSON.parse(missed.data!);
  assertEquals([channel, from], ["h.a", 5]);
  const next = await reader.next();
  assertEquals([next.id, next.data], [`${epoch}:${to + 1}`, `${to + 1}`]);
}, { stored: [{ channels: "h.>", storage: "history", maxMessages: 10 }] });

gatewayTest("HEAD has the head of a stream, and ends", async ({ server, http }) => {
  const before = server.sessions;
  const { status, headers, body } = await http("/subscribe/alerts", "--head");
  assertEquals([status, headers.get("content-type"), body], [200, "text/event-stream; charset=utf-8", ""]);
  while (server.sessions > before) await new Promise((resolve) => setTimeout(resolve, 5));
});

gatewayTest("when the reader goes, its session ends at once", async ({ server, log }) => {
  const before = server.sessions;
  {
    await using reader = await EventReader.open(`${server.webUrl}/subscribe/alerts`);
    assertEquals(server.sessions, before + 1);
    reader.kill("SIGKILL");
    await reader.ended();
    await log.until("closed", { reason: "bye" });
  }
  assertEquals(server.sessions, before);
});

gatewayTest("a reader that does not read is a slow consumer", async ({ server, client, log, http }) => {
  await using reader = await EventReader.open(`${server.webUrl}/subscribe/flood`);
  reader.kill("SIGSTOP");
  const payload = new Uint8Array(200_000);
  const slow = log.until("slow consumer");
  let isSlow = false;
  slow.then(() => isSlow = true);
  while (!isSlow) await within(client.publish("flood", payload), "room for a message");
  assertEquals((await slow).number === client.sessionId, false);
  // The publisher goes on, and so does everybody else.
  await client.publish("flood", payload);
  assertEquals((await http("/publish/other", "-d", "x")).status, 202);
  reader.kill("SIGCONT");
  for (let event = await reader.next();; event = await reader.next()) {
    if (event.event !== "problem") continue;
    assertEquals(JSON.parse(event.data!).code, "slow_consumer");
    break;
  }
  await reader.ended();
}, { limits: { slowConsumerTimeoutMs: 500, pendingBytes: 1_100_000, payloadBytes: 1_000_000 } });

gatewayTest("a server that stops ends its streams", async ({ server }) => {
  await using reader = await EventReader.open(`${server.webUrl}/subscribe/alerts`);
  const closing = server.close();
  await reader.ended();
  await within(closing, "the end of the server");
});

gatewayTest("an EventSource goes on by itself when its connection breaks", async ({ server, client }) => {
  await using relay = new Relay(Number(new URL(server.webUrl!).port));
  const source = new EventSource(`http://127.0.0.1:${relay.port}/subscribe/d.a`);
  try {
    const received: string[] = [];
    let arrived = Promise.withResolvers<void>();
    source.onmessage = ({ data, lastEventId }) => {
      received.push(`${lastEventId.split(":")[1]} ${data}`);
      arrived.resolve();
    };
    await within(new Promise((resolve) => source.onopen = resolve), "an open stream");
    await client.publish("d.a", "one\ntwo");
    await within(arrived.promise, "an event");
    arrived = Promise.withResolvers();
    relay.cut();
    await client.publish("d.a", "while it was away");
    relay.resume();
    await within(arrived.promise, "an event");
    assertEquals(received, ["1 one\ntwo", "2 while it was away"]);
  } finally {
    source.close();
  }
});
