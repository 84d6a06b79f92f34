/**
 * `parley ping`: is the server there, and how far away?
 *
 * @module
 */

import type { Command, Context } from "../command.ts";
import { visible, visibleJson } from "../../terminal.ts";

/** Between two pings, in milliseconds; as ping(8) has it. */
const INTERVAL_MS = 1_000;

/** The command. */
export const PING: Command = {
  name: "ping",
  operands: { show: "", least: 0, most: 0 },
  summary: "measure the way to the server and back",
  details: "Prints who answers and the time each ping took; --count N sends N, one a second.",
  options: ["count", "json"],
  endsByInterrupt: false,
  run: ping,
};

async function ping({ values, output, connect, timeoutMs }: Context): Promise<void> {
  const client = await connect();
  const { session, number, name, server } = client;
  if (!values.json) {
    const who = visible(`${server.name} ${server.version}`);
    await output.line(`connected to ${who} as ${visible(name)}, session ${number}, ${visible(session)}`);
  }
  const count = values.count ?? 1;
  const times: number[] = [];
  for (let at = 1; at <= count; at++) {
    if (at > 1) await new Promise((resolve) => setTimeout(resolve, INTERVAL_MS));
    const ms = await client.ping(timeoutMs);
    times.push(ms);
    const json = () => visibleJson({ ms: Number(ms.toFixed(3)), session, number, name, server });
    await output.line(values.json ? json() : `pong ${at}: ${ms.toFixed(3)} ms`);
  }
  if (values.json || count === 1) return;
  const [least, most] = [Math.min(...times), Math.max(...times)];
  const average = times.reduce((sum, ms) => sum + ms, 0) / count;
  const summary = [least, average, most].map((ms) => ms.toFixed(3)).join("/");
  await output.line(`${count} pings, min/avg/max ${summary} ms`);
}
