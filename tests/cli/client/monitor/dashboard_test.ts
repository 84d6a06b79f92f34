/**
 * The rows of `parley top`, without a terminal.
 */

import { assertEquals, assertMatch } from "@std/assert";
import { width } from "../../../../lib/cli/client/chat/layout.ts";
import { dashboard, type View } from "../../../../lib/cli/client/monitor/dashboard.ts";
import { ratesBetween } from "../../../../lib/cli/client/monitor/rates.ts";
import { sparkline, table } from "../../../../lib/cli/client/monitor/rows.ts";
import type { Paint } from "../../../../lib/cli/terminal.ts";
import { sampleChannel, sampleSession, sampleStats } from "../../../web/sample_stats.ts";

const PLAIN: Paint = (_style, text) => text;
const MARKED: Paint = (style, text) => `<${style}>${text}</>`;

function sampleView(more: Partial<View> = {}): View {
  return {
    address: "127.0.0.1:7253",
    stats: sampleStats(),
    rates: undefined,
    history: [],
    sessions: [sampleSession(17, "Ada"), sampleSession(18, "Grace", { isSlow: true, pendingBytes: 1e7 })],
    channels: [sampleChannel("chat.lobby", { rate: 12_345.6 }), sampleChannel("orders.new")],
    tables: "both",
    sort: { channels: "rate", sessions: "rate" },
    notice: undefined,
    isConnected: true,
    ...more,
  };
}

Deno.test("no row is wider than the terminal, and there are as many as it has", () => {
  const view = sampleView({
    sessions: [sampleSession(1, "漢字".repeat(60)), sampleSession(2, "👩‍👩‍👧‍👦".repeat(40))],
    channels: Array.from({ length: 200 }, (_, at) => sampleChannel(`${"x".repeat(100)}.${at}`)),
    notice: "a very long notice ".repeat(20),
  });
  for (const tables of ["both", "channels", "sessions"] as const) {
    for (const columns of [1, 8, 20, 40, 60, 80, 81, 100, 250]) {
      for (const rows of [1, 2, 5, 10, 12, 13, 24, 60]) {
        const all = dashboard({ ...view, tables }, { columns, rows }, PLAIN);
        assertEquals(all.length, rows, `${columns} x ${rows}`);
        for (const row of all) assertEquals(width(row) <= columns, true, `${columns}: ${row}`);
      }
    }
  }
});

Deno.test("rates are the difference of two seconds, and there are none across a restart", () => {
  const before = sampleStats();
  const now = sampleStats({
    uptimeSeconds: before.uptimeSeconds + 2,
    messagesIn: before.messagesIn + 5_000,
    errors: { forbidden: 9, timeout: 2, no_responders: 80 },
    store: {
      ...before.store!,
      commits: before.store!.commits + 100,
      commitSeconds: before.store!.commitSeconds + 0.2,
    },
  });
  const rates = ratesBetween(before, now)!;
  assertEquals([rates.messagesIn, rates.errors, rates.commits], [2_500, 2, 50]);
  assertEquals(Math.round(rates.commitMs * 1000) / 1000, 2);
  assertEquals(ratesBetween(undefined, now), undefined);
  assertEquals(ratesBetween(now, sampleStats({ uptimeSeconds: 3 })), undefined);
  assertEquals(ratesBetween(now, now), undefined);
});

Deno.test("the whole dashboard at 80 x 24", () => {
  const stats = sampleStats();
  const later = { ...stats, uptimeSeconds: stats.uptimeSeconds + 1, messagesIn: stats.messagesIn + 5_000 };
  const view = sampleView({
    stats: later,
    rates: ratesBetween(stats, later),
    history: [0, 1_250, 2_500, 5_000],
  });
  assertEquals(dashboard(view, { columns: 80, rows: 24 }, PLAIN).map((row) => row.trimEnd()), [
    "parley 0.1.0 at 127.0.0.1:7253   ready   up 3h 12m   12:00:00 UTC",
    "messages     in 5,000/s   out 0/s   unheard 0/s",
    "bytes        in 0 B/s   out 0 B/s   waiting 16.0 MiB of 256 MiB",
    "messages in                                         ▁▃▅█   at most 5,000/s",
    "requests     asked 0/s   answered 0/s   refused 0/s   late 0/s   waiting 3",
    "open         1,234 sessions   1,240 connections   210 channels   12 patterns",
    "trouble      errors 0/s, 87   slow 1   held back 2   bad tokens 4   failed TLS 5",
    "process      loop late 0.20 ms, at most 3.10 ms   memory 120 MiB   heap 40.0 MiB",
    "store        lag 1,207   set aside 2   700 MiB of 8.00 GiB   commits 0/s of 0 ms",
    "",
    "CHANNEL                       IN/S▾    SUBS  RESP       LAG   UNHEARD         IN",
    "chat.lobby                   12,346       3     1                   0      1,000",
    "orders.new                      120       3     1                   0      1,000",
    "",
    "SESSION                       MSG/S▾    WAITING STATE ADDRESS                 IN",
    "17 Ada                            30        0 B       192.0.2.7              100",
    "18 Grace                          30   9.54 MiB slow  192.0.2.7              100",
    "",
    "",
    "",
    "",
    "",
    "",
    "q quit  Tab view  r rate  i in  o out  b bytes  u unheard  s subs  l lag  w wait",
  ]);
});

Deno.test("what needs attention has a colour, and also a word", () => {
  const rows = (more: Partial<View>) =>
    dashboard(sampleView(more), { columns: 120, rows: 30 }, MARKED).join("\n");
  const calm = rows({
    stats: sampleStats({ store: undefined, heldBack: { now: 0, times: 0, seconds: 0 } }),
    sessions: [],
  });
  assertEquals(/<(red|yellow)>/.test(calm), false);
  const bad = rows({
    stats: sampleStats({
      state: "failing",
      pendingBytes: 268_000_000,
      loopDelayMs: { mean: 20, max: 400 },
    }),
  });
  for (
    const word of [
      "<red>failing",
      "<red>waiting 256 MiB of 256 MiB",
      "<yellow>loop late 20.0 ms, at most 400 ms",
      "<yellow>held back 2",
      "<yellow>set aside 2",
      "<yellow>slow",
    ]
  ) assertMatch(bad, new RegExp(word));
  assertMatch(rows({ isConnected: false }), /<red>not connected/);
});

Deno.test("the column that a table is sorted by stays in a narrow terminal", () => {
  const rows = dashboard(
    sampleView({ sort: { channels: "bytesIn", sessions: "messagesOut" }, tables: "both" }),
    { columns: 40, rows: 24 },
    PLAIN,
  );
  assertEquals(rows.filter((row) => row.includes("▾")).length, 2);
});

Deno.test("names that others choose are escaped in every cell", () => {
  const evil = "\x1b[2J\x07\n\u202e";
  const view = sampleView({
    address: evil,
    stats: sampleStats({ version: evil, time: evil }),
    channels: [sampleChannel(evil)],
    sessions: [sampleSession(1, evil, { address: evil })],
    notice: evil,
  });
  for (const row of dashboard(view, { columns: 200, rows: 30 }, PLAIN)) {
    // deno-lint-ignore no-control-regex -- it looks for them
    assertEquals(/[\x00-\x1f\x7f-\x9f\u202e]/.test(row), false, row);
  }
});

Deno.test("a chart has a bar for each value, and the highest is full", () => {
  assertEquals(sparkline([0, 1, 2, 4, 8]), "▁▂▃▅█");
  assertEquals(sparkline([0, 0]), "▁▁");
  assertEquals(sparkline([]), "");
});

Deno.test("a table without entries has its titles", () => {
  const column = { title: "NAME", width: 4, cell: (text: string) => ({ text }) };
  assertEquals(table([column], [], { columns: 10, rows: 5, sort: "", paint: PLAIN }), ["NAME      "]);
});
