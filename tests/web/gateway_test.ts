/** Publishing and requesting by curl. */

import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { ApplicationError, connect, serve } from "../../lib/mod.ts";
import { curl, HAS_CURL } from "../harness/curl.ts";
import { within } from "../harness/deadline.ts";
import { makeFolder } from "../harness/folder.ts";
import { MAY_USE_FILES } from "../harness/permissions.ts";
import { RecordedLog } from "../harness/recorded_log.ts";
import { openTokenDesk } from "../harness/token_desk.ts";
import { gatewayTest, problem } from "./gateway_server.ts";

gatewayTest("curl -d publishes text, and a Content-Type says what else it is", async ({ client, http }) => {
  const alerts = await client.subscribe("alerts");
  const sent: [args: string[], kind: string, text: string][] = [
    [["-d", "disk full"], "text", "disk full"],
    [["-H", "Content-Type: application/json", "-d", '{"disk": 99.5}'], "json", '{"disk": 99.5}'],
    [
      ["-H", "Content-Type: application/octet-stream", "--data-binary", "\x01\r\n\x02"],
      "bytes",
      "\x01\r\n\x02",
    ],
    [["-H", "Content-Type: text/plain; charset=utf-8", "-d", "größer"], "text", "größer"],
    [["-X", "POST"], "bytes", ""],
  ];
  for (const [args, kind, text] of sent) {
    const { status, body } = await http("/publish/alerts", ...args);
    assertEquals([status, body], [202, ""]);
    const { value } = await within(alerts.next(), "a message");
    assertEquals([value!.kind, value!.text(), value!.headers], [kind, text, {}]);
  }
});

gatewayTest("message headers and the trace of a request go with the message", async ({ client, http }) => {
  const alerts = await client.subscribe("alerts");
  const trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  const headers = [
    "-H",
    'Parley-Headers: {"lang":"de","name":"J\\u00fcrgen","word":"größer"}',
    "-H",
    `traceparent: ${trace}`,
  ];
  assertEquals((await http("/publish/alerts", "-d", "x", ...headers)).status, 202);
  const { value } = await within(alerts.next(), "a message");
  assertEquals(value!.headers, { traceparent: trace, lang: "de", name: "Jürgen", word: "größer" });
  for (const wrong of ["x", "[]", '{"a":1}', '{"Lang":"de"}']) {
    const [status, code] = problem(
      await http("/publish/alerts", "-d", "x", "-H", `Parley-Headers: ${wrong}`),
    );
    assertEquals([status, code], [400, "bad_payload"]);
  }
});

gatewayTest("on a stored channel the answer says where the message is", async ({ http, client }) => {
  for (const channel of ["d.orders", "h.orders"]) {
    const answers = [];
    for (const text of ["one", "two"]) answers.push(await http(`/publish/${channel}`, "-d", text));
    assertEquals(answers.map(({ status, headers }) => [status, headers.get("content-type")]), [
      [200, "application/json"],
      [200, "application/json"],
    ]);
    const places = answers.map(({ body }) => JSON.parse(body));
    const stored = await client.subscribe(channel, { from: "all" });
    const epoch = stored.stored!.epoch;
    assertEquals(places, [{ sequence: 1, epoch }, { sequence: 2, epoch }]);
    for (const text of ["one", "two"]) assertEquals((await stored.next()).value!.text(), text);
  }
});

gatewayTest("a publish that is not as it must be is refused with a reason", async ({ http }) => {
  const json = ["-H", "Content-Type: application/json"];
  const refused = async (path: string, ...args: string[]) => problem(await http(path, ...args)).slice(0, 2);
  assertEquals(await refused("/publish/a..b", "-d", "x"), [400, "bad_channel"]);
  assertEquals(await refused("/publish/a.*", "-d", "x"), [400, "bad_channel"]);
  assertEquals(await refused("/publish/d.*", "-d", "x"), [400, "bad_channel"]);
  assertEquals(await refused("/publish/a?form=all", "-d", "x"), [400, "bad_argument"]);
  assertEquals(await refused("/publish/a", ...json, "-d", "{"), [400, "bad_payload"]);
  assertEquals(await refused("/publish/a", "-H", "Content-Type: text/plain; charset=latin1", "-d", "x"), [
    400,
    "bad_payload",
  ]);
  assertEquals(await refused("/publish/$stats", "-d", "x"), [403, "forbidden"]);
  assertEquals(await refused("/publish/a", "-H", "Idempotency-Key: k", "-d", "x"), [409, "not_durable"]);
  assertEquals(await refused("/publish/h.a", "-H", "Idempotency-Key: k", "-d", "x"), [409, "not_durable"]);
  assertEquals(await refused("/publish/d.a", "-H", "Idempotency-Key: a b", "-d", "x"), [400, "bad_argument"]);
});

gatewayTest("a body may be as long as a message, and no longer", async ({ http, client }) => {
  using folder = makeFolder();
  const file = `${folder.path}/body`;
  const long = await client.subscribe("long");
  for (const channel of ["long", "d.long"]) {
    for (
      const [length, status] of [[65_536, channel === "long" ? 202 : 200], [65_537, 413], [10_000_000, 413]]
    ) {
      await Deno.writeFile(file, new Uint8Array(length));
      const binary = ["-H", "Content-Type: application/octet-stream", "--data-binary", `@${file}`];
      for (const how of [[], ["-H", "Expect: 100-continue"], ["-H", "Transfer-Encoding: chunked"]]) {
        const answer = await http(`/publish/${channel}`, ...binary, ...how);
        assertEquals(answer.status, status, `${length} ${how} ${answer.error}`);
        if (status === 413) assertEquals(problem(answer)[1], "too_large");
        else if (channel === "long") {
          assertEquals((await within(long.next(), "a message")).value!.payload.length, length);
        }
      }
    }
  }
  // With its headers the message is longer than its body.
  await Deno.writeFile(file, new Uint8Array(65_536));
  const answer = await http(
    "/publish/d.long",
    "--data-binary",
    `@${file}`,
    "-H",
    'Parley-Headers: {"a":"b"}',
  );
  assertEquals(problem(answer).slice(0, 2), [413, "too_large"]);
}, { limits: { payloadBytes: 65_536 } });

gatewayTest("a request is answered with the reply, its type and its headers", async ({ client, http }) => {
  await using _upper = await client.respond("text.upper", (request) => request.text().toUpperCase());
  await using _json = await client.respond(
    "json",
    (request) => ({ json: { got: request.kind, lang: request.headers.lang } }),
  );
  await using _bytes = await client.respond("bytes", async (request) => {
    await request.reply(new Uint8Array([0, 255]), { headers: { name: "Jürgen" } });
  });
  const upper = await http("/request/text.upper", "-d", "make me loud");
  assertEquals([upper.status, upper.body, upper.headers.get("content-type")], [
    200,
    "MAKE ME LOUD",
    "text/plain; charset=utf-8",
  ]);
  const json = await http(
    "/request/json",
    "-H",
    'Parley-Headers: {"lang":"en"}',
    "-H",
    "Content-Type: application/json",
    "-d",
    "[]",
  );
  assertEquals([json.headers.get("content-type"), json.body], [
    "application/json",
    '{"got":"json","lang":"en"}',
  ]);
  const bytes = await http("/request/bytes", "-d", "");
  assertEquals([bytes.headers.get("content-type"), bytes.headers.get("content-length")], [
    "application/octet-stream",
    "2",
  ]);
  assertEquals(bytes.headers.get("parley-headers"), '{"name":"J\\u00fcrgen"}');
  assertEquals((await http("/request/$echo", "-d", "hello")).body, "hello");
});

gatewayTest("each way in which a request fails has its status", async ({ client, http, server }) => {
  assertEquals(problem(await http("/request/nobody", "-d", "x")), [
    503,
    "no_responders",
    "no session responds on nobody",
  ]);
  await using _shop = await client.respond("shop", () => {
    throw new ApplicationError("out_of_stock", "no shoes left", { next: "Monday" });
  }, { onError: () => {} });
  const shop = await http("/request/shop", "-d", "shoes");
  assertEquals(JSON.parse(shop.body), {
    type: "about:blank",
    title: "Unprocessable Content",
    status: 422,
    detail: "no shoes left",
    code: "out_of_stock",
    application: true,
    data: { next: "Monday" },
  });
  await using _broken = await client.respond("broken", () => {
    throw new Error("a secret");
  }, { onError: () => {} });
  const broken = problem(await http("/request/broken", "-d", "x"));
  assertEquals(broken.slice(0, 2), [502, "responder_failed"]);
  assertEquals(broken[2].includes("secret"), false);
  const asked = Promise.withResolvers<void>();
  const gone = await connect({ url: server.url });
  await gone.respond("gone", () => {
    asked.resolve();
    return new Promise<void>(() => {});
  });
  const waiting = http("/request/gone", "-d", "x");
  await asked.promise;
  await gone.close();
  assertEquals(problem(await waiting).slice(0, 2), [502, "responder_gone"]);
  const late = Promise.withResolvers<string>();
  await using _late = await client.respond("late", () => late.promise);
  assertEquals(problem(await http("/request/late?timeout=0.05", "-d", "x")).slice(0, 2), [504, "timed_out"]);
  for (const timeout of ["0", "x", "-1", "1e3", "4000"]) {
    assertEquals(problem(await http(`/request/late?timeout=${timeout}`, "-d", "x")).slice(0, 2), [
      400,
      "bad_argument",
    ]);
  }
  late.resolve("too late");
  assertEquals(problem(await http("/request/a.*", "-d", "x")).slice(0, 2), [400, "bad_channel"]);
});

gatewayTest(
  "the requests of one address share a session, which the log names",
  async ({ http, log, server }) => {
    const before = server.sessions;
    for (let i = 0; i < 5; i++) await http("/publish/alerts", "-d", `${i}`);
    assertEquals(server.sessions, before + 1);
    const greeted = log.all("greeted").filter(({ name }) => name === "http");
    assertEquals(greeted.length, 1);
    const { session } = greeted[0];
    const connected = log.all("connected").find((line) => line.session === session)!;
    assertMatch(String(connected.remote), /^127\.0\.0\.1:/);
  },
);

Deno.test({
  name: "with tokens, each request may do what its token allows",
  ignore: !HAS_CURL || !MAY_USE_FILES,
  fn: () => withTokens(),
});

const NO_GRANTS = { publish: [], subscribe: [], respond: [], direct: false, expiresInSeconds: 3600 };

async function withTokens(): Promise<void> {
  using folder = makeFolder();
  const { tokens } = openTokenDesk(folder.path);
  const issued = await tokens.issue({ ...NO_GRANTS, name: "writer", publish: ["d.>", "alerts"] });
  const writer = issued.token;
  const { token: other } = await tokens.issue({ ...NO_GRANTS, name: "other", publish: ["d.>"] });
  const { token: reader } = await tokens.issue({ ...NO_GRANTS, name: "reader", subscribe: ["d.>"] });
  const log = new RecordedLog();
  await using server = await serve({
    web: { port: 0 },
    auth: true,
    state: folder.path,
    stored: [{ channels: "d.>", storage: "durable" }],
    log: log.log,
  });
  const http = (token: string | undefined, path: string, ...args: string[]) => {
    const bearer = token === undefined ? [] : ["-H", `Authorization: Bearer ${token}`];
    return curl(...args, ...bearer, `${server.webUrl}${path}`);
  };
  assertEquals((await http(writer, "/publish/d.a", "-d", "one")).status, 200);
  assertEquals((await http(writer, "/publish/alerts", "-d", "one")).status, 202);
  assertEquals(problem(await http(writer, "/publish/secrets", "-d", "x")).slice(0, 2), [403, "forbidden"]);
  assertEquals(problem(await http(reader, "/publish/d.a", "-d", "x")).slice(0, 2), [403, "forbidden"]);
  assertEquals(problem(await http(reader, "/publish/alerts", "-d", "x")).slice(0, 2), [403, "forbidden"]);
  assertEquals(problem(await http(writer, "/channels/d.a")).slice(0, 2), [403, "forbidden"]);
  assertEquals(problem(await http(writer, "/subscribe/d.a")).slice(0, 2), [403, "forbidden"]);
  assertEquals(problem(await http(writer, "/request/secrets", "-d", "x")).slice(0, 2), [403, "forbidden"]);
  const { messages } = JSON.parse((await http(reader, "/channels/d.a")).body);
  assertEquals(messages.map(({ text }: { text: string }) => text), ["one"]);
  // A key is the subject's own.
  const key = ["-H", "Idempotency-Key: k", "-d", "x"];
  const places = [
    await http(writer, "/publish/d.a", ...key),
    await http(other, "/publish/d.a", ...key),
    await http(writer, "/publish/d.a", ...key),
  ];
  assertEquals(
    places.map(({ body, headers }) => [JSON.parse(body).sequence, headers.get("idempotency-replayed")]),
    [
      [2, null],
      [3, null],
      [2, "true"],
    ],
  );
  const paths = ["/publish/d.a", "/request/a", "/subscribe/d.a", "/channels/d.a"];
  const asked = [undefined, `${writer.slice(0, -4)}AAAA`].flatMap((token) => {
    return paths.map((path) => http(token, path, ...bodyFor(path)));
  });
  for (const answer of await Promise.all(asked)) {
    assertEquals(problem(answer).slice(0, 2), [401, "unauthorized"]);
    assertStringIncludes(answer.headers.get("www-authenticate") ?? "", "Bearer");
  }
  // A token that is revoked is refused, and the session that it had is over.
  await tokens.revoke(issued.issued.id);
  await server.reload();
  await log.until("refused", { code: "unauthorized" });
  for (let status = 200; status !== 401;) ({ status } = await http(writer, "/publish/d.a", "-d", "x"));
  const lines = log.lines.map((line) => JSON.stringify(line));
  for (const secret of [writer, other, reader]) {
    assertEquals(lines.some((line) => line.includes(secret)), false);
  }
}

function bodyFor(path: string): string[] {
  return /^\/(publish|request)/.test(path) ? ["-d", "x"] : [];
}

gatewayTest("what a full channel refuses may be sent again later", async ({ http }) => {
  assertEquals((await http("/publish/d.full", "-d", "1", "-H", "Idempotency-Key: k")).status, 200);
  const full = await http("/publish/d.full", "-d", "2");
  assertEquals([problem(full).slice(0, 2), full.headers.get("retry-after")], [[503, "not_stored"], "1"]);
  assertEquals((await http("/publish/d.full", "-d", "1", "-H", "Idempotency-Key: k")).status, 200);
}, { stored: [{ channels: "d.>", storage: "durable", maxMessages: 1, full: "refuse" }] });

gatewayTest("what is published goes at the rate that the server allows a session", async ({ http }) => {
  const start = performance.now();
  for (let i = 0; i < 15; i++) assertEquals((await http(`/publish/d.rate`, "-d", `${i}`)).status, 200);
  // A second's worth at once, then 10 a second.
  assertEquals(performance.now() - start > 400, true);
}, { limits: { messagesPerSecond: 10 } });

gatewayTest("a client that goes before its reply leaves nothing", async ({ client, http, log }) => {
  const replies: Promise<void>[] = [];
  const asked = Promise.withResolvers<void>();
  const late = Promise.withResolvers<string>();
  await using _late = await client.respond("late", (request) => {
    asked.resolve();
    replies.push(late.promise.then((text) => request.reply(text)));
    return Promise.all(replies).then(() => {});
  });
  const gone = await http("/request/late", "-d", "x", "--max-time", "0.2");
  await asked.promise;
  assertEquals([gone.code, gone.status], [28, 0]); // curl has waited long enough
  late.resolve("too late");
  assertEquals((await http("/request/$echo", "-d", "x")).body, "x");
  assertEquals(log.all("internal error"), []);
});

gatewayTest("an address has as many event streams as connections", async ({ server, http, client }) => {
  const controllers = Array.from({ length: 9 }, () => new AbortController());
  const streams = await Promise.all(
    controllers.map(({ signal }) => fetch(`${server.webUrl}/subscribe/a`, { signal })),
  );
  assertEquals(streams.map(({ status }) => status), new Array(9).fill(200));
  assertEquals(problem(await http("/subscribe/a")).slice(0, 2), [503, "server_full"]);
  await client.publish("a", "hello");
  for (const [i, stream] of streams.entries()) {
    const reader = stream.body!.pipeThrough(new TextDecoderStream()).getReader();
    for (let text = ""; !text.includes("data: hello\n");) {
      text += (await within(reader.read(), "an event")).value;
    }
    controllers[i].abort();
    await reader.closed.catch(() => {});
  }
  while (server.sessions > 1) await new Promise((resolve) => setTimeout(resolve, 5));
  assertEquals((await http("/publish/a", "-d", "x")).status, 202);
}, { limits: { connectionsPerAddress: 10 } });
