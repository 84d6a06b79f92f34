/**
 * Message headers: the block at the front of a payload whose frame has flag 0x08 (docs/protocol.md, "Frame").
 *
 * A u16 length n, then n bytes of a UTF-8 JSON object whose values are strings. A server passes the block on unread.
 *
 * @module
 */

import { MAX_MESSAGE_HEADERS_BYTES } from "../limits.ts";
import { u16 } from "./header.ts";

/** Message headers, by lower-case name. */
export type MessageHeaders = Readonly<Record<string, string>>;

/** The header of a REPLY that says that the responder failed. Its value is a code of the application's own. */
export const ERROR_HEADER = "error";

const LENGTH_BYTES = 2;
const encoder = new TextEncoder();
const utf8 = new TextDecoder("utf-8", { fatal: true });

/**
 * Encodes `headers` as the block that stands before the content.
 *
 * @throws {RangeError} if the JSON of the headers is longer than 65,535 bytes, or a name has upper-case letters
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { decodeMessageHeaders, encodeMessageHeaders } from "./message_headers.ts";
 *
 * const payload = encodeMessageHeaders({ traceparent: "00-1" });
 * assertEquals(decodeMessageHeaders(payload), { headers: { traceparent: "00-1" }, contentAt: 24 });
 * ```
 */
export function encodeMessageHeaders(headers: MessageHeaders): Uint8Array<ArrayBuffer> {
  const upper = Object.keys(headers).find((name) => name !== name.toLowerCase());
  if (upper !== undefined) throw new RangeError(`message header names are lower case, got "${upper}"`);
  const json = encoder.encode(JSON.stringify(headers));
  if (json.length > MAX_MESSAGE_HEADERS_BYTES) {
    const limit = `at most ${MAX_MESSAGE_HEADERS_BYTES} bytes of JSON`;
    throw new RangeError(`message headers take ${limit}, got ${json.length}`);
  }
  const block = new Uint8Array(LENGTH_BYTES + json.length);
  block[0] = json.length >>> 8;
  block[1] = json.length;
  block.set(json, LENGTH_BYTES);
  return block;
}

/** Decodes the block at the front of `payload`: the headers, and where the content begins; or what is wrong with it. */
export function decodeMessageHeaders(
  payload: Uint8Array,
): { readonly headers: MessageHeaders; readonly contentAt: number } | { readonly problem: string } {
  if (payload.length < LENGTH_BYTES) return { problem: "the message headers lack their length" };
  const contentAt = LENGTH_BYTES + u16(payload, 0);
  if (contentAt > payload.length) {
    return {
      problem: `message headers of ${contentAt - LENGTH_BYTES} bytes in a payload of ${payload.length}`,
    };
  }
  let headers: unknown;
  try {
    headers = JSON.parse(utf8.decode(payload.subarray(LENGTH_BYTES, contentAt)));
  } catch {
    return { problem: "the message headers are not JSON in UTF-8" };
  }
  if (headers === null || typeof headers !== "object" || Array.isArray(headers)) {
    return { problem: "the message headers are not a JSON object" };
  }
  const wrong = Object.entries(headers).find(([, value]) => typeof value !== "string");
  if (wrong !== undefined) return { problem: `the message header "${wrong[0]}" is not a string` };
  return { headers: headers as MessageHeaders, contentAt };
}
