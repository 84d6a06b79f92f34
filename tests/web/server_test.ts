/** The web server by curl: health, what is not there, files, and how it starts and ends. */

import { assertEquals, assertMatch, assertRejects, assertStringIncludes } from "@std/assert";
import { connect, ParleyError, serve, type ServeOptions } from "../../lib/mod.ts";
import { HAS_CURL } from "../harness/curl.ts";
import { connectTo, readText, write } from "./raw_web_socket.ts";
import { MAY_SERVE_WEB, type Served, webTest } from "./web_server.ts";

const curlTest = (name: string, fn: (served: Served) => Promise<void>) =>
  webTest(name, fn, { ignore: !HAS_CURL });

curlTest("health says that the server is live and ready", async ({ url, log, curl }) => {
  const live = await curl("/health/live");
  assertEquals([live.status, live.body], [200, '{"status":"live"}\n']);
  const ready = await curl("/health/ready");
  assertEquals([ready.status, ready.body], [200, '{"status":"ready"}\n']);
  assertEquals(ready.headers.get("content-type"), "application/json");
  assertEquals(ready.headers.get("cache-control"), "no-store");
  assertEquals(log.all("web").map(({ url }) => url), [url]);
});

curlTest("HEAD is GET without a body", async ({ curl }) => {
  const { status, body } = await curl("/health/live", "--head");
  assertEquals([status, body], [200, ""]);
});

webTest(
  "a path that is not there, and a method that is not for it, are problems that say what there is",
  async (
    { curl },
  ) => {
    const missing = await curl("/nothing");
    assertEquals([missing.status, missing.headers.get("content-type")], [404, "application/problem+json"]);
    const problem = JSON.parse(missing.body);
    assertEquals([problem.status, problem.code, problem.title], [404, "not_found", "Not Found"]);
    assertStringIncludes(problem.detail, "/health/live");
    const wrong = await curl("/health/live", "-d", "x");
    assertEquals([wrong.status, wrong.headers.get("allow")], [405, "GET, HEAD, OPTIONS"]);
    assertEquals(JSON.parse(wrong.body).code, "wrong_method");
  },
);

curlTest("the page is served with its type, and not again if it is the same", async ({ curl }) => {
  const page = await curl("/");
  assertEquals([page.status, page.headers.get("content-type")], [200, "text/html; charset=utf-8"]);
  assertMatch(page.body, /^<!doctype html>/i);
  const etag = page.headers.get("etag")!;
  const again = await curl("/", "-H", `If-None-Match: ${etag}`);
  assertEquals([again.status, again.body], [304, ""]);
  const zipped = await curl("/", "--compressed");
  assertEquals([zipped.headers.get("content-encoding"), zipped.body], ["gzip", page.body]);
});

curlTest(
  "what offers HTTP/2 besides is served by HTTP/1.1, body and all",
  async ({ url, ca, server, curl }) => {
    await using client = await connect({ url: server.url, ca });
    const alerts = await client.subscribe("alerts");
    const offer = [
      "-H",
      "Connection: Upgrade, HTTP2-Settings",
      "-H",
      "Upgrade: h2c",
      "-H",
      "HTTP2-Settings: AAMAAABk",
    ];
    assertEquals((await curl("/publish/alerts", "-d", "disk full", ...offer)).status, 202);
    assertEquals((await alerts.next()).value?.text(), "disk full");
    const conn = await connectTo(url, ca);
    await write(conn, new TextEncoder().encode("GET /health/ready HTTP/1.0\r\n\r\n")); // as some load balancers do
    assertMatch(await readText(conn), /^HTTP\/1\.1 200 OK/);
    conn.close();
  },
);

curlTest("every response tells browsers to be strict", async ({ curl }) => {
  for (const path of ["/", "/health/live", "/nothing"]) {
    const { headers } = await curl(path);
    assertMatch(headers.get("content-security-policy")!, /default-src 'none'; script-src 'self'/);
    assertEquals(headers.get("x-content-type-options"), "nosniff");
    assertEquals(headers.get("referrer-policy"), "no-referrer");
    assertEquals(headers.get("set-cookie"), null);
  }
});

curlTest("two requests take one connection", async ({ url, curl }) => {
  const live = `${url}/health/live`;
  const none = ["-o", "/dev/null"];
  const { body } = await curl("/health/ready", ...none, ...none, "-w", "%{num_connects} ", live);
  assertEquals(body, "1 0 ");
});

Deno.test("without the option web nothing listens for HTTP", async () => {
  await using server = await serve();
  assertEquals(server.webUrl, undefined);
});

Deno.test("a port that is taken is an error that says what to do, and leaves nothing behind", {
  ignore: !MAY_SERVE_WEB,
}, async () => {
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = taken.addr as Deno.NetAddr;
  const { code } = await assertRejects(
    () => serve({ web: { port } }),
    ParleyError,
    "another program listens there",
  );
  assertEquals(code, "cannot_listen");
});

Deno.test("HTTP on an address that other machines reach needs tokens and TLS, too", async () => {
  await assertRejects(
    () => serve({ web: { hostname: "0.0.0.0", port: 0 } }),
    ParleyError,
    "other machines can connect to a server on 0.0.0.0",
  );
});

Deno.test("wrong options of web are errors", async () => {
  const wrong: [unknown, string][] = [
    [{}, "web.port is missing"],
    [{ port: -1 }, "web.port must be a whole number from 0 to 65535, not -1"],
    [{ port: 0, hosts: [] }, 'web has no option "hosts"; there are hostname, port, origins'],
    [{ port: 0, origins: ["https://a.example/x"] }, "web.origins must be an array of origins"],
  ];
  for (const [web, words] of wrong) {
    await assertRejects(() => serve({ web } as ServeOptions), ParleyError, words);
  }
});
