/**
 * `parley request`: sends a request and prints the reply.
 *
 * @module
 */

import type { Message } from "../../../client/message_types.ts";
import type { Command, Context } from "../command.ts";
import { connectionLost } from "../connection.ts";
import { chosenFormat } from "../message_format.ts";
import { labelled, messagesToSend, outgoingOf } from "../outgoing.ts";
import { readableText, toBase64 } from "../payload.ts";
import { visibleLines } from "../../terminal.ts";

/** The command. */
export const REQUEST: Command = {
  name: "request",
  operands: { usage: "[CHANNEL] [TEXT | -]", min: 0, max: 2, channels: "first" },
  summary: "send a request to one responder, and print the reply",
  details:
    "Without a TEXT, the request is all of stdin or of a file. With --json, each line is an object with a\n" +
    "request, as publish --json takes it, and each reply is printed as one. A reply that is not text is printed\n" +
    "in base64; --raw prints it as it is, --whole without a newline at its end.",
  examples: [
    "parley request '$echo' 'are you there?'",
    "parley request text.upper hello --timeout 2s --format '{sender}: {payload}'",
    "parley request '$echo' --file photo.jpg --whole >copy.jpg",
    `echo '{"channel":"$echo","text":"hello"}' | parley request --json`,
  ],
  options: ["json", "raw", "whole", "format", "file", "header", "kind", "repeat", "rate"],
  endsByInterrupt: false,
  run: request,
};

async function request(context: Context): Promise<void> {
  const { values, output, host, connect } = context;
  const format = chosenFormat(values) ?? formatReply;
  const outgoing = outgoingOf(context, { isWhole: true });
  const client = await connect();
  const timeoutMs = values.timeout;
  const requestAll = async () => {
    for await (const message of messagesToSend(outgoing, client.limits.payload, host)) {
      const { channel, payload, kind, headers } = message;
      const ask = () => client.request(channel, payload, { timeoutMs, kind, headers });
      await output.write(format(await labelled(message, ask)));
    }
  };
  await Promise.race([requestAll(), connectionLost(client)]);
}

/** Formats a reply as lines of text, in which control characters are escaped. */
function formatReply({ payload }: Message): string {
  const text = readableText(payload);
  return text === undefined ? `base64:${toBase64(payload)}` : visibleLines(text).replace(/\n$/, "");
}
