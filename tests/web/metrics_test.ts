import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { formatMetric, Metrics } from "../../lib/web/metrics.ts";
import { METRIC_CHANNELS, METRIC_CONSUMERS } from "../../lib/web/metric_row.ts";
import { METRICS } from "../../lib/web/metric_table.ts";
import { HAS_PROMTOOL, promtool } from "../harness/promtool.ts";
import { sampleChannel, sampleStats } from "./sample_stats.ts";

/** The metrics of a server with tokens, TLS, a store and many channels. */
function everything() {
  const consumers = Array.from({ length: 60 }, (_, at) => ({
    consumer: `consumer-${at}`,
    subject: at % 2 === 0 ? 'Ada "the first"\\\n' : undefined,
    position: 0,
    lag: at,
    members: 1,
    isPaused: at === 59,
    setAside: 2,
  }));
  const stored = {
    storage: "durable" as const,
    epoch: "e",
    first: 1,
    last: 60,
    messages: 60,
    bytes: 1,
    producers: [],
  };
  const channels = Array.from(
    { length: 40 },
    (_, at) => sampleChannel(`orders.${at}`, at === 39 ? { stored: { ...stored, consumers } } : {}),
  );
  const certificateExpires = new Date("2027-02-23T20:18:00Z");
  return { server: sampleStats(), channels, stored: channels, certificateExpires };
}

/** The value of the series that is printed as `series`. */
function valueOf(text: string, series: string): number | undefined {
  const line = text.split("\n").find((line) => line.startsWith(`${series} `));
  return line === undefined ? undefined : Number(line.slice(series.length + 1));
}

Deno.test("a scrape has every metric, with the values of the server", () => {
  const metrics = new Metrics();
  const text = metrics.render(everything());
  for (const { name, type } of METRICS) {
    assertStringIncludes(text, `# TYPE ${name} ${type}\n${name}`);
    assertEquals(text.split(`# TYPE ${name} `).length, 2, name);
  }
  assertEquals(
    [
      "parley_messages_received_total",
      'parley_state{state="ready"}',
      'parley_state{state="failing"}',
      'parley_requests_ended_total{outcome="late"}',
      'parley_errors_total{code="forbidden"}',
      'parley_errors_total{code="too_large"}',
      "parley_event_loop_delay_max_seconds",
      "parley_store_slowest_commit_seconds",
      "process_start_time_seconds",
      'parley_consumer_paused{channel="orders.39",consumer="consumer-59",subject=""}',
    ].map((series) => valueOf(text, series)),
    [1_000_000, 1, 0, 17, 7, 0, 0.0031, 0.0155, Date.parse("2026-11-25T08:48:00Z") / 1000, 1],
  );
});

Deno.test("labels are bounded: the busiest channels, the consumers that lag most, known codes", () => {
  const measured = everything();
  const server = sampleStats({ errors: { forbidden: 1, made_up: 2, another: 3 } });
  const text = new Metrics().render({ ...measured, server });
  const count = (name: string) => text.split("\n").filter((line) => line.startsWith(`${name}{`)).length;
  assertEquals(count("parley_channel_subscribers"), METRIC_CHANNELS);
  assertEquals(count("parley_consumer_lag_messages"), METRIC_CONSUMERS);
  assertEquals(valueOf(text, 'parley_errors_total{code="other"}'), 5);
  assertStringIncludes(text, 'consumer="consumer-58",subject="Ada \\"the first\\"\\\\\\n"} 58\n');
});

Deno.test("a scrape shows what is there now, and nothing of an earlier one", () => {
  const metrics = new Metrics();
  const first = metrics.render(everything());
  const second = metrics.render({
    server: sampleStats({
      store: undefined,
      descriptors: null,
      messagesIn: 5,
      time: "2026-11-25T12:00:01.004Z",
      uptimeSeconds: 11_521,
    }),
    channels: [sampleChannel("chat.lobby")],
    stored: [],
  });
  assertEquals(valueOf(first, "parley_messages_received_total"), 1_000_000);
  const text = second;
  assertEquals(valueOf(text, "parley_messages_received_total"), 5);
  for (
    const gone of ["parley_store_bytes", "process_open_fds", "parley_certificate_expiry_timestamp_seconds"]
  ) {
    assertEquals(valueOf(text, gone), undefined, gone);
  }
  assertEquals(text.match(/^parley_channel_subscribers\{.*/gm), [
    'parley_channel_subscribers{channel="chat.lobby"} 3',
  ]);
  assertEquals(/^parley_consumer_lag_messages\{/m.test(text), false);
  assertEquals(valueOf(text, "process_start_time_seconds"), Date.parse("2026-11-25T08:48:00Z") / 1000);
});

Deno.test("members of groups and of consumers count as subscribers", () => {
  const [{ stored }] = everything().channels.slice(-1);
  const entry = sampleChannel("orders.new", { subscribers: 1, groups: { a: 2, b: 3 }, stored });
  const text = new Metrics().render({ server: sampleStats(), channels: [entry], stored: [] });
  assertEquals(valueOf(text, 'parley_channel_subscribers{channel="orders.new"}'), 1 + 5 + 60);
});

Deno.test("values that are no plain numbers, and labels with anything in them", () => {
  const series = [1e21, 5e-7, Infinity, -Infinity, NaN].map((value, at) => ({
    labels: { at: `${at}` },
    value,
  }));
  const odd = [...series, { labels: { at: '\\ "\n\t\u00e9\u{1f600}', other: "" }, value: 0 }];
  assertEquals(formatMetric({ name: "odd", type: "gauge", help: "A \\ and\na line." }, odd).split("\n"), [
    "# HELP odd A \\\\ and\\na line.",
    "# TYPE odd gauge",
    'odd{at="0"} 1e+21',
    'odd{at="1"} 5e-7',
    'odd{at="2"} +Inf',
    'odd{at="3"} -Inf',
    'odd{at="4"} NaN',
    'odd{at="\\\\ \\"\\n\t\u00e9\u{1f600}",other=""} 0',
    "",
  ]);
});

Deno.test({
  name: "promtool finds nothing to complain about",
  ignore: !HAS_PROMTOOL,
  fn: async () => {
    const ended = await promtool(["check", "metrics"], new Metrics().render(everything()));
    assertEquals(ended, { code: 0, output: "" });
  },
});

Deno.test("a scrape takes a few milliseconds", () => {
  const metrics = new Metrics();
  const measured = everything();
  metrics.render(measured);
  const times: number[] = [];
  for (let at = 0; at < 20; at++) {
    const start = performance.now();
    metrics.render(measured);
    times.push(performance.now() - start);
  }
  const median = times.toSorted((one, other) => one - other)[10];
  assert(median < 10, `it took ${times.map((ms) => ms.toFixed(1)).join(", ")} ms`);
});

Deno.test("every metric has a help that is a sentence", () => {
  for (const { name, help } of METRICS) assertMatch(help, /^[A-Z0-9][^\n]*\.$/, name);
});
