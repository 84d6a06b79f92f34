/**
 * `/metrics` of a running server: what is in it, and who gets it.
 */

import { assertEquals, assertMatch } from "@std/assert";
import { connect } from "../../lib/client/connect.ts";
import { METRIC_CHANNELS } from "../../lib/web/metric_row.ts";
import { METRICS } from "../../lib/web/metric_table.ts";
import { HAS_PROMTOOL, promtool } from "../harness/promtool.ts";
import { openTokenDesk } from "../harness/token_desk.ts";
import { curl, HAS_CURL } from "../harness/curl.ts";
import { makeFolder } from "../harness/folder.ts";
import { MAY_USE_FILES } from "../harness/permissions.ts";
import { serve } from "../../lib/server/serve.ts";
import { gatewayTest, problem } from "./gateway_server.ts";
import { webTest } from "./web_server.ts";

/** The values of `names` in a scrape; undefined for one that is not there. */
function valuesIn(text: string, ...names: string[]): (number | undefined)[] {
  const lines = text.split("\n");
  return names.map((name) => {
    const line = lines.find((line) => line.startsWith(`${name} `));
    return line === undefined ? undefined : Number(line.slice(name.length + 1));
  });
}

gatewayTest("a scrape tells what has happened", async ({ client, http }) => {
  await using lobby = await client.subscribe("chat.lobby");
  await using _responder = await client.respond("text.upper", (request) => request.text().toUpperCase());
  for (let at = 0; at < 10; at++) await client.publish("chat.lobby", "hello");
  for (let at = 0; at < 10; at++) await lobby.next();
  await client.publish("nobody.hears", "hello");
  await client.publish("d.orders", "a hat");
  await client.request("text.upper", "hi");
  await client.request("nobody.responds", "hi").catch(() => {});
  await client.flush();
  const { status, headers, body } = await http("/metrics");
  assertEquals(
    [status, headers.get("content-type"), headers.get("cache-control")],
    [200, "text/plain; version=0.0.4; charset=utf-8", "no-store"],
  );
  const [received, sent, unheard, asked, answered, refused, stored, failing] = valuesIn(
    body,
    'parley_channel_messages_received_total{channel="chat.lobby"}',
    'parley_channel_messages_sent_total{channel="chat.lobby"}',
    'parley_channel_messages_unheard_total{channel="nobody.hears"}',
    "parley_requests_total",
    'parley_requests_ended_total{outcome="answered"}',
    'parley_errors_total{code="no_responders"}',
    "parley_store_messages",
    'parley_state{state="failing"}',
  );
  assertEquals([received, sent, unheard], [10, 10, 1]);
  assertEquals([refused, stored, failing], [1, 1, 0]);
  assertEquals(asked! >= 2 && answered! >= 1, true, `${asked} asked, ${answered} answered`);
  const missing = METRICS.map(({ name }) => name).filter((name) => !body.includes(`\n# TYPE ${name} `));
  assertEquals(missing.filter((name) => !/^parley_(info|consumer_|certificate_)/.test(name)), []);
  if (HAS_PROMTOOL) assertEquals(await promtool(["check", "metrics"], body), { code: 0, output: "" });
});

gatewayTest(
  "a consumer that lags is there, also if its channel is not among the busiest",
  async ({ client, http }) => {
    for (let channel = 0; channel < METRIC_CHANNELS + 5; channel++) {
      for (let at = 0; at < 5; at++) await client.publish(`busy.${channel}`, "hello");
    }
    for (let at = 0; at < 3; at++) await client.publish("d.orders", "a hat");
    await using _billing = await client.subscribe("d.orders", { consumer: "billing" });
    const { body } = await http("/metrics");
    const labels = '{channel="d.orders",consumer="billing",subject=""}';
    assertEquals(
      valuesIn(
        body,
        `parley_consumer_lag_messages${labels}`,
        `parley_consumer_members${labels}`,
        "parley_store_max_lag_messages",
        'parley_channel_messages_received_total{channel="d.orders"}',
      ),
      [3, 1, 3, undefined],
    );
    assertEquals(body.match(/^parley_channel_subscribers\{/gm)?.length, METRIC_CHANNELS);
  },
);

gatewayTest("HEAD gives the headers of a scrape, and POST what is allowed", async ({ http }) => {
  const head = await http("/metrics", "--head");
  assertEquals([head.status, head.body], [200, ""]);
  assertEquals(Number(head.headers.get("content-length")) > 1_000, true);
  const post = await http("/metrics", "-d", "x");
  assertEquals([post.status, post.headers.get("allow")], [405, "GET, HEAD, OPTIONS"]);
});

webTest(
  "a scrape tells when the certificate expires, if there is one",
  async ({ url, curl }) => {
    const { status, body } = await curl("/metrics");
    assertEquals(status, 200);
    const [expires] = valuesIn(body, "parley_certificate_expiry_timestamp_seconds");
    const days = expires === undefined ? undefined : (expires * 1000 - Date.now()) / 86_400_000;
    if (url.startsWith("http:")) assertEquals(days, undefined);
    else assertEquals(days! > 80 && days! < 100, true, `${days} days`);
  },
  { ignore: !HAS_CURL },
);

/** A token without any grant. */
const NOTHING = { publish: [], subscribe: [], respond: [], direct: false };

Deno.test({
  name: "with tokens, a scrape needs one that grants monitor",
  ignore: !HAS_CURL || !MAY_USE_FILES,
  fn: async () => {
    using folder = makeFolder();
    const { tokens } = openTokenDesk(folder.path);
    const issue = async (monitor: boolean) => {
      return (await tokens.issue({ ...NOTHING, name: "prometheus", monitor, expiresInSeconds: 600 })).token;
    };
    const [looks, cannot] = [await issue(true), await issue(false)];
    await using server = await serve({ auth: true, state: folder.path, web: { port: 0 } });
    const scrape = (...args: string[]) => curl(...args, `${server.webUrl}/metrics`);
    const bearer = (token: string) => ["-H", `Authorization: Bearer ${token}`];
    assertEquals(problem(await scrape()).slice(0, 2), [401, "unauthorized"]);
    assertEquals(problem(await scrape(...bearer("not.a.token"))).slice(0, 2), [401, "unauthorized"]);
    const [status, code, detail] = problem(await scrape(...bearer(cannot)));
    assertEquals([status, code], [403, "forbidden"]);
    assertMatch(detail, /lacks the grant "monitor"/);
    const scraped = await scrape(...bearer(looks));
    assertEquals(scraped.status, 200);
    assertEquals(valuesIn(scraped.body, 'parley_state{state="ready"}'), [1]);
    // It may look, and nothing else.
    await using client = await connect({ url: server.url, token: looks });
    const error = await client.publish("chat.lobby", "hello").catch(({ code }) => code);
    assertEquals(error, "forbidden");
  },
});
