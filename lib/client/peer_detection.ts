/**
 * What answered instead of a Parley server, as far as its first bytes tell.
 *
 * @module
 */

import { Type } from "../wire/header.ts";

/** How many bytes of an unknown answer the message quotes. */
const SHOWN_BYTES = 24;

/**
 * Says what `bytes[0, end)` look like and what to try. The text follows "host:port " in a sentence.
 *
 * @example
 * ```ts
 * import { assertStringIncludes } from "@std/assert";
 * import { describePeer } from "./peer_detection.ts";
 *
 * const answer = new TextEncoder().encode("HTTP/1.1 400 Bad Request");
 * assertStringIncludes(describePeer(answer, answer.length), "speaks HTTP");
 * ```
 */
export function describePeer(bytes: Uint8Array, end: number): string {
  const shown = bytes.subarray(0, Math.min(end, SHOWN_BYTES));
  const text = String.fromCharCode(...shown);
  if (text.startsWith("HTTP/")) return "speaks HTTP, not Parley; check the port";
  if ((shown[0] === 0x15 || shown[0] === 0x16) && (shown.length < 2 || shown[1] === 0x03)) {
    return "speaks TLS; connect over TLS (a parleys:// URL), with its CA if that is not a public one";
  }
  if (shown[0] === Type.HELLO) {
    return "sends back what it receives: it is an echo server, not Parley; check the port";
  }
  if (/^[\t\r\n\x20-\x7e]+$/.test(text)) {
    return `answered ${JSON.stringify(text.trimEnd())}, which is not Parley; check the port`;
  }
  const hex = [...shown].map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
  return `answered with bytes that are not Parley (${hex}); check the port`;
}
