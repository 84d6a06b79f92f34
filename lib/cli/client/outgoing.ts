/**
 * The messages that `publish` and `request` send: from an argument, files or stdin, repeated, and at a given rate.
 *
 * @module
 */

import { ParleyError } from "../../errors.ts";
import type { MessageHeaders } from "../../wire/message_headers.ts";
import type { Context } from "./command.ts";
import { type InputMessage, type InputOptions, messageOf, messagesOf, openFile, stdin } from "./input.ts";

/** A message with the channel that it is for. */
export interface AddressedMessage extends Omit<InputMessage, "headers"> {
  readonly channel: string;
  /** Undefined if there are none, so that the message has no block of headers. */
  readonly headers: MessageHeaders | undefined;
}

/** What a command sends, as its options and arguments say. */
export interface Outgoing {
  /** The channel of all messages; undefined: each names its own. */
  readonly channel: string | undefined;
  /** The argument that is sent; undefined: files or stdin are. */
  readonly text: string | undefined;
  /** The files to send; `-` is stdin. */
  readonly files: readonly string[];
  readonly input: Omit<InputOptions, "maxBytes">;
  readonly repeat: number;
  /** The most messages per second; undefined: no limit. */
  readonly rate: number | undefined;
}

/** Whether `outgoing` reads standard input. */
function readsStdin({ text, files }: Outgoing): boolean {
  return text === undefined && (files.length === 0 || files.includes("-"));
}

/**
 * Checks what `command` is to send, before it connects.
 *
 * @param isWhole whether all of a source is one message unless `--json` is given
 * @throws {ParleyError} `bad_argument` for what contradicts itself or is missing
 */
export function outgoingOf(
  { command, values, operands, host }: Context,
  { isWhole = false }: { readonly isWhole?: boolean } = {},
): Outgoing {
  const { json, file: files, repeat, rate, kind } = values;
  const [channel, argument] = operands;
  const fail = (text: string) => new ParleyError("bad_argument", text);
  const isGiven = argument !== undefined && argument !== "-";
  const whole = values.whole || isWhole && !json;
  if (isGiven && files.length > 0) throw fail(`give ${command.name} a TEXT or --file, not both`);
  if (argument === undefined && files.length === 0 && host.stdin.isTerminal()) {
    throw fail(`${command.name} needs a TEXT, --file FILE, or - to send what is typed`);
  }
  if (channel === undefined && (!json || whole)) {
    throw fail(`${command.name} needs a CHANNEL, or --json and input in which each object names its channel`);
  }
  const outgoing: Outgoing = {
    channel,
    text: isGiven ? argument : undefined,
    files: argument === "-" ? ["-", ...files] : files,
    input: { json, whole, kind, headers: headersOf(values.header) },
    repeat,
    rate,
  };
  if (repeat > 1 && readsStdin(outgoing) && !whole) {
    throw fail("--repeat needs a TEXT, --file or --whole: lines of stdin are sent as they come and not kept");
  }
  return outgoing;
}

/** The headers that `--header NAME=VALUE` gives. */
function headersOf(given: readonly string[]): MessageHeaders {
  const headers: Record<string, string> = {};
  for (const text of given) {
    const [, name, value] = /^([^=]+)=(.*)$/s.exec(text) ?? [];
    if (name === undefined) {
      throw new ParleyError("bad_argument", `--header must be NAME=VALUE, not ${JSON.stringify(text)}`);
    }
    headers[name.trim().toLowerCase()] = value;
  }
  return headers;
}

/** Yields the messages of `outgoing` when it is their time. */
export async function* messagesToSend(
  outgoing: Outgoing,
  maxBytes: number,
  { stdin }: Context["host"],
): AsyncGenerator<AddressedMessage> {
  const pace = outgoing.rate === undefined ? undefined : new Pace(outgoing.rate);
  const kept: InputMessage[] = []; // stdin can be read once
  for (let round = 0; round < outgoing.repeat; round++) {
    for await (const message of messagesOfRound(outgoing, maxBytes, stdin, kept)) {
      const channel = outgoing.channel ?? message.channel;
      if (channel === undefined) {
        const text = `${message.label} names no channel; give all of them one: CHANNEL before the options`;
        throw new ParleyError("bad_argument", text);
      }
      if (pace !== undefined) await pace.next();
      const headers = Object.keys(message.headers).length === 0 ? undefined : message.headers;
      yield { ...message, headers, channel };
    }
  }
}

async function* messagesOfRound(
  outgoing: Outgoing,
  maxBytes: number,
  stream: Context["host"]["stdin"],
  kept: InputMessage[],
): AsyncGenerator<InputMessage> {
  const input: InputOptions = { ...outgoing.input, maxBytes };
  if (outgoing.text !== undefined) return yield messageOf(outgoing.text, input);
  for (const path of outgoing.files.length === 0 ? ["-"] : outgoing.files) {
    if (path === "-" && kept.length > 0) {
      yield* kept;
      continue;
    }
    for await (const message of messagesOf(path === "-" ? stdin(stream) : await openFile(path), input)) {
      if (path === "-" && outgoing.repeat > 1) kept.push(message);
      yield message;
    }
  }
}

/** A pause that is longer than this, in milliseconds, is not made up for by sending faster. */
const MAX_LAG_MS = 1_000;

/** Spreads messages over time. */
class Pace {
  readonly #intervalMs: number;
  #dueMs = performance.now();

  constructor(rate: number) {
    this.#intervalMs = 1000 / rate;
  }

  /** Resolves when the next message is due. */
  async next(): Promise<void> {
    const now = performance.now();
    if (this.#dueMs > now) await new Promise((resolve) => setTimeout(resolve, this.#dueMs - now));
    this.#dueMs = Math.max(this.#dueMs, now - MAX_LAG_MS) + this.#intervalMs;
  }
}

/** Runs `send`. An error about the message itself says where the message came from. */
export async function labelled<T>({ label }: AddressedMessage, send: () => Promise<T>): Promise<T> {
  try {
    return await send();
  } catch (error) {
    const isAboutIt = error instanceof ParleyError &&
      ["too_large", "bad_argument", "bad_channel"].includes(error.code);
    if (label === undefined || !isAboutIt) throw error;
    const { code, message, fatal } = error;
    throw new ParleyError(code, `${label}: ${message}`, { cause: error, fatal });
  }
}
