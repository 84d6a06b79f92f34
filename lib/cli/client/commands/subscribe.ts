/**
 * `parley subscribe`: prints the messages of channels and patterns, or gives each to a command.
 *
 * @module
 */

import type { Subscription } from "../../../client/api.ts";
import type { Message } from "../../../client/message_types.ts";
import { formatMilliseconds } from "../../../config/option.ts";
import { ParleyError } from "../../../errors.ts";
import { channelProblem, covers } from "../../../wire/names.ts";
import { describeFailure } from "../../failures.ts";
import type { Command, Context } from "../command.ts";
import { chosenFormat, formatLine } from "../message_format.ts";
import { CommandFailed, Shell } from "../shell.ts";

/** The command. */
export const SUBSCRIBE: Command = {
  name: "subscribe",
  operands: { usage: "CHANNEL...", min: 1, max: Infinity, channels: "all" },
  summary: "print the messages of channels and patterns, one per line",
  details:
    "Each line is CHANNEL SENDER TEXT. The sender is the id of a session. A payload that is not text is shown\n" +
    "in base64, and what would control the terminal is escaped. --json prints objects, which publish --json can\n" +
    "send again; --raw prints payloads as they are, each with a newline, and --whole without one. The fields of\n" +
    "--format are channel, sender, kind, size, payload, base64, headers, header:NAME and time.\n" +
    "--exec runs a command for each message, one after the other: the payload is its stdin, and PARLEY_CHANNEL,\n" +
    "PARLEY_SENDER, PARLEY_KIND and PARLEY_HEADERS tell the rest. Given as a flag, --timeout also ends subscribe:\n" +
    "with 0, or with 5 if fewer messages than --count have come.\n" +
    "In a pattern, * stands for one segment of a name, and a final > for one or more: 'chat.*', 'jobs.>'.",
  examples: [
    "parley subscribe 'chat.*' news",
    "parley subscribe jobs.done --count 1 --timeout 60s",
    "parley subscribe 'sensors.>' --json | jq .json.celsius",
    "parley subscribe chat.lobby --format '{time} {sender}: {payload}'",
    "parley subscribe photos.new --count 1 --whole >photo.jpg",
    `parley subscribe 'jobs.>' --exec 'echo "$PARLEY_CHANNEL: $(cat)"'`,
  ],
  options: ["reconnect", "count", "json", "raw", "whole", "format", "exec", "exec-timeout"],
  endsByInterrupt: true,
  run: subscribe,
};

async function subscribe(context: Context): Promise<void> {
  const { values, operands, log, channels, printStatus, printError, connect } = context;
  const handle = handlerOf(context);
  const client = await connect({
    reconnect: values.reconnect,
    // One message with malformed headers must not end the subscription.
    onError: (error) => printError(describeFailure(error)),
  });
  const subscriptions: Subscription[] = [];
  for (const name of distinct(operands)) subscriptions.push(await client.subscribe(name));
  const names = subscriptions.map(({ channel }) => channel);
  log.info("subscribed", { session: client.uuid, channels: names });
  printStatus(`subscribed to ${names.join(", ")}; Ctrl-C ends`);

  const count = values.count ?? Infinity;
  let seen = 0;
  const enough = Promise.withResolvers<void>();
  const read = async (subscription: Subscription) => {
    for await (const message of subscription) {
      if (seen === count) return;
      seen++;
      channels.add(message.channel);
      const handled = handle(message);
      if (handled !== undefined) await handled;
      if (seen === count) return enough.resolve();
    }
  };
  const end = endOfTime(context, () => seen);
  try {
    await Promise.race([enough.promise, end.promise, Promise.all(subscriptions.map(read))]);
  } finally {
    end.cancel();
  }
}

/** What is done with each message. It returns a promise if the next one must wait. */
function handlerOf(context: Context): (message: Message) => Promise<void> | undefined {
  const { values, output } = context;
  const format = chosenFormat(values);
  if (values.exec === undefined) return (message) => output.write((format ?? formatLine)(message));
  if (format === undefined) return commandFor(context, values.exec);
  throw new ParleyError("bad_argument", "give --exec, or one of --json, --raw, --whole and --format");
}

/** Runs `command` for each message, in order. The first failure is reported when subscribe ends by itself. */
function commandFor(context: Context, command: string): (message: Message) => Promise<void> {
  const { values, output, resources, host, log, printError } = context;
  const shell = resources.use(new Shell(command, host.env, values.execTimeout));
  let last: Promise<void> = Promise.resolve();
  let isEnding = false;
  resources.defer(async () => {
    isEnding = true;
    shell.stopSoon();
    await last.catch(() => {});
  });
  const run = async (message: Message) => {
    if (isEnding) return;
    const { channel, sender } = message;
    try {
      await shell.feed(message, (chunk) => output.write(chunk));
      log.info("message handled", { channel, sender });
    } catch (error) {
      if (!(error instanceof CommandFailed)) throw error;
      printError(`the message of session ${sender} on ${channel}: ${error.message}`);
      context.fail(new CommandFailed("a command failed, see above"));
    }
  };
  return (message) => last = last.then(() => run(message));
}

/** When the time that `--timeout` gives is over, if it does. */
function endOfTime(
  { values: { timeout, count }, origins }: Context,
  seen: () => number,
): { readonly promise: Promise<void>; cancel(): void } {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  // PARLEY_TIMEOUT is for connecting: it must not end what is meant to go on.
  if (timeout === undefined || origins.timeout !== "flag") return { promise, cancel: () => {} };
  const timer = setTimeout(() => {
    if (count === undefined) return resolve();
    const text = `${seen()} of ${count} messages came within ${formatMilliseconds(timeout)}`;
    reject(new ParleyError("timed_out", text));
  }, timeout);
  return { promise, cancel: () => clearTimeout(timer) };
}

/** Drops names that another name covers, so that a message is printed once. */
function distinct(names: readonly string[]): string[] {
  const isCovered = (name: string) => names.some((other) => other !== name && covers(other, name));
  return [...new Set(names)].filter((name) => channelProblem(name) !== undefined || !isCovered(name));
}
