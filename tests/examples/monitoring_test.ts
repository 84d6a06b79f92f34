/**
 * `examples/monitoring/`: the dashboard, the alerts and the configuration fit together, and name metrics that exist.
 */

import { assertEquals } from "@std/assert";
import { METRICS } from "../../lib/web/metric_table.ts";
import { makeFolder } from "../harness/folder.ts";
import { MAY_USE_FILES } from "../harness/permissions.ts";
import { HAS_PROMTOOL, promtool } from "../harness/promtool.ts";

const FOLDER = new URL("../../examples/monitoring/", import.meta.url);

const read = (name: string) => Deno.readTextFile(new URL(name, FOLDER));

/** What in a query can only be a metric. `up` is Prometheus' own. */
const METRIC = /\b(?:parley|process)_\w+/g;

interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly targets?: readonly { readonly expr: string; readonly legendFormat: string }[];
}

interface Dashboard {
  readonly uid: string;
  readonly templating: { readonly list: readonly { readonly name: string; readonly definition?: string }[] };
  readonly annotations: { readonly list: readonly { readonly expr: string }[] };
  readonly panels: readonly Panel[];
}

async function dashboard(): Promise<Dashboard> {
  return JSON.parse(await read("dashboard.json"));
}

/** All queries of the dashboard. */
function queriesOf({ panels, templating, annotations }: Dashboard): string[] {
  return [
    ...panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr)),
    ...templating.list.flatMap(({ definition }) => definition ?? []),
    ...annotations.list.map(({ expr }) => expr),
  ];
}

Deno.test({
  name: "every metric that the dashboard and the alerts name exists",
  ignore: !MAY_USE_FILES,
  fn: async () => {
    const known = new Set(METRICS.map(({ name }) => name));
    const texts = [...queriesOf(await dashboard()), await read("alerts.yml"), await read("alerts_test.yml")];
    const unknown = texts.flatMap((text) => text.match(METRIC) ?? []).filter((name) => !known.has(name));
    assertEquals(unknown, []);
  },
});

Deno.test({
  name: "the dashboard shows every metric but those that say little on a chart",
  ignore: !MAY_USE_FILES,
  fn: async () => {
    const shown = new Set(queriesOf(await dashboard()).flatMap((query) => query.match(METRIC) ?? []));
    const missing = METRICS.map(({ name }) => name).filter((name) => !shown.has(name));
    assertEquals(missing, [
      "parley_channels",
      "parley_patterns",
      "parley_publisher_waits_total",
      "parley_certificate_expiry_timestamp_seconds",
      "parley_store_channels",
      "parley_store_messages",
      "parley_store_slowest_commit_seconds",
      "parley_store_failures_total",
      "parley_store_consumers",
      "parley_store_lag_messages",
      "parley_channel_messages_sent_total",
      "parley_channel_received_bytes_total",
      "parley_channel_subscribers",
      "parley_channel_responders",
      "parley_consumer_paused",
    ]);
  },
});

Deno.test({
  name: "the panels of the dashboard have ids of their own and do not overlap",
  ignore: !MAY_USE_FILES,
  fn: async () => {
    const { panels } = await dashboard();
    assertEquals(new Set(panels.map(({ id }) => id)).size, panels.length);
    const taken = new Map<string, string>();
    for (const { title, type, targets = [], gridPos: { x, y, w, h } } of panels) {
      assertEquals(x + w <= 24, true, title);
      assertEquals(type === "row" || targets.length > 0, true, title);
      for (let column = x; column < x + w; column++) {
        for (let row = y; row < y + h; row++) {
          const cell = `${column},${row}`;
          assertEquals(taken.get(cell), undefined, `${title} lies over another panel`);
          taken.set(cell, title);
        }
      }
    }
  },
});

Deno.test({
  name: "promtool understands every query of the dashboard",
  ignore: !HAS_PROMTOOL,
  fn: async () => {
    const queries = queriesOf(await dashboard())
      .filter((query) => !query.startsWith("label_values("))
      .map((query) => query.replaceAll("$__rate_interval", "1m"));
    const rules = queries.map((expr, at) => ({ record: `query_${at}`, expr }));
    using folder = makeFolder();
    const file = `${folder.path}/queries.yml`; // JSON is YAML
    await Deno.writeTextFile(file, JSON.stringify({ groups: [{ name: "queries", rules }] }));
    const { code, output } = await promtool(["check", "rules", file]);
    assertEquals([code, output.includes(`SUCCESS: ${queries.length} rules found`)], [0, true], output);
  },
});

Deno.test({
  name: "promtool accepts the alerts and the configuration, also with token and TLS",
  ignore: !HAS_PROMTOOL,
  fn: async () => {
    using folder = makeFolder();
    for (const name of ["prometheus.yml", "alerts.yml", "alerts_test.yml"]) {
      await Deno.writeTextFile(`${folder.path}/${name}`, await read(name));
    }
    await Deno.writeTextFile(`${folder.path}/parley.token`, "a.b.c");
    await Deno.writeTextFile(`${folder.path}/parley-ca.pem`, "");
    const plain = await read("prometheus.yml");
    // What is commented out is an example of its own.
    const secured = plain
      .replace(/^ {4}# ((authorization|scheme|tls_config):.*)$/gm, "    $1")
      .replace(
        /^ {4}# ( +\w+_file:) \/etc\/prometheus(.*)$/gm,
        (_all, key, name) => `    ${key} ${folder.path}${name}`,
      );
    assertEquals(secured.match(/^ {4}(authorization|scheme|tls_config| {2}\w+_file):/gm)?.length, 5);
    await Deno.writeTextFile(`${folder.path}/secured.yml`, secured);
    for (
      const args of [
        ["check", "config", `${folder.path}/prometheus.yml`],
        ["check", "config", `${folder.path}/secured.yml`],
        ["check", "rules", `${folder.path}/alerts.yml`],
        ["test", "rules", `${folder.path}/alerts_test.yml`],
      ]
    ) {
      const { code, output } = await promtool(args);
      assertEquals([code, /WARNING|FAILED/.test(output)], [0, false], output);
    }
  },
});

Deno.test({
  name: "every alert is tested or plainly needs no test, and says what happened",
  ignore: !MAY_USE_FILES,
  fn: async () => {
    const names = [...(await read("alerts.yml")).matchAll(/- alert: (\w+)/g)].map(([, name]) => name);
    const tested = new Set(
      (await read("alerts_test.yml")).match(/alertname: \w+/g)!.map((text) => text.slice(11)),
    );
    assertEquals(names.filter((name) => !tested.has(name)), [
      "ParleyRestartsOften",
      "ParleyStoreRefuses",
      "ParleyStoreAlmostFull",
      "ParleyStoreSlow",
      "ParleyPublishersWait",
      "ParleyEventLoopDelayed",
      "ParleyTokensRejected",
    ]);
    const alerts = (await read("alerts.yml")).split("- alert:").slice(1);
    assertEquals(
      alerts.filter((text) => !/severity: (critical|warning)/.test(text) || !/summary: "/.test(text)),
      [],
    );
  },
});
