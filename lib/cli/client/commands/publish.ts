/**
 * `parley publish`: sends a text, or each line of stdin, as a message.
 *
 * @module
 */

import { ParleyError } from "../../../errors.ts";
import type { Command, Context } from "../command.ts";
import { connectionLost } from "../connection.ts";
import { detectKind, lines, stdin } from "../input.ts";
import { visibleJson } from "../../terminal.ts";

/** The command. */
export const PUBLISH: Command = {
  name: "publish",
  operands: { usage: "CHANNEL [TEXT | -]", min: 1, max: 2 },
  summary: "send a text, or each line of stdin, as a message",
  details:
    "Ends when the server has accepted or refused everything. Put -- before a TEXT that begins with -.",
  options: ["reconnect", "json"],
  endsByInterrupt: false,
  run: publish,
};

async function publish({ values, operands, output, log, connect }: Context): Promise<void> {
  const [name, text] = operands;
  if (text === undefined && Deno.stdin.isTerminal()) {
    throw new ParleyError("bad_argument", "publish needs a TEXT, or - to send each line of input");
  }
  const isStdin = text === undefined || text === "-";
  const client = await connect({ reconnect: isStdin && values.reconnect });
  let messages = 0;
  if (isStdin) {
    const inputLines = lines(stdin(), client.limits.payload);
    const lost = connectionLost(client);
    lost.catch(() => {});
    while (true) {
      const { value, done } = await Promise.race([inputLines.next(), lost]);
      if (done) break;
      const { payload, kind } = detectKind(value);
      await client.publish(name, payload, { kind });
      messages++;
    }
  } else {
    await client.publish(name, text);
    messages = 1;
  }
  await client.close(); // throws the error of a message that was refused
  log.info("published", { session: client.uuid, channel: name, messages });
  if (values.json) await output.line(visibleJson({ channel: name, messages }));
}
