/**
 * `parley publish`: sends a text, lines, files or objects as messages.
 *
 * @module
 */

import type { Command, Context } from "../command.ts";
import { connectionLost } from "../connection.ts";
import { labelled, messagesToSend, outgoingOf } from "../outgoing.ts";
import { visibleJson } from "../../terminal.ts";

/** The command. */
export const PUBLISH: Command = {
  name: "publish",
  operands: { usage: "[CHANNEL] [TEXT | -]", min: 0, max: 2, channels: "first" },
  summary: "send a text, lines or files as messages",
  details:
    "Without a TEXT, each line of stdin or of the files is a message, as it is but for its newline. With\n" +
    "--whole, each file or all of stdin is one message. With --json, each line is an object as subscribe --json\n" +
    "prints it, with channel and text, json or base64; a CHANNEL goes before that of the object. Ends when the\n" +
    "server has accepted or refused everything. Put -- before a TEXT that begins with -.",
  examples: [
    "parley publish chat.lobby 'hello, all'",
    "seq 3 | parley publish jobs.resize",
    "parley publish photos.new --whole --file photo.jpg --header name=photo.jpg",
    "parley publish clock.tick tick --repeat 3 --rate 100",
    `echo '{"channel":"news","json":{"on":true}}' | parley publish --json`,
  ],
  options: ["reconnect", "json", "whole", "file", "header", "kind", "repeat", "rate"],
  endsByInterrupt: false,
  run: publish,
};

async function publish(context: Context): Promise<void> {
  const { values, operands: [channel], output, log, host, connect } = context;
  const outgoing = outgoingOf(context);
  const isOne = outgoing.text !== undefined && outgoing.repeat === 1;
  const client = await connect({ reconnect: values.reconnect && !isOne });
  let messages = 0;
  const sendAll = async () => {
    for await (const message of messagesToSend(outgoing, client.limits.payload, host)) {
      const { channel, payload, kind, headers } = message;
      await labelled(message, () => client.publish(channel, payload, { kind, headers }));
      messages++;
    }
  };
  await Promise.race([sendAll(), connectionLost(client)]);
  if (values.timeout !== undefined) await client.flush({ timeoutMs: values.timeout });
  await client.close(); // throws the error of a message that was refused
  log.info("published", { session: client.uuid, channel, messages });
  if (values.json) await output.line(visibleJson({ channel, messages }));
}
