/**
 * What a command sends: from its arguments, from standard input or from files; as a whole, line by line, or as objects.
 *
 * @module
 */

import { concat } from "@std/bytes";
import type { ContentKind } from "../../client/message_types.ts";
import { reasonNotRead } from "../../config/option_file.ts";
import { ParleyError } from "../../errors.ts";
import type { MessageHeaders } from "../../wire/message_headers.ts";
import { type OutgoingMessage, parseMessageJson } from "./message_json.ts";
import { kindOf } from "./payload.ts";

const NEWLINE = 0x0a;

/** A stream of bytes with its name for errors: `stdin`, or the path of a file. */
export interface Source {
  readonly name: string;
  readonly chunks: AsyncIterable<Uint8Array>;
}

/** How bytes become messages. */
export interface InputOptions {
  /** Each line is an object with a message; otherwise its bytes are the payload. */
  readonly json: boolean;
  /** All of a source is one message. */
  readonly whole: boolean;
  /** The most bytes in one payload. */
  readonly maxBytes: number;
  /** The content kind; as the payload looks if left out. */
  readonly kind: ContentKind | undefined;
  /** Headers of every message. */
  readonly headers: MessageHeaders;
}

/** A message to send, and where it came from. */
export interface InputMessage extends Omit<OutgoingMessage, "id" | "to"> {
  /** For errors: `line 3 of stdin`; undefined for an argument. */
  readonly label: string | undefined;
}

/**
 * Standard input, which can be read once.
 *
 * @throws {ParleyError} `bad_argument` if an option has read it
 */
export function stdin({ readable }: { readonly readable: ReadableStream<Uint8Array> } = Deno.stdin): Source {
  if (!readable.locked) return { name: "stdin", chunks: readable };
  throw new ParleyError(
    "bad_argument",
    "stdin has been read for --token or --ca; give one of them in another way",
  );
}

/**
 * Opens a file to read messages from.
 *
 * @throws {ParleyError} `bad_argument` if it cannot be opened
 */
export async function openFile(path: string): Promise<Source> {
  try {
    const file = await Deno.open(path);
    if ((await file.stat()).isDirectory) {
      file.close();
      throw new Error("it is a folder");
    }
    return { name: path, chunks: file.readable };
  } catch (error) {
    throw new ParleyError("bad_argument", `--file: cannot read ${path}: ${reasonNotRead(error)}`, {
      cause: error,
    });
  }
}

/** The message that an argument stands for. */
export function messageOf(text: string, { kind = "text", headers }: InputOptions): InputMessage {
  return { channel: undefined, payload: new TextEncoder().encode(text), kind, headers, label: undefined };
}

/**
 * Yields the messages of `source`, each as soon as it is complete.
 *
 * @throws {ParleyError} `too_large` for one over the limit, `bad_argument` for a line that is not an object with a message;
 * both say which line
 */
export async function* messagesOf(source: Source, options: InputOptions): AsyncGenerator<InputMessage> {
  const { json, whole, maxBytes, headers } = options;
  const asIs = (payload: Uint8Array, label: string): InputMessage => ({
    channel: undefined,
    payload,
    kind: options.kind ?? kindOf(payload),
    headers,
    label,
  });
  if (whole) return yield asIs(await readAll(source, maxBytes), source.name);
  let number = 0;
  // The object around a payload may be longer than the payload: base64, escapes, headers.
  for await (const line of lines(source, json ? 8 * maxBytes + MAX_FIELDS_BYTES : maxBytes)) {
    const label = `line ${++number} of ${source.name}`;
    if (!json) {
      yield asIs(line, label);
    } else if (!isBlank(line)) {
      const message = parseMessageJson(line, label);
      const kind = options.kind ?? message.kind;
      yield { ...message, kind, headers: { ...message.headers, ...headers }, label };
    }
  }
}

/** What the other fields of an object may take, in bytes. */
export const MAX_FIELDS_BYTES = 512 * 1024;

/** Whether a line holds nothing but white space, as at the end of a file. */
function isBlank(line: Uint8Array): boolean {
  return line.every((byte) => byte === 0x20 || byte === 0x09 || byte === 0x0d);
}

/**
 * Yields the lines of `source` without the newline; a carriage return is part of the line. A line is yielded as soon as it
 * is complete, and belongs to the caller. The last line need not have a newline.
 *
 * @throws {ParleyError} `too_large` for a line of more than `maxBytes`
 */
export async function* lines({ name, chunks }: Source, maxBytes: number): AsyncGenerator<Uint8Array> {
  const partial: Uint8Array[] = []; // the chunks of an incomplete line
  let length = 0;
  let number = 1;
  const check = () => {
    if (length <= maxBytes) return;
    const text =
      `line ${number} of ${name} is longer than the ${maxBytes} bytes this server accepts; send shorter lines`;
    throw new ParleyError("too_large", text);
  };
  for await (const chunk of chunks) {
    let from = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, from)) {
      length += end - from;
      check();
      const rest = chunk.slice(from, end);
      const line = partial.length === 0 ? rest : concat([...partial.splice(0), rest]);
      from = end + 1;
      length = 0;
      number++;
      yield line;
    }
    if (from === chunk.length) continue;
    partial.push(chunk.slice(from));
    length += chunk.length - from;
    check();
  }
  if (length > 0) yield concat(partial);
}

/**
 * Reads all of `source`.
 *
 * @throws {ParleyError} `too_large` if there are more than `maxBytes`
 */
export async function readAll({ name, chunks }: Source, maxBytes: number): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of chunks) {
    parts.push(chunk.slice());
    length += chunk.length;
    if (length <= maxBytes) continue;
    throw new ParleyError(
      "too_large",
      `${name} has more than the ${maxBytes} bytes this server accepts; send less`,
    );
  }
  return concat(parts);
}
