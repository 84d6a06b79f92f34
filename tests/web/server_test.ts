/** The web server by curl: health, what is not there, files, and how it starts and ends. */

import { assertEquals, assertMatch, assertRejects, assertStringIncludes } from "@std/assert";
import { ParleyError, serve, type ServeOptions, type Server } from "../../lib/mod.ts";
import { curl, HAS_CURL } from "../harness/curl.ts";
import { makeFolder } from "../harness/folder.ts";
import { RecordedLog } from "../harness/recorded_log.ts";

/** Starts a server with HTTP and HTTPS in turn, and runs `fn` with curl for it. */
function webTest(
  name: string,
  fn: (served: {
    server: Server;
    log: RecordedLog;
    get: (path: string, ...args: string[]) => ReturnType<typeof curl>;
  }) => Promise<void>,
  options: ServeOptions = {},
): void {
  for (const tls of [false, true]) {
    Deno.test({
      name: `${tls ? "HTTPS" : "HTTP"}: ${name}`,
      ignore: !HAS_CURL,
      async fn() {
        using folder = makeFolder();
        const log = new RecordedLog();
        await using server = await serve({
          web: { port: 0 },
          tls,
          certs: folder.path,
          log: log.log,
          ...options,
        });
        const ca = tls ? ["--cacert", `${folder.path}/ca.pem`] : [];
        await fn({ server, log, get: (path, ...args) => curl(...ca, ...args, `${server.webUrl}${path}`) });
      },
    });
  }
}

webTest("health says that the server is live and ready", async ({ server, log, get }) => {
  const live = await get("/health/live");
  assertEquals([live.status, live.body], [200, '{"status":"live"}\n']);
  const ready = await get("/health/ready");
  assertEquals([ready.status, ready.body], [200, '{"status":"ready"}\n']);
  assertEquals(ready.headers.get("content-type"), "application/json");
  assertEquals(ready.headers.get("cache-control"), "no-store");
  assertEquals(log.all("web").map(({ url }) => url), [server.webUrl]);
});

webTest("HEAD is GET without a body", async ({ get }) => {
  const { status, body } = await get("/health/live", "--head");
  assertEquals([status, body], [200, ""]);
});

webTest(
  "a path that is not there, and a method that is not for it, are problems that say what there is",
  async (
    { get },
  ) => {
    const missing = await get("/nothing");
    assertEquals([missing.status, missing.headers.get("content-type")], [404, "application/problem+json"]);
    const problem = JSON.parse(missing.body);
    assertEquals([problem.status, problem.code, problem.title], [404, "not_found", "Not Found"]);
    assertStringIncludes(problem.detail, "/health/live");
    const wrong = await get("/health/live", "-d", "x");
    assertEquals([wrong.status, wrong.headers.get("allow")], [405, "GET, HEAD, OPTIONS"]);
    assertEquals(JSON.parse(wrong.body).code, "wrong_method");
  },
);

webTest("the page is served with its type, and not again if it is the same", async ({ get }) => {
  const page = await get("/");
  assertEquals([page.status, page.headers.get("content-type")], [200, "text/html; charset=utf-8"]);
  assertMatch(page.body, /^<!doctype html>/i);
  const etag = page.headers.get("etag")!;
  const again = await get("/", "-H", `If-None-Match: ${etag}`);
  assertEquals([again.status, again.body], [304, ""]);
  const zipped = await get("/", "--compressed");
  assertEquals([zipped.headers.get("content-encoding"), zipped.body], ["gzip", page.body]);
});

webTest("every response tells browsers to be strict", async ({ get }) => {
  for (const path of ["/", "/health/live", "/nothing"]) {
    const { headers } = await get(path);
    assertMatch(headers.get("content-security-policy")!, /default-src 'none'; script-src 'self'/);
    assertEquals(headers.get("x-content-type-options"), "nosniff");
    assertEquals(headers.get("referrer-policy"), "no-referrer");
    assertEquals(headers.get("set-cookie"), null);
  }
});

webTest("two requests take one connection", async ({ server, get }) => {
  const url = `${server.webUrl}/health/live`;
  const none = ["-o", "/dev/null"];
  const { body } = await get("/health/ready", ...none, ...none, "-w", "%{num_connects} ", url);
  assertEquals(body, "1 0 ");
});

Deno.test("without the option web nothing listens for HTTP", async () => {
  await using server = await serve();
  assertEquals(server.webUrl, undefined);
});

Deno.test("a port that is taken is an error that says what to do, and leaves nothing behind", async () => {
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
