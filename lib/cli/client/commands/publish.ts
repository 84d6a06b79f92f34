/**
 * `parley publish`: a text, or each line of stdin, as a message.
 *
 * @module
 */

import { ParleyError } from "../../../errors.ts";
import { type Command, type Context, lost } from "../command.ts";
import { given, lines } from "../input.ts";
import { visibleJson } from "../../terminal.ts";

/** The command. */
export const PUBLISH: Command = {
  name: "publish",
  operands: { show: "CHANNEL [TEXT | -]", least: 1, most: 2 },
  summary: "send a text, or each line of stdin, as a message",
  details: "Ends once the server has dealt with everything. A TEXT that begins with - goes behind --.",
  options: ["json"],
  endsByInterrupt: false,
  run: publish,
};

async function publish({ values, operands, output, log, connect }: Context): Promise<void> {
  const [name, text] = operands;
  if (text === undefined && Deno.stdin.isTerminal()) {
    throw new ParleyError("bad_argument", "publish needs a TEXT, or - to send each line you type");
  }
  const client = await connect();
  const channel = await client.open(name, { subscribe: false });
  let messages = 0;
  const isStdin = text === undefined || text === "-";
  if (isStdin) {
    const fromStdin = lines(Deno.stdin.readable, client.limits.payload);
    const gone = lost(client);
    gone.catch(() => {});
    while (true) {
      const { value, done } = await Promise.race([fromStdin.next(), gone]);
      if (done) break;
      const { payload, kind } = given(value);
      await channel.publish(payload, { kind });
      messages++;
    }
  } else {
    await channel.publish(text);
    messages = 1;
  }
  await client.close(); // throws what was refused
  log.info("published", { session: client.session, channel: name, messages });
  if (values.json) await output.line(visibleJson({ channel: name, messages }));
}
