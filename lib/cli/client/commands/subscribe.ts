/**
 * `parley subscribe`: prints the messages of channels and patterns, or gives each to a command.
 *
 * @module
 */

import type { Subscription } from "../../../client/api.ts";
import type { Message } from "../../../client/message_types.ts";
import type { StartingPoint } from "../../../client/options.ts";
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
    "PARLEY_SENDER, PARLEY_KIND, PARLEY_HEADERS, and PARLEY_SEQUENCE and PARLEY_DELIVERIES on a stored channel,\n" +
    "tell the rest. Given as a flag, --timeout also ends subscribe:\n" +
    "with 0, or with 5 if fewer messages than --count have come.\n" +
    "On a stored channel, --from says where to begin, and after a broken connection nothing is missing. With\n" +
    "--consumer NAME the server keeps the position: each message is acknowledged when it has been handled, and\n" +
    "given back for a second if its command failed. For work that takes long, see parley work.\n" +
    "In a pattern, * stands for one segment of a name, and a final > for one or more: 'chat.*', 'jobs.>'.",
  examples: [
    "parley subscribe 'chat.*' news",
    "parley subscribe jobs.done --count 1 --timeout 60s",
    "parley subscribe 'sensors.>' --json | jq .json.celsius",
    "parley subscribe chat.lobby --format '{time} {sender}: {payload}'",
    "parley subscribe photos.new --count 1 --whole >photo.jpg",
    "parley subscribe orders.new --from all --end --json",
    "parley subscribe orders.new --consumer billing",
    `parley subscribe 'jobs.>' --exec 'echo "$PARLEY_CHANNEL: $(cat)"'`,
  ],
  options: [
    "reconnect",
    "from",
    "end",
    "consumer",
    "count",
    "json",
    "raw",
    "whole",
    "format",
    "exec",
    "exec-timeout",
  ],
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
  const from = values.from === undefined ? undefined : startingPoint(values.from);
  const options = { consumer: values.consumer, from: from ?? (values.end ? "all" as const : undefined) };
  for (const name of distinct(operands)) {
    const subscription = await client.subscribe(name, options);
    if (values.end) checkEnd(subscription);
    subscriptions.push(subscription);
  }
  const names = subscriptions.map(({ channel }) => channel);
  log.info("subscribed", { session: client.uuid, channels: names });
  printStatus(`subscribed to ${names.join(", ")}; Ctrl-C ends`);

  const count = values.count ?? Infinity;
  let seen = 0;
  const enough = Promise.withResolvers<void>();
  const read = async (subscription: Subscription) => {
    const last = values.end ? subscription.stored!.last : Infinity;
    if (values.end && subscription.stored!.first > last) return;
    for await (const message of subscription) {
      if (seen === count) return;
      seen++;
      channels.add(message.channel);
      const handled = handle(message);
      const isDone = handled === undefined || await handled;
      if (values.consumer !== undefined) {
        if (isDone === false) message.nak(NAK_MS);
        else message.ack();
      }
      if (seen === count) return enough.resolve();
      if (message.sequence >= last) return;
    }
  };
  const end = endOfTime(context, () => seen);
  try {
    await Promise.race([enough.promise, end.promise, Promise.all(subscriptions.map(read))]);
  } finally {
    end.cancel();
  }
  if (values.consumer !== undefined) await client.close(); // sends the acknowledgements
}

/** How long a message waits whose command failed, in milliseconds. */
const NAK_MS = 1_000;

/**
 * What `--from` says.
 *
 * @throws {ParleyError} `bad_argument` if it is none of what it may be
 */
function startingPoint(text: string): StartingPoint {
  if (text === "all" || text === "last" || text === "new") return text;
  if (/^[1-9]\d{0,14}$/.test(text)) return Number(text);
  const time = /^\d{4}-\d\d-\d\d/.test(text) ? new Date(text) : undefined;
  if (time !== undefined && !Number.isNaN(time.getTime())) return time;
  const expected = "all, last, new, a sequence from 1 on, or a time such as 2026-11-25T12:00Z";
  throw new ParleyError("bad_argument", `--from must be ${expected}, not ${JSON.stringify(text)}`);
}

/** `--end` needs to know where the end is. */
function checkEnd({ channel, stored }: Subscription): void {
  if (stored !== undefined) return;
  throw new ParleyError("bad_argument", `--end needs the name of a stored channel, which ${channel} is not`);
}

/** What is done with each message. It returns a promise if the next one must wait; `false`: it failed. */
function handlerOf(context: Context): (message: Message) => Promise<boolean | void> | undefined {
  const { values, output } = context;
  const format = chosenFormat(values);
  if (values.exec === undefined) return (message) => output.write((format ?? formatLine)(message));
  if (format === undefined) return commandFor(context, values.exec);
  throw new ParleyError("bad_argument", "give --exec, or one of --json, --raw, --whole and --format");
}

/** Runs `command` for each message, in order. The first failure is reported when subscribe ends by itself. */
function commandFor(context: Context, command: string): (message: Message) => Promise<boolean> {
  const { values, output, resources, host, log, printError } = context;
  const shell = resources.use(new Shell(command, host.env, values.execTimeout));
  let last: Promise<boolean> = Promise.resolve(true);
  let isEnding = false;
  resources.defer(async () => {
    isEnding = true;
    shell.stopSoon();
    await last.catch(() => {});
  });
  const run = async (message: Message) => {
    if (isEnding) return false;
    const { channel, sender } = message;
    try {
      await shell.feed(message, (chunk) => output.write(chunk));
      log.info("message handled", { channel, sender });
      return true;
    } catch (error) {
      if (!(error instanceof CommandFailed)) throw error;
      printError(`the message of session ${sender} on ${channel}: ${error.message}`);
      context.fail(new CommandFailed("a command failed, see above"));
      return false;
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
