/** What health checks are told while a server starts, works, has a broken disk, and stops. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { connect, ParleyError } from "../../lib/mod.ts";
import { DEFAULT_LIMITS } from "../../lib/limits.ts";
import { memorySocketPair } from "../../lib/net/memory_socket.ts";
import { curl, HAS_CURL } from "../harness/curl.ts";
import { within } from "../harness/deadline.ts";
import { makeFolder } from "../harness/folder.ts";
import { MAY_RUN } from "../harness/permissions.ts";
import { RecordedLog } from "../harness/recorded_log.ts";
import { ServerProcess } from "../harness/server_process.ts";
import { hasStrace } from "../store/disk_trace.ts";
import { connectTo, RawWebSocket, readText, write } from "./raw_web_socket.ts";
import { MAY_SERVE_WEB, webTest } from "./web_server.ts";

const utf8 = new TextEncoder();

Deno.test({
  name: "a server that is starting is live and not ready, and refuses everything else for now",
  ignore: !MAY_SERVE_WEB,
  async fn() {
    const { WebServer } = await import("../../lib/web/web_server.ts"); // which needs more than the network
    const web = new WebServer({
      hostname: "127.0.0.1",
      hosts: [],
      origins: [],
      isSecure: false,
      needsTokens: false,
      limits: DEFAULT_LIMITS,
      version: "0",
      log: new RecordedLog().log,
    });
    const get = async (path: string) => {
      const [ours, theirs] = memorySocketPair();
      web.accepted({ socket: theirs, address: "127.0.0.1", port: 1 });
      await ours.write(utf8.encode(`GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`));
      const answer = await readText(ours);
      ours.close();
      return answer;
    };
    assertStringIncludes(await get("/health/live"), '{"status":"live"}');
    const ready = await get("/health/ready");
    assertEquals(ready.split(" ")[1], "503");
    assertStringIncludes(ready, '{"status":"starting","reason":"the server is starting"}');
    const other = await get("/subscribe/chat");
    assertEquals(other.split(" ")[1], "503");
    assertStringIncludes(other.toLowerCase(), "retry-after: 1");
    await web.close(Promise.resolve());
  },
});

webTest("a server that stops is not ready, lets what is under way end, and leaves no connection", async (
  { server, url, ca },
) => {
  await using responder = await connect({ url: server.url, ca });
  const asked = Promise.withResolvers<void>();
  const answer = Promise.withResolvers<void>();
  await responder.respond("slow", async () => {
    asked.resolve();
    await answer.promise;
    return "answered";
  });
  const host = `Host: ${new URL(url).host}\r\n`;
  const open = async (head: string) => {
    const conn = await connectTo(url, ca);
    await write(conn, utf8.encode(head));
    return conn;
  };
  const idle = await open(`GET /health/ready HTTP/1.1\r\n${host}\r\n`);
  assertStringIncludes(await readText(idle, '"ready"}'), "200 OK");
  const stream = await open(`GET /subscribe/chat HTTP/1.1\r\n${host}\r\n`);
  assertStringIncludes(await readText(stream, "\r\n\r\n"), "200 OK");
  const request = await open(`POST /request/slow HTTP/1.1\r\n${host}Content-Length: 1\r\n\r\nx`);
  await within(asked.promise, "request at the responder");
  const kept = await open(""); // no request yet
  const closed = server.close();
  answer.resolve();
  await Promise.all([idle, stream, kept].map(async (conn) => {
    await readText(conn);
    conn.close();
  }));
  const text = await readText(request);
  assert(/^HTTP\/1\.1 (200|50[234]) /.test(text), text); // never a connection that just ends
  request.close();
  const start = performance.now();
  await closed;
  assert(performance.now() - start < 3_000);
});

webTest("an open WebSocket does not keep a server from stopping, which says that it does", async (
  { server, url, ca },
) => {
  using ws = await RawWebSocket.connect(url, ca);
  await ws.client().hello();
  const start = performance.now();
  const closed = server.close(); // the client neither answers nor closes
  const conn = await connectTo(url, ca);
  await write(conn, utf8.encode(`GET /health/ready HTTP/1.1\r\nHost: ${new URL(url).host}\r\n\r\n`));
  const answer = await readText(conn);
  conn.close();
  assertStringIncludes(answer, "503 Service Unavailable");
  assertStringIncludes(answer, '"status":"draining"');
  await closed;
  assert(performance.now() - start < 3_000);
});

Deno.test({
  name: "a store that cannot be written makes the server not ready, until it can be written again",
  ignore: !HAS_CURL || !MAY_RUN || !await hasStrace(),
  async fn() {
    using folder = makeFolder();
    await using server = await ServerProcess.start({
      args: ["--web", "0", "--durable", "d.>", "--store", folder.path],
    });
    const { url } = await server.log.until("web");
    const ready = async () => {
      const { status: code, body } = await curl(`${url}/health/ready`);
      return { code, ...JSON.parse(body) };
    };
    const until = async (wanted: number) => {
      const deadline = performance.now() + 10_000;
      while ((await curl(`${url}/health/ready`)).status !== wanted) {
        assert(performance.now() < deadline, `it is never ${wanted}`);
      }
    };
    await using client = await connect({ port: server.port });
    await client.publish("d.a", "before");
    assertEquals(await ready(), { code: 200, status: "ready" });
    const strace = new Deno.Command("strace", {
      args: [
        ...["-f", "-qq", "-o", "/dev/null", "-p", `${server.pid}`, "-e", "inject=pwrite64:error=ENOSPC"],
        ...["-P", `${folder.path}/channels.db-wal`],
      ],
      stderr: "null",
    }).spawn();
    try {
      let error: unknown;
      while (error === undefined) await client.publish("d.a", "lost").catch((reason) => error = reason);
      assert(error instanceof ParleyError && error.code === "not_stored", `${error}`);
      const { code, status, reason } = await ready();
      assertEquals([code, status], [503, "failing"]);
      assertEquals(typeof reason, "string");
      assertEquals((await curl(`${url}/health/live`)).status, 200);
      await until(503);
    } finally {
      strace.kill("SIGTERM");
      await strace.status;
    }
    await until(200); // although nobody publishes
    await client.publish("d.a", "after");
    await client.close();
    await server.stop();
  },
});
