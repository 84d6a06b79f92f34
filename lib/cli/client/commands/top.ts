/**
 * `parley top`: shows what a server does, on a terminal or as objects.
 *
 * @module
 */

import { visibleJson } from "../../terminal.ts";
import type { Command, Context } from "../command.ts";
import { connectionLost } from "../connection.ts";
import { readStats, watchStats } from "../monitor/stats_requests.ts";
import { canDraw } from "../raw_terminal.ts";

/** The command. */
export const TOP: Command = {
  name: "top",
  operands: { usage: "", min: 0, max: 0 },
  summary: "show what the server does, second by second",
  details: "On a terminal: rates, what waits, memory, the store, and the busiest channels and sessions.\n" +
    "q or Ctrl-C ends it. Tab shows both tables or one of them. The keys r, i, o, b, u, s, l and w sort by rate,\n" +
    "messages in, messages out, bytes, messages unheard, subscribers, lag and waiting bytes. If input or output is\n" +
    "no terminal, or with --json, it prints an object each second: counts since the server started, and values\n" +
    "of the moment. --count N ends it after N of them. With tokens, it needs one issued with --monitor.",
  examples: ["parley top", "parley top --json --count 2 | jq .messagesIn"],
  options: ["reconnect", "count", "json"],
  endsByInterrupt: true,
  run: top,
};

async function top(context: Context): Promise<void> {
  const { values, host } = context;
  if (values.json || !canDraw(host)) return await printObjects(context);
  const { showOnTerminal } = await import("../monitor/top.ts"); // what only a terminal needs
  await showOnTerminal(context);
}

async function printObjects({ values, output, log, connect }: Context): Promise<void> {
  const client = await connect({ reconnect: values.reconnect });
  const subscription = await watchStats(client);
  log.info("watching", { session: client.uuid });
  const print = async () => {
    let left = values.count ?? Infinity;
    for await (const message of subscription) {
      await output.line(visibleJson(readStats("$stats.now", message)));
      if (--left === 0) break;
    }
  };
  await Promise.race([print(), connectionLost(client)]);
}
