/**
 * The content of a message as its frame has it: the flags that describe it, and the payload with the headers in front.
 *
 * @module
 */

import { Kind, MESSAGE_HEADERS } from "./header.ts";
import { encodeMessageHeaders, type MessageHeaders } from "./message_headers.ts";

const KIND_FLAGS = { bytes: Kind.BYTES, text: Kind.TEXT, json: Kind.JSON } as const;

/** What goes into a frame. */
export interface EncodedContent {
  readonly flags: number;
  readonly payload: Uint8Array;
}

/**
 * Encodes content with its headers, if there are any. Without headers the payload is `content` itself, not a copy.
 *
 * @throws {RangeError} as `encodeMessageHeaders`
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { encodeContent } from "./content.ts";
 *
 * const content = new Uint8Array([1, 2]);
 * assertEquals(encodeContent("bytes", content, undefined), { flags: 0, payload: content });
 * assertEquals(encodeContent("json", content, {}).payload, new Uint8Array([0, 2, 0x7b, 0x7d, 1, 2])); // {}
 * ```
 */
export function encodeContent(
  kind: keyof typeof KIND_FLAGS,
  content: Uint8Array,
  headers: MessageHeaders | undefined,
): EncodedContent {
  if (headers === undefined) return { flags: KIND_FLAGS[kind], payload: content };
  const block = encodeMessageHeaders(headers);
  const payload = new Uint8Array(block.length + content.length);
  payload.set(block);
  payload.set(content, block.length);
  return { flags: KIND_FLAGS[kind] | MESSAGE_HEADERS, payload };
}
