/** A short run of the benchmark, of Parley alone. */

import { assert, assertEquals } from "@std/assert";
import type { Report } from "../../bench/report/data.ts";
import { hasStrace } from "../store/disk_trace.ts";

const granted = await Promise.all(
  (["run", "read"] as const).map(async (name) =>
    (await Deno.permissions.query({ name })).state === "granted"
  ),
);
const canRun = Deno.build.os === "linux" && granted.every(Boolean);

/** Measures Parley with `args`. */
async function bench(...args: string[]): Promise<{ report: Report; said: string }> {
  const program = new URL("../../bench/main.ts", import.meta.url).pathname;
  const command = ["run", "-A", program, "--quick", "--against", "parley", "--json", ...args];
  const { stdout, stderr } = await new Deno.Command(Deno.execPath(), { args: command }).output();
  const said = new TextDecoder().decode(stderr);
  return { report: JSON.parse(new TextDecoder().decode(stdout) || `{"rows":"${said}"}`), said };
}

Deno.test({
  name: "a short run measures every kind of workload with Parley",
  ignore: !canRun, // starts programs, and drives them by epoll
  async fn() {
    const workloads = [
      "turns64,in8,request50,echo50,ws128,wsecho500,http50,connect,start,lib16,libask1",
      "stored64,storedturns64,storedconsume,storedreplay",
    ].join();
    const { report, said } = await bench("--only", workloads);
    for (const { id, cells: { parley } } of report.rows) {
      assertEquals(parley.error, undefined, `${id}: ${said}`);
      assert(parley.spread !== undefined && parley.spread.median > 0, `${id}: ${JSON.stringify(parley)}`);
    }
    assertEquals(report.rows.map(({ id }) => id).join(), workloads);
    const latencies = report.rows.find(({ id }) => id === "echo50")!.cells.parley.latency!;
    assert(
      0 < latencies.p50 && latencies.p50 <= latencies.p99 && latencies.p99 <= latencies.p999,
      JSON.stringify(latencies),
    );
  },
});

Deno.test({
  name: "with a slow disk, no receipt comes before its sync",
  ignore: !canRun || !await hasStrace(),
  async fn() {
    const syncMs = 20;
    const { report, said } = await bench("--only", "stored1", "--sync-ms", String(syncMs));
    const { error, latency } = report.rows[0].cells.parley;
    assertEquals([error, report.effort.syncMs], [undefined, syncMs], said);
    assert(latency!.p50 >= syncMs, JSON.stringify(latency));
  },
});
