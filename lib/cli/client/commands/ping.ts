/**
 * `parley ping`: measures the round trip to the server.
 *
 * @module
 */

import type { Command, Context } from "../command.ts";
import { visible, visibleJson } from "../../terminal.ts";

/** The interval of pings in milliseconds, as in ping(8). */
const INTERVAL_MS = 1_000;

/** The command. */
export const PING: Command = {
  name: "ping",
  operands: { usage: "", min: 0, max: 0 },
  summary: "measure the round trip to the server",
  details: "Prints server, session and the time of each ping. --count N sends N pings, one per second.",
  examples: [
    "parley ping",
    "parley ping --count 2 --json",
    "parley ping --url parley://127.0.0.1:7253 --timeout 2s",
  ],
  options: ["count", "json"],
  endsByInterrupt: false,
  run: ping,
};

async function ping({ values, output, connect }: Context): Promise<void> {
  const client = await connect();
  const { uuid, sessionId, name, server } = client;
  if (!values.json) {
    const peer = visible(`${server.name} ${server.version}`);
    await output.line(`connected to ${peer} as ${visible(name)}, session ${sessionId}, ${visible(uuid)}`);
  }
  const count = values.count ?? 1;
  const times: number[] = [];
  for (let at = 1; at <= count; at++) {
    if (at > 1) await new Promise((resolve) => setTimeout(resolve, INTERVAL_MS));
    const ms = await client.ping({ timeoutMs: values.timeout });
    times.push(ms);
    const json = () => visibleJson({ ms: Number(ms.toFixed(3)), sessionId, uuid, name, server });
    await output.line(values.json ? json() : `pong ${at}: ${ms.toFixed(3)} ms`);
  }
  if (values.json || count === 1) return;
  const [min, max] = [Math.min(...times), Math.max(...times)];
  const average = times.reduce((sum, ms) => sum + ms, 0) / count;
  const summary = [min, average, max].map((ms) => ms.toFixed(3)).join("/");
  await output.line(`${count} pings, min/avg/max ${summary} ms`);
}
