/**
 * docs/monitoring.md has every metric, with its type and its labels.
 */

import { assertEquals } from "@std/assert";
import { METRICS } from "../../lib/web/metric_table.ts";
import { MAY_USE_FILES } from "../harness/permissions.ts";

Deno.test({
  name: "docs/monitoring.md lists the metrics that there are",
  ignore: !MAY_USE_FILES,
  fn: async () => {
    const markdown = await Deno.readTextFile(new URL("../../docs/monitoring.md", import.meta.url));
    const rows = [...markdown.matchAll(/^\| `(\w+)` +\| (counter|gauge) +\| ([^|]*?) *\|/gm)]
      .map(([, name, type, labels]) => `${name} ${type} ${labels.replace(/[`,]/g, "")}`.trimEnd());
    assertEquals(rows, METRICS.map(({ name, type, labels }) => [name, type, ...labels ?? []].join(" ")));
  },
});
