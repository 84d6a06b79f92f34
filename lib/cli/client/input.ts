/**
 * Standard input, as lines or as a whole.
 *
 * @module
 */

import type { ContentKind } from "../../client/api.ts";
import { ParleyError } from "../../errors.ts";

const NEWLINE = 0x0a;
const RETURN = 0x0d;

/** A payload, and what it is: text where it is UTF-8. */
export interface Given {
  readonly payload: Uint8Array;
  readonly kind: ContentKind;
}

/** `payload` and its kind. */
export function given(payload: Uint8Array): Given {
  return { payload, kind: readText(payload) === undefined ? "bytes" : "text" };
}

/** The text that `bytes` are, or nothing where they are not UTF-8. */
export function readText(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

/**
 * The lines of `chunks`, without their line ends; the last one may have none. A line is handed on as soon as it is
 * whole, and belongs to whoever takes it.
 *
 * @throws {ParleyError} `too_large` for a line of more than `maxBytes`
 */
export async function* lines(
  chunks: AsyncIterable<Uint8Array>,
  maxBytes: number,
): AsyncGenerator<Uint8Array> {
  const begun: Uint8Array[] = []; // of the line that is not whole yet
  let length = 0;
  let count = 0;
  for await (const chunk of chunks) {
    let from = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, from)) {
      const line = join([...begun.splice(0), chunk.subarray(from, end)]);
      from = end + 1;
      length = 0;
      count++;
      yield withoutReturn(line);
    }
    if (from === chunk.length) continue;
    begun.push(chunk.slice(from));
    length += chunk.length - from;
    if (length > maxBytes) {
      const text = `line ${
        count + 1
      } is longer than the ${maxBytes} bytes this server takes; send less a line`;
      throw new ParleyError("too_large", text);
    }
  }
  if (length > 0) yield withoutReturn(join(begun));
}

/**
 * Everything in `chunks`.
 *
 * @throws {ParleyError} `too_large` where it is more than `maxBytes`
 */
export async function whole(chunks: AsyncIterable<Uint8Array>, maxBytes: number): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of chunks) {
    parts.push(chunk.slice());
    length += chunk.length;
    if (length <= maxBytes) continue;
    throw new ParleyError(
      "too_large",
      `stdin has more than the ${maxBytes} bytes this server takes; send less`,
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
