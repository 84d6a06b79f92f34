/** Attacks on the web server, while two control clients over TCP or TLS pass messages to each other. */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { MAX_HTTP_HEAD_BYTES, WEB_SOCKET_MESSAGE_BYTES } from "../../lib/limits.ts";
import { Type } from "../../lib/wire/header.ts";
import { HAS_CURL } from "../harness/curl.ts";
import { type Harness, processAttack } from "../hostile/harness.ts";
import type { ProcessHost } from "../hostile/host.ts";
import { IS_FULL_SIZE, sized } from "../hostile/size.ts";
import { BOTH } from "../hostile/transport.ts";
import { BINARY, connectTo, frame, RawWebSocket, readText, upgradeHead, write } from "./raw_web_socket.ts";

const utf8 = new TextEncoder();
const MiB = 2 ** 20;

/** What the attacks need of a server with HTTP. */
interface WebHarness {
  readonly harness: Harness<ProcessHost>;
  readonly url: string;
  readonly ca: string | undefined;
  /** Opens a connection that is closed after the attack. */
  connect(): Promise<Deno.Conn>;
}

/** Registers an attack over HTTP and one over HTTPS. */
function webAttack(
  name: string,
  args: readonly string[],
  attack: (web: WebHarness) => Promise<void>,
): void {
  processAttack(name, { transports: BOTH, args: ["--web", "0", ...args] }, async (harness) => {
    const { host } = harness;
    const { url } = await host.log.until("web");
    const opened: Deno.Conn[] = [];
    const connect = async () => {
      const conn = await connectTo(`${url}`, host.authority);
      opened.push(conn);
      return conn;
    };
    try {
      await attack({ harness, url: `${url}`, ca: host.authority, connect });
    } finally {
      for (const conn of opened) close(conn);
    }
  });
}

function close(conn: Deno.Conn): void {
  try {
    conn.close();
  } catch (error) {
    assert(error instanceof Deno.errors.BadResource);
  }
}

/** Writes a byte now and then, until the connection ends; returns what came. */
async function drip(conn: Deno.Conn, bytes: Uint8Array): Promise<string> {
  const answer = readText(conn, undefined, 60_000);
  let isOver = false;
  answer.finally(() => isOver = true);
  for (let at = 0; !isOver; at = (at + 1) % bytes.length) {
    await conn.write(bytes.subarray(at, at + 1)).catch(() => isOver = true);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return await answer;
}

webAttack("a slow loris gets 408, on a request and on an upgrade", ["--handshake-time", "1s"], async (
  { url, connect },
) => {
  const start = performance.now();
  const heads = [
    `GET /health/live HTTP/1.1\r\nHost: ${new URL(url).host}\r\nX-Slow: `,
    upgradeHead(url).slice(0, -2),
  ];
  const answers = await Promise.all(Array.from({ length: sized(20, 1000) }, async (_, i) => {
    const conn = await connect();
    await write(conn, utf8.encode(heads[i % 2]));
    return await drip(conn, utf8.encode("slow"));
  }));
  for (const answer of answers) assertMatch(answer, /^HTTP\/1\.1 408 [^]*"code":"timeout"/);
  assert(performance.now() - start < 10_000);
});

webAttack(
  "connections that send nothing, and upgrades that never say HELLO, end",
  ["--handshake-time", "1s"],
  async (
    { url, ca, connect },
  ) => {
    const silent = await connect();
    const sockets = await Promise.all(Array.from({ length: 10 }, () => RawWebSocket.connect(url, ca)));
    assertEquals(await readText(silent), "");
    for (const ws of sockets) {
      const { code, payloads } = await ws.untilClose();
      assertStringIncludes(
        payloads.map((bytes) => new TextDecoder().decode(bytes)).join(""),
        '"code":"timeout"',
      );
      assertEquals(code, 1000);
      assertEquals(await ws.next(), undefined); // although the client does not answer
      ws[Symbol.dispose]();
    }
  },
);

webAttack("a body of a gigabyte is refused before it is read, or at the limit", [], async (
  { harness: { host }, url, connect },
) => {
  const path = "POST /publish/alerts HTTP/1.1";
  const base = `Host: ${new URL(url).host}\r\nContent-Type: application/octet-stream\r\n`;
  const before = host.server.residentBytes();
  const part = new Uint8Array(64 * 1024);
  for (const how of ["Content-Length: 1073741824", "Transfer-Encoding: chunked"]) {
    const conn = await connect();
    await write(conn, utf8.encode(`${path}\r\n${base}${how}\r\n\r\n`));
    const answer = readText(conn);
    let isOver = false;
    answer.finally(() => isOver = true);
    let sent = 0;
    const chunk = how.startsWith("T") ? [utf8.encode("10000\r\n"), part, utf8.encode("\r\n")] : [part];
    try {
      while (!isOver && sent < 1024 * MiB) {
        for (const bytes of chunk) await write(conn, bytes);
        sent += part.length;
      }
    } catch {
      // The server has closed.
    }
    assertMatch(await answer, /^HTTP\/1\.1 413 [^]*"code":"too_large"/);
    assert(sent < 64 * MiB, `${sent} bytes were sent`);
  }
  assert(host.server.residentBytes() - before < 64 * MiB);
});

webAttack("a body in pieces of one byte is received like any other", [], async (
  { url, connect },
) => {
  const head = `POST /publish/alerts HTTP/1.1\r\nHost: ${
    new URL(url).host
  }\r\nTransfer-Encoding: chunked\r\n\r\n`;
  const pieces = repeated(utf8.encode("1\r\nx\r\n"), 50_000);
  const conns = await Promise.all(Array.from({ length: 4 }, connect));
  await Promise.all(conns.map(async (conn) => {
    await write(conn, utf8.encode(head));
    await write(conn, pieces);
  }));
  for (const conn of conns) {
    await write(conn, utf8.encode("0\r\n\r\n"));
    assertMatch(await readText(conn, "\r\n\r\n"), /^HTTP\/1\.1 202 /);
  }
});

if (HAS_CURL) {
  webAttack("curl with a gigabyte gets its answer", [], async ({ harness: { host }, url, ca }) => {
    const file = ca === undefined ? undefined : Deno.makeTempFileSync();
    if (file !== undefined) Deno.writeTextFileSync(file, ca!);
    try {
      const command =
        `head -c 1073741824 /dev/zero | curl -q -sS -T - -X POST -o /dev/stdout -w ' %{http_code}' ` +
        `${file === undefined ? "" : `--cacert ${file}`} ${url}/publish/alerts`;
      const { stdout } = await new Deno.Command("sh", { args: ["-c", command], stderr: "null" }).output();
      assertMatch(new TextDecoder().decode(stdout), /"code":"too_large".* 413$/s);
      assert(host.server.peakBytes() < 600 * MiB);
    } finally {
      if (file !== undefined) Deno.removeSync(file);
    }
  });
}

webAttack("a head that is too long is refused, and so is what is no HTTP", [], async ({ url, connect }) => {
  const host = `Host: ${new URL(url).host}\r\n`;
  const cases: [string, number][] = [
    [`GET / HTTP/1.1\r\n${host}X: ${"x".repeat(MAX_HTTP_HEAD_BYTES)}\r\n\r\n`, 431],
    [`GET /${"x".repeat(MAX_HTTP_HEAD_BYTES)} HTTP/1.1\r\n${host}\r\n`, 431],
    ["\x00\x01 no HTTP at all\r\n\r\n", 400],
    [`GET / HTTP/1.1\r\n${host}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n`, 400],
    [`POST /publish/a HTTP/1.1\r\n${host}Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx`, 400],
    [`GET / HTTP/1.1\r\n\r\n`, 400],
    [`GET http://elsewhere.example/ HTTP/1.1\r\n${host}Connection: close\r\n\r\n`, 400],
  ];
  for (const [bytes, status] of cases) {
    const conn = await connect();
    await write(conn, utf8.encode(bytes)).catch(() => {}); // the server may have closed
    const answer = await readText(conn);
    assertEquals([bytes.slice(0, 60), Number(answer.split(" ")[1])], [bytes.slice(0, 60), status]);
  }
});

webAttack(
  "thousands of requests at once on one connection are answered one after the other, or end it",
  [],
  async (
    { harness: { host }, url, connect },
  ) => {
    const conn = await connect();
    const request = utf8.encode(`GET /health/live HTTP/1.1\r\nHost: ${new URL(url).host}\r\n\r\n`);
    const many = new Uint8Array(request.length * 5000);
    for (let i = 0; i < 5000; i++) many.set(request, i * request.length);
    const before = host.server.residentBytes();
    const answer = readText(conn, "the end");
    await write(conn, many).catch(() => {});
    await conn.closeWrite().catch(() => {});
    await answer;
    assert(host.server.residentBytes() - before < 64 * MiB);
  },
);

webAttack(
  "idle connections and event streams beyond the limit of an address are refused with a reason",
  IS_FULL_SIZE ? [] : ["--max-connections-per-address", "150"],
  async ({ harness: { host }, url, connect }) => {
    const wanted = sized(300, 10_000);
    const most = IS_FULL_SIZE ? 4096 : 150;
    const stream = utf8.encode(`GET /subscribe/chat HTTP/1.1\r\nHost: ${new URL(url).host}\r\n\r\n`);
    const answers: Promise<string>[] = [];
    for (let i = 0; i < wanted; i++) {
      const conn = await connect().catch(() => undefined); // over TLS it may be closed before the handshake
      if (conn === undefined) continue;
      await conn.write(stream).catch(() => {});
      answers.push(readText(conn, "\r\n\r\n").catch(() => ""));
    }
    const statuses = (await Promise.all(answers)).map((answer) => Number(answer.split(" ")[1] ?? 0));
    const count = (status: number) => statuses.filter((found) => found === status).length;
    if (IS_FULL_SIZE) {
      console.log(`${wanted} wanted, ${count(200)} served, ${count(503)} refused with a reason`);
    }
    assert(count(200) > 0 && count(200) <= most);
    assertEquals(statuses.filter((status) => ![0, 200, 503].includes(status)), []);
    assert(host.server.descriptors() < 2 * most + 100);
  },
);

webAttack(
  "a message in thousands of pieces, and pings whose answers nobody reads, end the WebSocket",
  [],
  async (
    { harness: { host }, url, ca },
  ) => {
    const before = host.server.residentBytes();
    const fragment = frame(0, Uint8Array.of(0), false);
    const fragments = new Uint8Array([
      ...frame(BINARY, Uint8Array.of(0), false),
      ...repeated(fragment, 5000),
    ]);
    using pieces = await RawWebSocket.connect(url, ca);
    await write(pieces.conn, fragments).catch(() => {});
    assertEquals((await pieces.untilClose()).code, 1008);
    // A byte in each packet.
    using dripping = await RawWebSocket.connect(url, ca);
    const message = frame(BINARY, new Uint8Array(5000));
    const closed = dripping.untilClose();
    let isOver = false;
    closed.finally(() => isOver = true);
    for (let at = 0; at < message.length - 1 && !isOver; at++) {
      await dripping.conn.write(message.subarray(at, at + 1)).catch(() => isOver = true);
      await new Promise((resolve) => setTimeout(resolve, 0));
    }
    isOver = true;
    dripping.conn.close();
    await closed.catch(() => {});
    using pinging = await RawWebSocket.connect(url, ca);
    const pings = repeated(frame(9, new Uint8Array(125)), 500);
    let sent = 0;
    try {
      for (; sent < 256 * MiB; sent += pings.length) await write(pinging.conn, pings);
    } catch {
      // The server has closed.
    }
    assert(sent < 256 * MiB, "all pings were taken");
    assert(host.server.residentBytes() - before < 64 * MiB);
  },
);

function repeated(bytes: Uint8Array, count: number): Uint8Array {
  const all = new Uint8Array(bytes.length * count);
  for (let i = 0; i < count; i++) all.set(bytes, i * bytes.length);
  return all;
}

webAttack(
  "a browser that does not read is a slow consumer like any other, and its connection is freed",
  ["--slow-consumer-timeout", "1s", "--max-pending", "2MiB"],
  async ({ harness, url, ca }) => {
    const before = harness.host.descriptors();
    using ws = await RawWebSocket.connect(url, ca);
    const slow = ws.client();
    await slow.hello();
    await slow.open("flood");
    const publisher = await harness.greet();
    const { number } = await publisher.open("flood", { subscribe: false });
    const message = publisher.message(number, new Uint8Array(64 * 1024));
    const sending = (async () => {
      while (harness.host.log.all("slow consumer").length === 0) await publisher.send(message);
    })();
    await harness.host.log.until("slow consumer");
    await sending;
    await harness.host.log.until("closed", { reason: "slow_consumer" });
    publisher.close();
    await harness.until(() => harness.host.descriptors() <= before, () => "the connection is not freed");
  },
);

webAttack(
  "a browser that floods while it is held back is not read from",
  ["--slow-consumer-timeout", "60s", "--max-pending", "2MiB"],
  async ({ harness, url, ca }) => {
    const reader = await harness.greet();
    await reader.open("flood"); // and reads nothing
    using ws = await RawWebSocket.connect(url, ca);
    const flooder = ws.client();
    await flooder.hello();
    const { number } = await flooder.open("flood", { subscribe: false });
    const message = flooder.frame(
      Type.MESSAGE,
      { channel: number },
      new Uint8Array(WEB_SOCKET_MESSAGE_BYTES - 100),
    );
    const bytes = frame(BINARY, message);
    let sent = 0;
    let isOver = false;
    const flood = (async () => {
      while (!isOver) {
        await write(ws.conn, bytes);
        sent += bytes.length;
      }
    })().catch(() => {});
    // The kernel's buffers of both connections and what may wait for the reader; nothing more after that.
    let seen = -1;
    for (let isStill = 0; isStill < 10; seen = sent) {
      await new Promise((resolve) => setTimeout(resolve, 50));
      isStill = sent === seen && sent > 0 ? isStill + 1 : 0;
    }
    const memory = harness.host.server.residentBytes();
    await new Promise((resolve) => setTimeout(resolve, sized(300, 3000)));
    assertEquals(sent, seen);
    assert(harness.host.server.residentBytes() - memory < 8 * MiB);
    isOver = true;
    ws[Symbol.dispose]();
    await flood;
  },
);

if (IS_FULL_SIZE) {
  webAttack("a body that drips in, and a response that nobody takes, end after their time", [
    "--history",
    "big",
  ], async (
    { harness, url, connect },
  ) => {
    const host = `Host: ${new URL(url).host}\r\n`;
    const body = await connect();
    await write(body, utf8.encode(`POST /publish/alerts HTTP/1.1\r\n${host}Content-Length: 100000\r\n\r\n`));
    const start = performance.now();
    const dripping = drip(body, utf8.encode("slow"));
    const taken = await connect();
    // Several times what the buffers of both ends hold.
    const publisher = await harness.greet();
    await publisher.send(publisher.message(await publisher.openToPublish("big"), new Uint8Array(1_000_000)));
    const requests = `GET /channels/big HTTP/1.1\r\n${host}\r\n`.repeat(17);
    await write(taken, utf8.encode(requests));
    assertMatch(await dripping, /^HTTP\/1\.1 408 [^]*"code":"timeout"/);
    assert(performance.now() - start < 40_000);
    await new Promise((resolve) => setTimeout(resolve, 35_000 - (performance.now() - start)));
    const bytes = new Uint8Array(2 ** 20);
    const readAll = async () => {
      let count = 0;
      for (let n = await taken.read(bytes); n !== null; n = await taken.read(bytes)) count += n;
      return count;
    };
    // Reset, or ended before all of it: the server has closed it meanwhile.
    assert(await readAll().catch(() => 0) < 17 * 1_000_000);
  });
}
