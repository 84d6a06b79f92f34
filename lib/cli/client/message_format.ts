/**
 * The forms in which a command prints the messages it receives.
 *
 * @module
 */

import type { Message } from "../../client/message_types.ts";
import { ParleyError } from "../../errors.ts";
import { visible, visibleJson } from "../terminal.ts";
import { formatMessageJson, storedDetails } from "./message_json.ts";
import { readableText, toBase64 } from "./payload.ts";

/** What is printed for a message: a line without its end, or exactly these bytes. */
export type Formatted = string | Uint8Array;

/** Formats a message. */
export type MessageFormat = (message: Message) => Formatted;

/** The options that choose a format. */
export interface FormatOptions {
  /** An object, as docs/cli.md documents it. */
  readonly json: boolean;
  /** The payload as it was sent, with a newline behind it. */
  readonly raw: boolean;
  /** The payload as it was sent, and nothing else. */
  readonly whole: boolean;
  /** A template, as {@linkcode parseTemplate} takes it. */
  readonly format: string | undefined;
}

/**
 * The format that the options choose; undefined if they choose none.
 *
 * @throws {ParleyError} `bad_argument` for a template with an unknown field
 */
export function chosenFormat({ json, raw, whole, format }: FormatOptions): MessageFormat | undefined {
  if (format !== undefined) return parseTemplate(format);
  if (json) return (message) => formatMessageJson(message, storedDetails(message));
  if (whole) return ({ payload }) => payload;
  return raw ? ({ payload }) => withNewline(payload) : undefined;
}

/** Formats a message as `chat.lobby 17 hello`. Control characters are escaped. */
export function formatLine(message: Message): string {
  return `${message.channel} ${message.sender} ${showPayload(message)}`;
}

function showPayload({ payload }: Message): string {
  const text = readableText(payload);
  return text === undefined ? `base64:${toBase64(payload)}` : visible(text);
}

function withNewline(payload: Uint8Array): Uint8Array {
  const line = new Uint8Array(payload.length + 1);
  line.set(payload);
  line[payload.length] = 0x0a;
  return line;
}

/** The fields of a template. What others send is escaped. */
const FIELDS: Readonly<Record<string, (message: Message) => string>> = {
  channel: ({ channel }) => channel,
  sender: ({ sender }) => String(sender),
  kind: ({ kind }) => kind,
  size: ({ payload }) => String(payload.length),
  payload: showPayload,
  base64: ({ payload }) => toBase64(payload),
  headers: ({ headers }) => visibleJson(headers),
  sequence: ({ sequence }) => String(sequence),
  deliveries: ({ deliveries }) => String(deliveries),
  time: () => new Date().toISOString(),
};

/** What a template holds besides text: a field, a header, an escaped brace or control character. */
const PART = /\{\{|\}\}|\\[nt\\]|\{([^{}]*)\}/g;

const ESCAPES: Readonly<Record<string, string>> = {
  "{{": "{",
  "}}": "}",
  "\\n": "\n",
  "\\t": "\t",
  "\\\\": "\\",
};

/**
 * Parses a template such as `{channel} {sender} {payload}`. `{header:NAME}` is a message header; `{{` and `}}` are braces,
 * and `\n`, `\t` and `\\` what they usually are.
 *
 * @throws {ParleyError} `bad_argument` for an unknown field
 *
 * @example
 * ```ts
 * import { assertThrows } from "@std/assert";
 * import { parseTemplate } from "./message_format.ts";
 *
 * assertThrows(() => parseTemplate("{chanel}"), Error, "{chanel} is not a field");
 * ```
 */
export function parseTemplate(template: string): (message: Message) => string {
  const parts: (string | ((message: Message) => string))[] = [];
  let end = 0;
  for (const match of template.matchAll(PART)) {
    parts.push(template.slice(end, match.index), ESCAPES[match[0]] ?? field(match[1]));
    end = match.index + match[0].length;
  }
  parts.push(template.slice(end));
  return (message) => parts.map((part) => typeof part === "string" ? part : part(message)).join("");
}

function field(name: string): (message: Message) => string {
  if (Object.hasOwn(FIELDS, name)) return FIELDS[name];
  const [, header] = /^header:(.+)$/.exec(name) ?? [];
  if (header !== undefined) {
    const key = header.toLowerCase();
    return ({ headers }) => Object.hasOwn(headers, key) ? visible(headers[key]) : "";
  }
  const names = [...Object.keys(FIELDS), "header:NAME"].join(", ");
  throw new ParleyError(
    "bad_argument",
    `--format: ${visible(`{${name}}`)} is not a field; the fields are ${names}; write {{ for a brace`,
  );
}
