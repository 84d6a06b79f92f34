import { assert, assertEquals, assertMatch, assertRejects, assertStringIncludes } from "@std/assert";
import { connect as connectInBrowser } from "../../lib/client/browser.ts";
import { connect } from "../../lib/client/connect.ts";
import type { ClientEvent } from "../../lib/client/events.ts";
import { ParleyError } from "../../lib/errors.ts";
import { WEB_SOCKET_UNREAD_BYTES } from "../../lib/limits.ts";
import { serve } from "../../lib/server/serve.ts";
import { within } from "../harness/deadline.ts";
import { Gateway } from "./web_socket_gateway.ts";

async function failure(options: Parameters<typeof connect>[0], how = connect): Promise<ParleyError> {
  return await assertRejects(() => how({ timeoutMs: 2_000, ...options }), ParleyError);
}

for (const [name, connectBy] of [["all networks", connect], ["a browser's", connectInBrowser]] as const) {
  Deno.test(`${name}: a client over a WebSocket publishes, subscribes, asks and answers`, async () => {
    await using server = await serve({ port: 0 });
    await using gateway = new Gateway(server.port);
    await using ada = await connectBy({ url: gateway.url, name: "Ada" });
    await using grace = await connect({ port: server.port });
    assertEquals(ada.name, "Ada");
    const lobby = await ada.subscribe("chat.lobby", { echo: false });
    await grace.publish("chat.lobby", "over TCP", { headers: { lang: "en" } });
    const { value } = await lobby.next();
    assertEquals([value?.text(), value?.headers.lang], ["over TCP", "en"]);
    await using _upper = await ada.respond("text.upper", (request) => request.text().toUpperCase());
    assertEquals((await grace.request("text.upper", "quiet")).text(), "QUIET");
    assertEquals((await ada.request("$echo", new Uint8Array(1_048_576))).payload.length, 1_048_576);
    assert(await ada.ping() < 5_000);
    assertEquals(gateway.requests, ["/parley"]);
  });
}

Deno.test("a hundred thousand messages arrive in order, however the WebSocket's messages are cut", async () => {
  await using server = await serve({ port: 0 });
  for (const cut of [undefined, 65_521, 77]) {
    await using gateway = new Gateway(server.port, { cut });
    await using client = await connect({ url: gateway.url });
    const count = cut === 77 ? 5_000 : 100_000;
    const numbers = await client.subscribe("numbers");
    const publishing = (async () => {
      for (let i = 0; i < count; i++) await client.publish("numbers", `${i}`);
    })();
    let expected = 0;
    for await (const message of numbers) {
      if (message.text() !== `${expected}`) assertEquals(message.text(), `${expected}`);
      if (++expected === count) break;
    }
    await publishing;
    // Each is of up to 64 KiB: a loop that awaits each message does not send one for each.
    assert(gateway.received < count / 20, `${gateway.received} messages of the WebSocket`);
  }
});

Deno.test("publish waits while the WebSocket holds as much as may be pending", async () => {
  await using server = await serve({ port: 0 });
  await using gateway = new Gateway(server.port);
  await using client = await connect({ url: gateway.url, pendingBytes: 256 * 1024 });
  const payload = new Uint8Array(64 * 1024);
  let turns = 0;
  for (let i = 0; i < 200; i++) {
    const published = client.publish("bulk", payload);
    const first = await Promise.race([published.then(() => true), Promise.resolve().then(() => false)]);
    if (!first) turns++;
    await published;
  }
  assert(turns > 0, "it never waited");
  await client.flush();
});

Deno.test("a client comes back when its WebSocket breaks, and close ends it", async () => {
  await using server = await serve({ port: 0 });
  await using gateway = new Gateway(server.port);
  const events: ClientEvent["type"][] = [];
  const resumed = Promise.withResolvers<void>();
  const client = await connect({
    url: gateway.url,
    reconnect: { initialMs: 1 },
    onEvent: ({ type }) => {
      events.push(type);
      if (type === "resumed") resumed.resolve();
    },
  });
  const lobby = await client.subscribe("chat.lobby");
  gateway.each((socket) => socket.close());
  await within(resumed.promise, "second connection");
  await client.publish("chat.lobby", "still here");
  assertEquals((await lobby.next()).value?.text(), "still here");
  await client.close();
  assertEquals(events, ["connecting", "connected", "interrupted", "connecting", "resumed", "closed"]);
});

Deno.test("a program that does not take what comes is a slow consumer, which holds a bounded amount", async () => {
  await using server = await serve({ port: 0 });
  await using gateway = new Gateway(server.port);
  await using publisher = await connect({ port: server.port });
  const client = await connect({ url: gateway.url, reconnect: false });
  const bulk = await client.subscribe("bulk");
  const payload = new Uint8Array(256 * 1024);
  const count = 2 * WEB_SOCKET_UNREAD_BYTES / payload.length;
  for (let i = 0; i < count; i++) await publisher.publish("bulk", payload);
  const error = await within(client.closed, "end of the slow client");
  assertEquals(error?.code, "slow_consumer");
  assertStringIncludes(error!.message, "iterate subscriptions without long pauses");
  assertEquals(
    (await assertRejects(async () => {
      for await (const _ of bulk); // what had come is there, and then the error
    }, ParleyError)).code,
    "slow_consumer",
  );
});

Deno.test("what had come when the WebSocket closed is there, and the server's reason with it", async () => {
  const server = await serve({ port: 0 });
  await using gateway = new Gateway(server.port);
  const client = await connect({ url: gateway.url, reconnect: false });
  const bulk = await client.subscribe("bulk");
  const payload = new Uint8Array(256 * 1024);
  const count = 16; // 4 MiB: most of them are not taken from the connection before the program iterates
  const publisher = await connect({ port: server.port });
  for (let i = 0; i < count; i++) await publisher.publish("bulk", payload);
  await publisher.close();
  await server.close();
  assertEquals((await within(client.closed, "end of the client"))?.code, "shutting_down");
  let received = 0;
  const error = await assertRejects(async () => {
    for await (const _ of bulk) received++;
  }, ParleyError);
  assertEquals([received, error.code], [count, "shutting_down"]);
});

Deno.test("a WebSocket that cannot be opened is unreachable, and the error says what to check", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  // A server that accepts and says nothing.
  const silent = await failure({ url: `ws://127.0.0.1:${port}`, timeoutMs: 100 });
  assertMatch(
    silent.message,
    /^no answer from ws:\/\/127\.0\.0\.1:\d+\/parley within 0\.1 s; check that a server/,
  );
  listener.close();
  const refused = await failure({ url: `ws://127.0.0.1:${port}` });
  assertMatch(
    refused.message,
    /^cannot open a WebSocket to ws:.+; check that a server with --web listens there/,
  );
  await using server = await serve({ port: 0 });
  const tcp = await failure({ url: `ws://127.0.0.1:${server.port}` });
  assertEquals([silent.code, refused.code, tcp.code], ["unreachable", "unreachable", "unreachable"]);
});

Deno.test("a WebSocket without the subprotocol is not Parley's", async () => {
  await using server = await serve({ port: 0 });
  await using gateway = new Gateway(server.port, { protocol: "" });
  const error = await failure({ url: gateway.url });
  // Deno itself refuses a server that chooses none.
  assert(["not_parley", "unreachable"].includes(error.code), error.message);
});

Deno.test("a signal gives up while the WebSocket is opened", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const signal = AbortSignal.timeout(50);
  const url = `ws://127.0.0.1:${listener.addr.port}`;
  const error = await assertRejects(() => connect({ url, signal }), DOMException);
  assertEquals(error.name, "TimeoutError");
});

Deno.test("a text message ends the connection", async () => {
  await using server = await serve({ port: 0 });
  await using gateway = new Gateway(server.port);
  const client = await connect({ url: gateway.url, reconnect: false });
  gateway.each((socket) => socket.send("hello"));
  assertEquals((await client.closed)?.code, "disconnected");
});

Deno.test("an option makes the WebSocket where the runtime has none, or needs one of another kind", async () => {
  await using server = await serve({ port: 0 });
  await using gateway = new Gateway(server.port);
  const made: string[][] = [];
  await using client = await connect({
    url: gateway.url,
    webSocket: (url, subprotocol) => {
      made.push([url, subprotocol]);
      return new WebSocket(url, subprotocol);
    },
  });
  assertEquals(made, [[`${gateway.url}/parley`, "parley.1"]]);
  assert(client.isConnected);
});

Deno.test("the URL of a WebSocket is checked, and is never quoted with what may be a token", async () => {
  const bad: [object, RegExp][] = [
    [{ url: "wss://hub?token=SECRET" }, /give a token with the option token$/],
    [{ url: "ws://SECRET@hub" }, /give a token with the option token$/],
    [{ url: "wss://hub", ca: "-----BEGIN" }, /trusts the authorities of its system only/],
    [{ url: "ws://hub.example", token: "SECRET" }, /would cross the network to hub\.example:80 unencrypted/],
    [{ url: "ws://hub", port: 1 }, /not both/],
  ];
  for (const [options, words] of bad) {
    const { code, message } = await failure(options);
    assertEquals(
      [code, words.test(message), message.includes("SECRET")],
      ["bad_argument", true, false],
      message,
    );
  }
});

Deno.test("in a browser, only a WebSocket's URL is an address", async () => {
  const bad: [object, RegExp][] = [
    [{ url: "parleys://hub:7253?token=SECRET" }, /^a browser connects by WebSocket: write the URL as wss:/],
    [{ hostname: "hub" }, /^a browser connects by WebSocket alone: give url/],
    [{ url: "wss://hub", ca: "-----BEGIN" }, /^a browser connects by WebSocket alone/],
    [{ url: [] }, /at least one/],
    [{}, /^a browser connects by WebSocket: write the URL/], // there is no page here
  ];
  for (const [options, words] of bad) {
    const { code, message } = await failure(options, connectInBrowser);
    assertEquals(
      [code, words.test(message), message.includes("SECRET")],
      ["bad_argument", true, false],
      message,
    );
  }
});
