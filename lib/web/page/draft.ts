/**
 * A message as somebody types it.
 *
 * @module
 */

import type { Payload } from "../../client/message_types.ts";
import type { SendOptions } from "../../client/options.ts";

/** What was typed. */
export interface Draft {
  readonly channel: string;
  readonly kind: "text" | "json" | "bytes";
  readonly content: string;
  /** A line for each message header: `name: value`. */
  readonly headers: string;
}

/** Nothing yet. */
export const EMPTY_DRAFT: Draft = { channel: "", kind: "text", content: "", headers: "" };

/**
 * What is sent of it.
 *
 * @throws {Error} what is wrong with it, and what was expected
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { EMPTY_DRAFT, payloadOf } from "./draft.ts";
 *
 * const draft = { ...EMPTY_DRAFT, kind: "bytes" as const, content: "68 69", headers: "lang: en" };
 * assertEquals(payloadOf(draft), {
 *   payload: new Uint8Array([0x68, 0x69]),
 *   options: { headers: { lang: "en" } },
 * });
 * ```
 */
export function payloadOf({ kind, content, headers }: Draft): { payload: Payload; options: SendOptions } {
  const options = headers.trim() === "" ? {} : { headers: headersOf(headers) };
  if (kind === "text") return { payload: content, options };
  if (kind === "bytes") return { payload: bytesOf(content), options };
  try {
    return { payload: { json: JSON.parse(content) }, options };
  } catch (error) {
    throw new Error(`the content is not JSON: ${(error as Error).message}`);
  }
}

function headersOf(text: string): Record<string, string> {
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  return Object.fromEntries(lines.map((line) => {
    const colon = line.indexOf(":");
    if (colon < 1) throw new Error(`a message header is "name: value", not "${line.trim()}"`);
    return [line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim()];
  }));
}

function bytesOf(text: string): Uint8Array {
  const digits = text.replace(/\s/g, "");
  if (!/^([0-9a-f]{2})*$/i.test(digits)) {
    throw new Error("bytes are pairs of the digits 0 to 9 and a to f, such as 68 69");
  }
  return Uint8Array.from(digits.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}
