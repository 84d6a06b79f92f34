/**
 * A message as annotated bytes: the frame it comes in, field by field.
 *
 * @module
 */

import type { Message } from "../../client/message_types.ts";
import { HEADER_BYTES } from "../../limits.ts";
import { encodeContent } from "../../wire/content.ts";
import { encodeFrame, INBOX, Type } from "../../wire/header.ts";
import { countOf } from "./format.ts";
import { visible } from "./text.ts";

/** Some bytes, and what they mean. */
export interface ByteRow {
  readonly at: number;
  /** In hexadecimal. */
  readonly bytes: string;
  readonly field: string;
  readonly meaning: string;
}

/** What is shown of a message, as far as it is known here. */
export type ShownMessage = Pick<Message, "channel" | "channelId" | "sender" | "kind" | "headers" | "payload">;

const ROW_BYTES = 8;
const SHOWN_BYTES = 4096;

const KIND_WORDS = { bytes: "bytes", text: "UTF-8 text", json: "JSON" };

/**
 * The rows of a message: its header, its message headers and its content. A long content is shown in part. The client
 * library does not keep the id and the flag for a receipt, which are the publisher's alone: both are shown as 0.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { annotate } from "./annotate.ts";
 *
 * const rows = annotate({
 *   channel: "chat.lobby",
 *   channelId: 3,
 *   sender: 17,
 *   kind: "text",
 *   headers: {},
 *   payload: new TextEncoder().encode("hi"),
 * });
 * assertEquals(rows[0], { at: 0, bytes: "20", field: "type", meaning: "MESSAGE" });
 * assertEquals(rows.at(-1), { at: 16, bytes: "68 69", field: "content", meaning: "hi" });
 * ```
 */
export function annotate(message: ShownMessage): ByteRow[] {
  const { payload, headers, kind, channelId, sender, channel } = message;
  const hasHeaders = Object.keys(headers).length > 0;
  const content = encodeContent(kind, payload, hasHeaders ? headers : undefined);
  const length = content.payload.length;
  const contentAt = HEADER_BYTES + length - payload.length;
  const header = { type: Type.MESSAGE, flags: content.flags, channel: channelId, sender };
  const frame = encodeFrame(header, content.payload);
  const row = (from: number, to: number, field: string, meaning: string): ByteRow => ({
    at: from,
    bytes: hex(frame.subarray(from, to)),
    field,
    meaning,
  });
  return [
    row(0, 1, "type", "MESSAGE"),
    row(
      1,
      2,
      "flags",
      `the content is ${KIND_WORDS[kind]}${hasHeaders ? "; message headers come first" : ""}`,
    ),
    row(2, 4, "id", "not kept by the client library"),
    row(4, 8, "length", `${countOf(length, "byte")} follow the header`),
    row(8, 12, "channel", channelId >= INBOX ? "an inbox" : `number ${channelId}: ${channel}`),
    row(12, 16, "sender", sender === 0 ? "the server" : `session ${sender}`),
    ...contentRows(frame.subarray(HEADER_BYTES, contentAt), HEADER_BYTES, "headers"),
    ...contentRows(frame.subarray(contentAt), contentAt, "content"),
  ];
}

function contentRows(bytes: Uint8Array, start: number, field: string): ByteRow[] {
  const rows: ByteRow[] = [];
  const shown = bytes.subarray(0, SHOWN_BYTES);
  for (let at = 0; at < shown.length; at += ROW_BYTES) {
    const row = shown.subarray(at, at + ROW_BYTES);
    rows.push({ at: start + at, bytes: hex(row), field: at === 0 ? field : "", meaning: textOf(row) });
  }
  const more = bytes.length - shown.length;
  if (more > 0) {
    rows.push({
      at: start + SHOWN_BYTES,
      bytes: "",
      field: "",
      meaning: `and ${countOf(more, "byte")} more`,
    });
  }
  return rows;
}

/** Bytes as text; what is not text, or is cut in two by the row, becomes dots. */
function textOf(bytes: Uint8Array): string {
  try {
    return visible(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes));
  } catch {
    return visible(String.fromCharCode(...bytes.map((byte) => byte < 0x80 ? byte : 0x2e)));
  }
}

function hex(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
}
