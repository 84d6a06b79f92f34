/**
 * Payloads as text, and as text that stands for bytes.
 *
 * @module
 */

import type { ContentKind } from "../../client/message_types.ts";

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Decodes UTF-8; undefined if `bytes` are not UTF-8. */
export function decodeText(bytes: Uint8Array): string | undefined {
  try {
    return utf8.decode(bytes);
  } catch {
    return undefined;
  }
}

/** The payload as text that a person can read; undefined if it is not text, whatever its sender says it is. */
export function readableText(payload: Uint8Array): string | undefined {
  const text = decodeText(payload);
  return text?.includes("\0") ? undefined : text;
}

/** The content kind of `payload`: text if it is UTF-8, otherwise bytes. */
export function kindOf(payload: Uint8Array): ContentKind {
  return decodeText(payload) === undefined ? "bytes" : "text";
}

/** Encodes bytes in base64. */
export function toBase64(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += 8192) {
    text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  }
  return btoa(text);
}
