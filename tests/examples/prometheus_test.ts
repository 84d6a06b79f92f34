/**
 * Prometheus itself, with the configuration and the alerts of `examples/monitoring/`, scrapes a server.
 */

import { assertEquals } from "@std/assert";
import { connect } from "../../lib/client/connect.ts";
import { serve } from "../../lib/server/serve.ts";
import { within } from "../harness/deadline.ts";
import { makeFolder } from "../harness/folder.ts";
import { MAY_RUN } from "../harness/permissions.ts";

const FOLDER = new URL("../../examples/monitoring/", import.meta.url);

const HAS_PROMETHEUS = MAY_RUN && hasPrometheus();

function hasPrometheus(): boolean {
  try {
    const output = { stdout: "null", stderr: "null" } as const;
    return new Deno.Command("prometheus", { args: ["--version"], ...output }).outputSync().success;
  } catch {
    return false;
  }
}

/** What its API answers with, as far as the test looks at it. */
interface Answer {
  readonly data: {
    readonly activeTargets?: readonly { readonly health: string }[];
    readonly result?: readonly { readonly value: readonly [number, string] }[];
    readonly groups?: readonly { readonly rules: readonly Rule[] }[];
  };
}

interface Rule {
  readonly name: string;
  readonly health: string;
  readonly state: string;
}

Deno.test({
  name: "Prometheus scrapes a server as the example says, and no alert fires",
  ignore: !HAS_PROMETHEUS,
  fn: async () => {
    using folder = makeFolder();
    await using server = await serve({
      web: { port: 0 },
      stored: [{ channels: "orders.>", storage: "durable" }],
      store: `${folder.path}/store`,
    });
    await using client = await connect({ url: server.url });
    await client.publish("orders.new", "a hat");
    for (const name of ["prometheus.yml", "alerts.yml"]) {
      const text = await Deno.readTextFile(new URL(name, FOLDER));
      const here = text.replace("127.0.0.1:7254", new URL(server.webUrl!).host).replace(
        /: 15s$/gm,
        ": 1s",
      );
      await Deno.writeTextFile(`${folder.path}/${name}`, here);
    }
    const port = freePort();
    const prometheus = new Deno.Command("prometheus", {
      args: [
        `--config.file=${folder.path}/prometheus.yml`,
        `--storage.tsdb.path=${folder.path}/data`,
        `--web.listen-address=127.0.0.1:${port}`,
      ],
      stdout: "null",
      stderr: "null",
    }).spawn();
    try {
      /** While it starts, it refuses connections, and then answers with 503. */
      const ask = async (path: string): Promise<Answer["data"]> => {
        const response = await fetch(`http://127.0.0.1:${port}/api/v1/${path}`).catch(() => undefined);
        const text = await response?.text() ?? "";
        return response?.ok ? (JSON.parse(text) as Answer).data : {};
      };
      await until("sample of the server", async () => {
        const { activeTargets, result } = {
          ...await ask("targets"),
          ...await ask("query?query=parley_store_messages"),
        };
        // On a busy machine the first scrape may take longer than the second that it has.
        return activeTargets?.[0]?.health === "up" && result?.[0]?.value[1] === "1";
      });
      await until("evaluation of the rules", async () => {
        const { groups } = await ask("rules");
        return groups?.flatMap(({ rules }) => rules).every(({ health }) => health !== "unknown") ?? false;
      });
      const { groups } = await ask("rules");
      const rules = groups!.flatMap(({ rules }) => rules);
      assertEquals(rules.filter(({ health, state }) => health !== "ok" || state !== "inactive"), []);
    } finally {
      prometheus.kill("SIGKILL");
      await prometheus.status;
    }
  },
});

/** A port that was free a moment ago: Prometheus does not say which one it has chosen. */
function freePort(): number {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  listener.close();
  return listener.addr.port;
}

/** Asks again and again until it is so: Prometheus tells nobody. */
function until(what: string, isSo: () => Promise<boolean>): Promise<void> {
  const ask = async () => {
    while (!await isSo()) await new Promise((resolve) => setTimeout(resolve, 50));
  };
  return within(ask(), what, 20_000);
}
