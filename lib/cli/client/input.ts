/**
 * Standard input, as lines or as a whole.
 *
 * @module
 */

import type { ContentKind } from "../../client/message_types.ts";
import { ParleyError } from "../../errors.ts";

const NEWLINE = 0x0a;
const RETURN = 0x0d;

/** A payload and its content kind. */
export interface Input {
  readonly payload: Uint8Array;
  readonly kind: ContentKind;
}

/**
 * Standard input, which can be read once.
 *
 * @throws {ParleyError} `bad_argument` if an option has read it
 */
export function stdin(): ReadableStream<Uint8Array> {
  const { readable } = Deno.stdin;
  if (!readable.locked) return readable;
  throw new ParleyError(
    "bad_argument",
    "stdin has been read for --token or --ca; give one of them in another way",
  );
}

/** Returns `payload` with its kind: text if it is UTF-8, otherwise bytes. */
export function detectKind(payload: Uint8Array): Input {
  return { payload, kind: decodeText(payload) === undefined ? "bytes" : "text" };
}

/** Decodes UTF-8; undefined if `bytes` are not UTF-8. */
export function decodeText(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

/**
 * Yields the lines of `chunks` without their line ends. A line is yielded as soon as it is complete, and belongs to the
 * caller. The last line need not have a line end.
 *
 * @throws {ParleyError} `too_large` for a line of more than `maxBytes`
 */
export async function* lines(
  chunks: AsyncIterable<Uint8Array>,
  maxBytes: number,
): AsyncGenerator<Uint8Array> {
  const partial: Uint8Array[] = []; // the chunks of an incomplete line
  let length = 0;
  let count = 0;
  for await (const chunk of chunks) {
    let from = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, from)) {
      const line = join([...partial.splice(0), chunk.subarray(from, end)]);
      from = end + 1;
      length = 0;
      count++;
      yield withoutReturn(line);
    }
    if (from === chunk.length) continue;
    partial.push(chunk.slice(from));
    length += chunk.length - from;
    if (length > maxBytes) {
      const text = `line ${
        count + 1
      } is longer than the ${maxBytes} bytes this server accepts; send shorter lines`;
      throw new ParleyError("too_large", text);
    }
  }
  if (length > 0) yield withoutReturn(join(partial));
}

/**
 * Reads all of `chunks`.
 *
 * @throws {ParleyError} `too_large` if there are more than `maxBytes`
 */
export async function readAll(chunks: AsyncIterable<Uint8Array>, maxBytes: number): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of chunks) {
    parts.push(chunk.slice());
    length += chunk.length;
    if (length <= maxBytes) continue;
    throw new ParleyError(
      "too_large",
      `stdin has more than the ${maxBytes} bytes this server accepts; send less`,
    );
  }
  return join(parts);
}

function join(parts: readonly Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

function withoutReturn(line: Uint8Array): Uint8Array {
  return line.at(-1) === RETURN ? line.subarray(0, -1) : line;
}
