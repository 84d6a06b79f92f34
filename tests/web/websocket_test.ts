/** Sessions over WebSocket: what makes one, what ends one, and back-pressure both ways. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { connect, serve } from "../../lib/mod.ts";
import { makeRoot, makeSigned } from "../certificates/flawed.ts";
import { AwakeClock } from "../harness/awake_clock.ts";
import { makeFolder } from "../harness/folder.ts";
import { MAY_USE_FILES } from "../harness/permissions.ts";
import { RecordedLog } from "../harness/recorded_log.ts";
import { HEADER_BYTES, MAX_PAYLOAD_BYTES, WEB_SOCKET_MESSAGE_BYTES } from "../../lib/limits.ts";
import { HAS_CURL } from "../harness/curl.ts";
import { type RawClient, text } from "../harness/raw_client.ts";
import { Type } from "../../lib/wire/header.ts";
import {
  BINARY,
  CLOSE,
  connectTo,
  frame,
  PING,
  RawWebSocket,
  readText,
  TEXT,
  upgradeHead,
  write,
} from "./raw_web_socket.ts";
import { MAY_SERVE_WEB, webTest } from "./web_server.ts";

const utf8 = new TextEncoder();

/** HELLO as bytes. */
function hello(client: RawClient): Uint8Array {
  return client.frame(Type.HELLO, {}, { protocol: "parley/1", name: "Ada" });
}

/** What the last ERROR frame of a stream of frames says. */
function errorIn(payloads: Uint8Array[]): string {
  return payloads.map((bytes) => new TextDecoder().decode(bytes)).join("");
}

webTest("a session over a WebSocket talks to one over TCP", async ({ server, url, ca }) => {
  using ws = await RawWebSocket.connect(url, ca);
  const ada = ws.client();
  await ada.hello({ name: "Ada" });
  await using grace = await connect({ url: server.url, ca, name: "Grace" });
  const { number } = await ada.open("chat");
  const subscription = await grace.subscribe("chat");
  await ada.send(ada.message(number, "by WebSocket"));
  assertEquals((await subscription.next()).value?.text(), "by WebSocket");
  assertEquals(text(await ada.next()), "by WebSocket");
  await grace.publish("chat", "over TCP");
  assertEquals(text(await ada.next()), "over TCP");
  assertEquals(server.sessions, 2);
});

webTest("messages cut anywhere, and in fragments, are one stream of bytes", async ({ url, ca }) => {
  using ws = await RawWebSocket.connect(url, ca);
  const client = ws.client();
  const bytes = hello(client);
  await ws.send(BINARY, bytes.subarray(0, 5));
  await ws.send(BINARY, new Uint8Array(0));
  await ws.send(BINARY, bytes.subarray(5, 20), { isLast: false });
  await ws.send(PING, utf8.encode("between")); // a control frame may come between fragments
  for (const byte of bytes.subarray(20, -1)) await ws.send(0, Uint8Array.of(byte), { isLast: false });
  await ws.send(0, bytes.subarray(-1));
  const pong = await ws.next();
  assertEquals([pong?.opcode, pong && new TextDecoder().decode(pong.payload)], [10, "between"]);
  assertStringIncludes(text(await client.next()), '"name":"Ada"');
});

webTest(
  "a text message ends the session with bad_frame, after what came before",
  async ({ url, ca, log }) => {
    using ws = await RawWebSocket.connect(url, ca);
    const client = ws.client();
    await client.hello();
    await write(
      ws.conn,
      new Uint8Array([
        ...frame(BINARY, client.frame(Type.PING, { id: 7 }, "first")),
        ...frame(TEXT, utf8.encode("hello")),
      ]),
    );
    assertEquals([text(await client.next())], ["first"]);
    const { code, payloads } = await ws.untilClose();
    assertStringIncludes(errorIn(payloads), '"code":"bad_frame"');
    assertStringIncludes(errorIn(payloads), "send an ArrayBuffer");
    assertEquals(code, 1003);
    await ws.send(CLOSE, Uint8Array.of(1003 >> 8, 1003 & 255));
    assertEquals(await ws.next(), undefined);
    await log.until("closed", { reason: "bad_frame" });
  },
);

webTest("a message beyond the bound is refused by its header, and what is in the way is not read", async (
  { url, ca, log },
) => {
  const established = HEADER_BYTES + MAX_PAYLOAD_BYTES + WEB_SOCKET_MESSAGE_BYTES;
  const cases = [[false, WEB_SOCKET_MESSAGE_BYTES + 1], [true, established + 1], [true, 2 ** 40]] as const;
  for (const [isEstablished, length] of cases) {
    using ws = await RawWebSocket.connect(url, ca);
    const client = ws.client();
    if (isEstablished) await client.hello();
    await ws.send(BINARY, new Uint8Array(10), { length });
    assertEquals((await ws.untilClose()).code, 1009);
    await log.until("refused", { code: "too_large" });
  }
  using ws = await RawWebSocket.connect(url, ca);
  const half = new Uint8Array(WEB_SOCKET_MESSAGE_BYTES / 2 + 1);
  await ws.send(BINARY, half, { isLast: false });
  await ws.send(0, half, { isLast: false }).catch(() => {});
  assertEquals((await ws.untilClose()).code, 1009);
});

webTest("the largest frame fits one message, however it is cut by the network", async ({ url, ca }) => {
  using ws = await RawWebSocket.connect(url, ca);
  const client = ws.client();
  await client.hello();
  const { number } = await client.open("$echo", { subscribe: false });
  const payload = new Uint8Array(MAX_PAYLOAD_BYTES).fill(7);
  const bytes = frame(BINARY, client.frame(Type.REQUEST, { id: 1, channel: number }, payload));
  for (let at = 0; at < bytes.length; at += 1460) await write(ws.conn, bytes.subarray(at, at + 1460));
  assertEquals((await client.next()).payload, payload);
});

webTest("frames that break the WebSocket protocol end it", async ({ url, ca }) => {
  const broken: [string, Uint8Array, number][] = [
    ["not masked", Uint8Array.of(0x82, 1, 0), 1002],
    ["a reserved opcode", frame(3, new Uint8Array(1)), 1002],
    ["a continuation of nothing", frame(0, new Uint8Array(1)), 1002],
    ["reserved bits", frame(0x42, new Uint8Array(1)), 1002],
    ["a PING of 126 bytes", frame(PING, new Uint8Array(126)), 1002],
  ];
  for (const [what, bytes, expected] of broken) {
    using ws = await RawWebSocket.connect(url, ca);
    await write(ws.conn, bytes);
    assertEquals([what, (await ws.untilClose()).code], [what, expected]);
  }
});

webTest("a request that is no upgrade to parley.1 is told what is missing", async ({ url, ca }) => {
  const cases: [Record<string, string>, string, number, string][] = [
    [{ "Sec-WebSocket-Protocol": "" }, "/parley", 400, "the subprotocol must be parley.1"],
    [{ "Sec-WebSocket-Protocol": "mqtt, parley.2" }, "/parley", 400, "the subprotocol must be parley.1"],
    [{}, "/elsewhere", 404, "the WebSocket is at /parley"],
    [{ "Upgrade": "h2c" }, "/parley", 426, "is a WebSocket"],
    [{ "Sec-WebSocket-Version": "12" }, "/parley", 400, ""],
    [{ "Sec-WebSocket-Key": "short" }, "/parley", 400, ""],
    [{ "Origin": "https://elsewhere.example" }, "/parley", 403, "may not use this server"],
    [{ "Host": "rebound.example" }, "/parley", 421, "this server is not"],
  ];
  for (const [headers, path, status, words] of cases) {
    const conn = await connectTo(url, ca);
    await write(conn, utf8.encode(upgradeHead(url, headers, path)));
    const answer = await readText(conn);
    conn.close();
    assertEquals([headers, Number(answer.split(" ")[1])], [headers, status], answer);
    assertStringIncludes(answer, words);
  }
});

webTest("curl on /parley is told that it is a WebSocket", async ({ curl }) => {
  const { status, headers, body } = await curl("/parley");
  assertEquals([status, headers.get("upgrade")], [426, "websocket"]);
  assertEquals(JSON.parse(body).code, "upgrade_required");
}, { ignore: !HAS_CURL });

webTest("a client that closes its WebSocket ends its session", async ({ url, ca, server, log }) => {
  using ws = await RawWebSocket.connect(url, ca);
  await ws.client().hello();
  await ws.send(CLOSE, Uint8Array.of(1000 >> 8, 1000 & 255));
  assertEquals((await ws.untilClose()).code, 1000);
  assertEquals(await ws.next(), undefined);
  await log.until("closed", { reason: "eof" });
  assertEquals(server.sessions, 0);
});

webTest("a server that stops says BYE and closes", async ({ url, ca, server }) => {
  using ws = await RawWebSocket.connect(url, ca);
  await ws.client().hello();
  using clock = new AwakeClock();
  const closed = server.close();
  const { code, payloads } = await ws.untilClose();
  assertStringIncludes(errorIn(payloads), "shutting_down");
  assertEquals(code, 1000);
  await ws.send(CLOSE, Uint8Array.of(1000 >> 8, 1000 & 255));
  await closed;
  assert(clock.now() < 900, "the answer to Close ends it at once");
});

webTest("a WebSocket beyond the limit of connections is told so by a frame", async ({ server, url, ca }) => {
  await using client = await connect({ url: server.url, ca });
  await client.ping();
  using ws = await RawWebSocket.connect(url, ca);
  const { code, payloads } = await ws.untilClose();
  assertStringIncludes(errorIn(payloads), '"code":"server_full"');
  assertEquals(code, 1000);
}, { limits: { connections: 1 } });

Deno.test({
  name: "a certificate that is renewed is that of HTTPS, too; a session over a WebSocket goes on",
  ignore: !HAS_CURL || !MAY_SERVE_WEB || !MAY_USE_FILES,
  async fn() {
    using folder = makeFolder();
    const file = (name: string) => `${folder.path}/${name}`;
    const root = await makeRoot();
    Deno.writeTextFileSync(file("ca.pem"), root.certificate);
    const replace = async (differences: Parameters<typeof makeSigned>[1]) => {
      const { certificate, key } = await makeSigned(root, differences);
      Deno.writeTextFileSync(file("server.pem"), certificate);
      Deno.writeTextFileSync(file("key.pem"), key);
    };
    await replace({});
    await using server = await serve({
      web: { port: 0 },
      tls: { certificateFile: file("server.pem"), keyFile: file("key.pem") },
      log: new RecordedLog().log,
    });
    const url = server.webUrl!;
    const expiry = async () => {
      const { stderr } = await new Deno.Command("curl", {
        args: ["-q", "-svo", "/dev/null", "--cacert", file("ca.pem"), `${url}/health/live`],
      }).output();
      return /expire date: (.*)/.exec(new TextDecoder().decode(stderr))?.[1];
    };
    const before = await expiry();
    using ws = await RawWebSocket.connect(url, root.certificate);
    const client = ws.client();
    await client.hello();
    await replace({ until: 60 });
    await server.reload();
    const after = await expiry();
    assert(before !== undefined && after !== undefined && before !== after, `${before} and ${after}`);
    const { number } = await client.open("chat");
    await client.send(client.message(number, "still here"));
    assertEquals(text(await client.next()), "still here");
  },
});
