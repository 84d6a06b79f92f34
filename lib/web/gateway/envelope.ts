/**
 * A message as JSON: with everything that is known of it, whatever its content is.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import type { Message } from "../../client/message_types.ts";

/**
 * The JSON of a message. One of its keys `text`, `json` and `base64` has the content. Content of kind `json` stays as it
 * is, character by character, so that no number loses digits; if it is not JSON after all, it is given as `text`.
 *
 * @param time when it was stored, in milliseconds since 1970, if that is known
 */
export function encodeEnvelope(message: Message, time?: number): string {
  const { channel, sender, sequence, kind, headers } = message;
  const about = JSON.stringify({
    channel,
    sender,
    sequence: sequence === 0 ? undefined : sequence,
    time: time === undefined ? undefined : new Date(time).toISOString(),
    kind,
    headers: Object.keys(headers).length === 0 ? undefined : headers,
  });
  return `${about.slice(0, -1)},${encodeContent(message)}}`;
}

function encodeContent(message: Message): string {
  if (message.kind === "bytes") return `"base64":"${encodeBase64(message.payload)}"`;
  const text = message.text();
  return message.kind === "json" && isJson(text) ? `"json":${text}` : `"text":${JSON.stringify(text)}`;
}

/** Whether `text` is JSON. */
export function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** `bytes` in base64. */
export function encodeBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("base64");
}
