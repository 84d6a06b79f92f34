/**
 * `parley request`: asks, and prints the answer.
 *
 * @module
 */

import type { Message } from "../../../client/api.ts";
import { type Command, type Context, lost } from "../command.ts";
import { given, readText, whole } from "../input.ts";
import { visibleLines } from "../../terminal.ts";
import { formatJson } from "./subscribe.ts";

/** The command. */
export const REQUEST: Command = {
  name: "request",
  operands: { show: "CHANNEL [TEXT | -]", least: 1, most: 2 },
  summary: "ask one of those who respond, and print the reply",
  details: "With - the question is all of stdin, and without a TEXT too where stdin is no terminal.",
  options: ["json"],
  endsByInterrupt: false,
  run: request,
};

async function request({ values, operands, output, connect, timeoutMs }: Context): Promise<void> {
  const [name, text] = operands;
  const client = await connect();
  const question = text === "-" || text === undefined && !Deno.stdin.isTerminal()
    ? given(await Promise.race([whole(Deno.stdin.readable, client.limits.payload), lost(client)]))
    : { payload: text ?? "", kind: "text" as const };
  const reply = await client.request(name, question.payload, { timeoutMs, kind: question.kind });
  if (values.json) await output.line(formatJson(reply));
  else await print(reply, output);
}

/** Programs get the bytes as they are, text with a newline at its end; a terminal gets nothing that would steer it. */
async function print(reply: Message, output: Context["output"]): Promise<void> {
  const text = readText(reply.payload);
  if (Deno.stdout.isTerminal()) {
    const shown = text === undefined
      ? `(${reply.payload.length} bytes that are no text)`
      : visibleLines(text);
    await output.text(shown.endsWith("\n") ? shown : `${shown}\n`);
  } else {
    await output.bytes(reply.payload);
    if (reply.kind !== "bytes" && text !== undefined && !text.endsWith("\n")) await output.text("\n");
  }
}
