/**
 * `parley request`: sends a request and prints the reply.
 *
 * @module
 */

import type { Message } from "../../../client/message_types.ts";
import type { Command, Context } from "../command.ts";
import { connectionLost } from "../connection.ts";
import { decodeText, detectKind, readAll, stdin } from "../input.ts";
import { visibleLines } from "../../terminal.ts";
import { formatJson } from "./subscribe.ts";

/** The command. */
export const REQUEST: Command = {
  name: "request",
  operands: { usage: "CHANNEL [TEXT | -]", min: 1, max: 2 },
  summary: "send a request to one responder, and print the reply",
  details: "With -, or without a TEXT if stdin is not a terminal, the request is all of stdin.",
  options: ["json"],
  endsByInterrupt: false,
  run: request,
};

async function request({ values, operands, output, connect }: Context): Promise<void> {
  const [name, text] = operands;
  const client = await connect();
  const input = text === "-" || text === undefined && !Deno.stdin.isTerminal()
    ? detectKind(
      await Promise.race([readAll(stdin(), client.limits.payload), connectionLost(client)]),
    )
    : { payload: text ?? "", kind: "text" as const };
  const reply = await client.request(name, input.payload, { timeoutMs: values.timeout, kind: input.kind });
  if (values.json) await output.line(formatJson(reply));
  else await print(reply, output);
}

/** Prints bytes unchanged, and text with a newline at its end. On a terminal, control characters are escaped. */
async function print(reply: Message, output: Context["output"]): Promise<void> {
  const text = decodeText(reply.payload);
  if (Deno.stdout.isTerminal()) {
    const shown = text === undefined
      ? `(${reply.payload.length} bytes that are not text)`
      : visibleLines(text);
    await output.text(shown.endsWith("\n") ? shown : `${shown}\n`);
  } else {
    await output.bytes(reply.payload);
    if (reply.kind !== "bytes" && text !== undefined && !text.endsWith("\n")) await output.text("\n");
  }
}
