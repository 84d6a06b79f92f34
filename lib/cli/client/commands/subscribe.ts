/**
 * `parley subscribe`: prints what comes on channels and patterns.
 *
 * @module
 */

import type { Channel, Message } from "../../../client/api.ts";
import { channelProblem, covers } from "../../../wire/names.ts";
import { type Command, type Context, declineRequest } from "../command.ts";
import { readText } from "../input.ts";
import { visible, visibleJson } from "../../terminal.ts";

/** The command. */
export const SUBSCRIBE: Command = {
  name: "subscribe",
  operands: { show: "CHANNEL...", least: 1, most: Infinity },
  summary: "print what comes on channels and patterns, a line each",
  details:
    "Each line is CHANNEL SENDER TEXT, the sender being a session's number; what is no text is shown\n" +
    "in base64. With --json each is an object with channel, sender, kind, and text or base64.\n" +
    "In a pattern * stands for one part of a name, and > at the end for all that follows: 'chat.*'.",
  options: ["count", "json"],
  endsByInterrupt: true,
  run: subscribe,
};

async function subscribe({ values, operands, output, log, tell, connect }: Context): Promise<void> {
  const client = await connect();
  const channels: Channel[] = [];
  for (const name of distinct(operands)) channels.push(await client.open(name));
  const names = channels.map(({ name }) => name);
  log.info("subscribed", { session: client.session, channels: names });
  tell(`subscribed to ${names.join(", ")}; Ctrl-C ends`);

  const format = values.json ? formatJson : formatLine;
  const count = values.count ?? Infinity;
  let seen = 0;
  const enough = Promise.withResolvers<void>();
  const print = async (channel: Channel) => {
    for await (const message of channel) {
      if (seen === count) return;
      seen++;
      // Many wait for one write, unless there is too much of it.
      const full = output.line(format(message));
      if (full !== undefined) await full;
      if (message.isRequest) await declineRequest(message);
      if (seen === count) return enough.resolve();
    }
  };
  await Promise.race([enough.promise, Promise.all(channels.map(print))]);
}

/** `names` without those that another one covers: a message should be printed once. */
function distinct(names: readonly string[]): string[] {
  const isCovered = (name: string) => names.some((other) => other !== name && covers(other, name));
  return [...new Set(names)].filter((name) => channelProblem(name) !== undefined || !isCovered(name));
}

/** `chat.lobby 17 hello`; what would break the line is escaped. */
export function formatLine(message: Message): string {
  const { channel, sender, payload } = message;
  const text = textOf(message);
  const shown = text === undefined ? `base64:${base64(payload)}` : visible(text);
  return `${channel} ${sender} ${shown}`;
}

/** A message as a line of JSON. */
export function formatJson(message: Message): string {
  const { channel, sender, kind, payload } = message;
  const text = kind === "bytes" ? undefined : readText(payload);
  return visibleJson({
    channel,
    sender,
    kind,
    ...(text === undefined ? { base64: base64(payload) } : { text }),
  });
}

/** The payload as text; nothing where it is none, whatever its sender says. */
function textOf({ payload }: Message): string | undefined {
  const text = readText(payload);
  return text?.includes("\0") ? undefined : text;
}

function base64(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += 8192) {
    text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  }
  return btoa(text);
}
