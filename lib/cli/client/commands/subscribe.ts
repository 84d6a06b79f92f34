/**
 * `parley subscribe`: prints the messages of channels and patterns.
 *
 * @module
 */

import type { Subscription } from "../../../client/api.ts";
import type { Message } from "../../../client/message_types.ts";
import { channelProblem, covers } from "../../../wire/names.ts";
import { describeFailure } from "../../failures.ts";
import type { Command, Context } from "../command.ts";
import { decodeText } from "../input.ts";
import { visible, visibleJson } from "../../terminal.ts";

/** The command. */
export const SUBSCRIBE: Command = {
  name: "subscribe",
  operands: { usage: "CHANNEL...", min: 1, max: Infinity },
  summary: "print the messages of channels and patterns, one per line",
  details:
    "Each line is CHANNEL SENDER TEXT. The sender is a session number. A payload that is not text is shown\n" +
    "in base64. With --json each line is an object with channel, sender, kind, headers if there are any,\n" +
    "and text or base64.\n" +
    "In a pattern, * stands for one segment of a name, and a final > for one or more: 'chat.*', 'jobs.>'.",
  options: ["reconnect", "count", "json"],
  endsByInterrupt: true,
  run: subscribe,
};

async function subscribe(
  { values, operands, output, log, printStatus, printError, connect }: Context,
): Promise<void> {
  // One message with malformed headers must not end the subscription.
  const client = await connect({
    reconnect: values.reconnect,
    onError: (error) => printError(describeFailure(error)),
  });
  const subscriptions: Subscription[] = [];
  for (const name of distinct(operands)) subscriptions.push(await client.subscribe(name));
  const names = subscriptions.map(({ channel }) => channel);
  log.info("subscribed", { session: client.uuid, channels: names });
  printStatus(`subscribed to ${names.join(", ")}; Ctrl-C ends`);

  const format = values.json ? formatJson : formatLine;
  const count = values.count ?? Infinity;
  let seen = 0;
  const enough = Promise.withResolvers<void>();
  const print = async (subscription: Subscription) => {
    for await (const message of subscription) {
      if (seen === count) return;
      seen++;
      // Messages share a write; wait only if too much output is pending.
      const written = output.line(format(message));
      if (written !== undefined) await written;
      if (seen === count) return enough.resolve();
    }
  };
  await Promise.race([enough.promise, Promise.all(subscriptions.map(print))]);
}

/** Drops names that another name covers, so that a message is printed once. */
function distinct(names: readonly string[]): string[] {
  const isCovered = (name: string) => names.some((other) => other !== name && covers(other, name));
  return [...new Set(names)].filter((name) => channelProblem(name) !== undefined || !isCovered(name));
}

/** Formats a message as a line: `chat.lobby 17 hello`. Control characters are escaped. */
export function formatLine(message: Message): string {
  const { channel, sender, payload } = message;
  const text = textOf(message);
  const shown = text === undefined ? `base64:${base64(payload)}` : visible(text);
  return `${channel} ${sender} ${shown}`;
}

/** Formats a message as a line of JSON. */
export function formatJson(message: Message): string {
  const { channel, sender, kind, headers, payload } = message;
  const text = kind === "bytes" ? undefined : decodeText(payload);
  return visibleJson({
    channel,
    sender,
    kind,
    ...(Object.keys(headers).length === 0 ? {} : { headers }),
    ...(text === undefined ? { base64: base64(payload) } : { text }),
  });
}

/** The payload as text; undefined if it is not text, whatever content kind the sender gave. */
function textOf({ payload }: Message): string | undefined {
  const text = decodeText(payload);
  return text?.includes("\0") ? undefined : text;
}

function base64(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += 8192) {
    text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  }
  return btoa(text);
}
