/** Who may use the web server, by real curl: hosts, origins, tokens, and what a browser is told. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { Origins } from "../../lib/web/origins.ts";
import { HttpProblem } from "../../lib/web/problem.ts";
import { connect } from "../../lib/mod.ts";
import { Type } from "../../lib/wire/header.ts";
import { HAS_CURL } from "../harness/curl.ts";
import { MAY_USE_FILES } from "../harness/permissions.ts";
import { openTokenDesk } from "../harness/token_desk.ts";
import { connectTo, RawWebSocket, readText, upgradeHead, write } from "./raw_web_socket.ts";
import { type Served, webTest } from "./web_server.ts";

const ELSEWHERE = "https://app.example";

function curlTest(
  name: string,
  fn: (served: Served) => Promise<void>,
  options: Parameters<typeof webTest>[2] = {},
): void {
  webTest(name, fn, { ignore: !HAS_CURL, ...options });
}

curlTest("a forged Host is misdirected, wherever it goes", async ({ url, curl }) => {
  const { port } = new URL(url);
  const forged = [
    "rebound.example",
    `rebound.example:${port}`,
    "127.0.0.1.rebound.example",
    "10.0.0.1",
    "[::2]",
    "a b",
  ];
  for (const host of forged) {
    for (const path of ["/", "/publish/alerts"]) {
      const { status, body } = await curl(path, "-H", `Host: ${host}`, "-d", "x");
      assertEquals([host, path, status, JSON.parse(body).code], [host, path, 421, "wrong_host"]);
    }
  }
  for (const host of ["localhost", `LOCALHOST:${port}`, "127.0.0.1", `[::1]:${port}`, "localhost."]) {
    assertEquals([host, (await curl("/health/live", "-H", `Host: ${host}`)).status], [host, 200]);
  }
});

curlTest("a page from elsewhere gets nothing, and nothing happens", async ({ server, url, ca, curl }) => {
  await using client = await connect({ url: server.url, ca });
  const alerts = await client.subscribe("alerts");
  const elsewhere = ["https://elsewhere.example", "null", "http://localhost:1", url.replace(/:\d+$/, "")];
  for (const origin of elsewhere) {
    for (
      const args of [[], ["-d", "disk full"], ["-X", "OPTIONS", "-H", "Access-Control-Request-Method: POST"]]
    ) {
      const { status, headers, body } = await curl("/publish/alerts", "-H", `Origin: ${origin}`, ...args);
      assertEquals([origin, status, JSON.parse(body).code], [origin, 403, "wrong_origin"]);
      assertEquals(headers.get("access-control-allow-origin"), null);
    }
  }
  const image = [
    "-H",
    "Sec-Fetch-Site: cross-site",
    "-H",
    "Sec-Fetch-Mode: no-cors",
    "-H",
    "Sec-Fetch-Dest: image",
  ];
  assertEquals((await curl("/health/live", ...image)).status, 403);
  assertEquals((await curl("/subscribe/alerts", ...image)).status, 403);
  assertEquals((await curl("/publish/alerts", "-H", "Sec-Fetch-Site: same-site", "-d", "x")).status, 403);
  const link = [
    "-H",
    "Sec-Fetch-Site: cross-site",
    "-H",
    "Sec-Fetch-Mode: navigate",
    "-H",
    "Sec-Fetch-Dest: document",
  ];
  assertEquals((await curl("/", ...link)).status, 200);
  assertEquals((await curl("/health/live", ...link)).status, 403);
  // The server's own page may, and so may what is no browser.
  assertEquals((await curl("/publish/alerts", "-H", `Origin: ${url}`, "-d", "own page")).status, 202);
  assertEquals((await alerts.next()).value?.text(), "own page");
});

curlTest("--web-origin lets one more page use it, and no other", async ({ url, ca, curl }) => {
  const asked = await curl("/publish/alerts", "-H", `Origin: ${ELSEWHERE}`, "-X", "OPTIONS");
  assertEquals([asked.status, asked.headers.get("access-control-allow-origin")], [204, ELSEWHERE]);
  assertStringIncludes(asked.headers.get("access-control-allow-headers")!, "authorization");
  const sent = await curl("/publish/alerts", "-H", `Origin: ${ELSEWHERE}`, "-d", "x");
  assertEquals([sent.status, sent.headers.get("access-control-allow-origin")], [202, ELSEWHERE]);
  assertStringIncludes(sent.headers.get("vary")!, "origin");
  for (const origin of ["https://app.example.org", "http://app.example", "https://app.example:8443"]) {
    assertEquals([origin, (await curl("/health/live", "-H", `Origin: ${origin}`)).status], [origin, 403]);
  }
  for (const [origin, status] of [[ELSEWHERE, 101], ["https://elsewhere.example", 403]] as const) {
    const conn = await connectTo(url, ca);
    await write(conn, new TextEncoder().encode(upgradeHead(url, { Origin: origin })));
    assertEquals([origin, Number((await readText(conn, "\r\n\r\n")).split(" ")[1])], [origin, status]);
    conn.close();
  }
  // A proxy in front of the server passes on the name that browsers use.
  assertEquals((await curl("/health/live", "-H", "Host: app.example")).status, 200);
}, { web: { port: 0, origins: [ELSEWHERE] } });

curlTest(
  "with tokens only health, the page and the upgrade need none",
  async ({ server, url, ca, curl, state, log }) => {
    for (const path of ["/health/live", "/health/ready", "/", "/app.js"]) {
      assertEquals([path, (await curl(path)).status], [path, 200]);
    }
    const wrong = [[], ["-H", "Authorization: Basic YTpi"], ["-H", "Authorization: Bearer "], [
      "-H",
      "Authorization: Bearer wrong",
    ]];
    for (const args of wrong) {
      for (const path of ["/publish/alerts", "/request/alerts"]) {
        const { status, headers, body } = await curl(path, "-d", "x", ...args);
        assertEquals([path, args, status, JSON.parse(body).code], [path, args, 401, "unauthorized"]);
        assert(
          headers.get("www-authenticate")?.startsWith("Bearer"),
          `${headers.get("www-authenticate")}`,
        );
        assert(!body.includes('wrong"'), body);
      }
    }
    assertEquals((await curl("/subscribe/alerts")).status, 401);
    for (const token of [undefined, "wrong"]) {
      using ws = await RawWebSocket.connect(url, ca);
      const client = ws.client();
      await client.send(client.frame(Type.HELLO, {}, { protocol: "parley/1", token }));
      const { code, payloads } = await ws.untilClose();
      assertStringIncludes(new TextDecoder().decode(payloads[0]), '"code":"unauthorized"');
      assertEquals(code, 1000);
    }
    const { token } = await openTokenDesk(state).tokens.issue({
      name: "Ada",
      publish: [">"],
      subscribe: [">"],
      respond: [],
      direct: false,
      expiresInSeconds: 60,
    });
    assertEquals(
      (await curl("/publish/alerts", "-d", "x", "-H", `Authorization: Bearer ${token}`)).status,
      202,
    );
    using ws = await RawWebSocket.connect(url, ca);
    const client = ws.client();
    assertEquals((await client.hello({ token })).name, "Ada");
    await server.close();
    assert(!JSON.stringify(log.lines).includes(token), "the log has the token");
  },
  { auth: true, ignore: !HAS_CURL || !MAY_USE_FILES },
);

Deno.test("origins: names with wildcards, addresses behind a NAT, and what is no host", () => {
  const served = {
    hosts: ["*.example.org", "Parley.example"],
    isSecure: true,
    origins: ["https://app.example"],
  };
  const check = (hostname: string, host: string | undefined, origin?: string) => {
    try {
      return new Origins({ ...served, hostname }).check(
        { headers: { host, origin }, method: "GET" },
        false,
      ) ?? 200;
    } catch (error) {
      assert(error instanceof HttpProblem);
      return error.status;
    }
  };
  for (
    const host of ["a.example.org:443", "parley.EXAMPLE", "app.example", "10.1.2.3:7254", "[2001:db8::1]"]
  ) {
    assertEquals([host, check("0.0.0.0", host)], [host, 200]);
  }
  for (
    const host of [
      "example.org",
      "a.b.example.org",
      "1.2.3.4.evil.example",
      "",
      "a@b",
      "a/b",
      "a:b:c",
    ]
  ) {
    assertEquals([host, check("0.0.0.0", host)], [host, 421]);
  }
  assertEquals(check("127.0.0.1", "10.1.2.3"), 421);
  assertEquals(check("127.0.0.1", undefined), 200); // HTTP/1.0, which no browser speaks
  assertEquals(check("127.0.0.1", undefined, "https://elsewhere.example"), 403);
  assertEquals(check("0.0.0.0", "parley.example", "https://parley.example"), 200);
  assertEquals(check("0.0.0.0", "parley.example", "http://parley.example"), 403);
  assertEquals(check("0.0.0.0", "parley.example", "https://app.example"), "https://app.example");
});
