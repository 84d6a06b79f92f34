/**
 * Formats a frame field by field as aligned text: offset, bytes, name and meaning.
 *
 * @module
 */

import { ParleyError } from "../../errors.ts";
import { HEADER_BYTES } from "../../limits.ts";
import {
  FIRST_EXTENSION,
  INBOX,
  KIND_MASK,
  MESSAGE_HEADERS,
  readHeader,
  RECEIPT,
  RESERVED_FLAGS,
  RULES,
  Type,
  type TypeName,
  typeName,
} from "../../wire/header.ts";
import { decodeMessageHeaders, type MessageHeaders } from "../../wire/message_headers.ts";
import { decodeText } from "./payload.ts";
import { visible, visibleJson } from "../terminal.ts";

/** The meaning of each type, in a few words. */
const MEANINGS: Record<TypeName, string> = {
  HELLO: "the client introduces itself",
  WELCOME: "the server accepts the client",
  ERROR: "the server reports an error",
  PING: "asks whether the peer is there",
  PONG: "answers a PING",
  BYE: "the session ends",
  OPEN: "open a channel",
  OPENED: "the channel is open; gives its number",
  LEAVE: "leave a channel",
  LEFT: "confirms a LEAVE",
  JOINED: "a session subscribed to the channel",
  PARTED: "a session left the channel",
  MESSAGE: "a message, forwarded byte for byte",
  REQUEST: "a request to one responder",
  REPLY: "the reply to a request",
  ACK: "messages are stored, or processed",
  POSITION: "the sequence of the next message of a stored channel",
  NAK: "a message was not processed; deliver it again",
  RENEW: "messages are still being processed",
};

const KINDS = ["bytes", "UTF-8 text", "JSON", "of reserved kind 3"];

/** Payload bytes shown per row, and in total. */
const ROW_BYTES = 8;
const SHOWN_BYTES = 64;

const NO_BYTES = new Uint8Array(0);

interface Row {
  readonly at: number;
  readonly bytes: Uint8Array;
  readonly field: string;
  readonly meaning: string;
}

/**
 * Formats the frame at the start of `frame`. The payload may be incomplete; a long one is shown in part.
 *
 * @throws {ParleyError} `bad_argument` if the header is incomplete
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { encodeFrame, Type } from "../../wire/header.ts";
 * import { formatFrameDump } from "./frame_dump.ts";
 *
 * const frame = encodeFrame({ type: Type.PING, id: 7, sender: 17 });
 * assertEquals(formatFrameDump(frame).split("\n")[1], "     0  04                       type     PING: asks whether the peer is there");
 * ```
 */
export function formatFrameDump(frame: Uint8Array): string {
  if (frame.length < HEADER_BYTES) {
    const text = `a frame needs a header of ${HEADER_BYTES} bytes; there are only ${frame.length}`;
    throw new ParleyError("bad_argument", text);
  }
  const lines = [...headerRows(frame), ...payloadRows(frame)].map(({ at, bytes, field, meaning }) =>
    `${String(at).padStart(6)}  ${hex(bytes).padEnd(ROW_BYTES * 3 - 1)}  ${field.padEnd(7)}  ${meaning}`
      .trimEnd()
  );
  return [`offset  ${"bytes".padEnd(ROW_BYTES * 3 - 1)}  field    meaning`, ...lines].join("\n");
}

function headerRows(frame: Uint8Array): Row[] {
  const { type, flags, id, length, channel, sender } = readHeader(frame);
  const row = (at: number, end: number, field: string, meaning: string): Row => ({
    at,
    bytes: frame.subarray(at, end),
    field,
    meaning,
  });
  return [
    row(0, 1, "type", describeType(type)),
    row(1, 2, "flags", describeFlags(type, flags)),
    row(2, 4, "id", id === 0 ? "none" : `${id}: ties a reply to its request`),
    row(4, 8, "length", `${countOf(length)} of payload follow the header`),
    row(8, 12, "channel", describeChannel(channel)),
    row(
      12,
      16,
      "sender",
      sender > 0 ? `session ${sender}` : type === Type.HELLO ? "not assigned yet" : "the server",
    ),
  ];
}

function describeType(type: number): string {
  const meaning = RULES[type] && MEANINGS[RULES[type].name];
  if (meaning !== undefined) return `${typeName(type)}: ${meaning}`;
  return `${typeName(type)}: ${
    type >= FIRST_EXTENSION ? "skipped by peers that do not know it" : "not Parley"
  }`;
}

function isMessage(type: number): boolean {
  return type === Type.MESSAGE || type === Type.REQUEST || type === Type.REPLY;
}

function describeFlags(type: number, flags: number): string {
  const found: string[] = [];
  if (isMessage(type) || (flags & KIND_MASK) !== 0) found.push(`the payload is ${KINDS[flags & KIND_MASK]}`);
  if ((flags & RECEIPT) !== 0) found.push("a receipt is wanted");
  if ((flags & MESSAGE_HEADERS) !== 0) found.push("message headers come first");
  if ((flags & RESERVED_FLAGS) !== 0) found.push("bits are set that must be 0");
  return found.join("; ") || "none";
}

function describeChannel(channel: number): string {
  if (channel === 0) return "none: this concerns the connection itself";
  return channel >= INBOX ? `the inbox of session ${channel - INBOX}` : `channel number ${channel}`;
}

function payloadRows(frame: Uint8Array): Row[] {
  const { type, flags, length } = readHeader(frame);
  const payload = frame.subarray(HEADER_BYTES, HEADER_BYTES + length);
  const rows: Row[] = [];
  let contentAt = 0;
  if (isMessage(type) && (flags & MESSAGE_HEADERS) !== 0) {
    const decoded = decodeMessageHeaders(payload);
    if ("problem" in decoded) {
      rows.push({ at: HEADER_BYTES, bytes: NO_BYTES, field: "headers", meaning: decoded.problem });
    } else {
      contentAt = decoded.contentAt;
      rows.push({
        at: HEADER_BYTES,
        bytes: payload.subarray(0, 2),
        field: "headers",
        meaning: `${countOf(contentAt - 2)}: ${describeHeaders(decoded.headers)}`,
      });
      rows.push(...byteRows(payload.subarray(2, contentAt), HEADER_BYTES + 2, ""));
    }
  }
  rows.push(...byteRows(payload.subarray(contentAt), HEADER_BYTES + contentAt, "payload"));
  if (length > payload.length) {
    const meaning = `${countOf(length - payload.length)} missing`;
    rows.push({ at: HEADER_BYTES + payload.length, bytes: NO_BYTES, field: "", meaning });
  }
  return rows;
}

/** Formats bytes at offset `start` of the frame in rows, at most {@linkcode SHOWN_BYTES} of them. */
function byteRows(bytes: Uint8Array, start: number, field: string): Row[] {
  const shown = bytes.subarray(0, SHOWN_BYTES);
  const rows: Row[] = [];
  for (let at = 0; at < shown.length; at += ROW_BYTES) {
    const row = shown.subarray(at, at + ROW_BYTES);
    rows.push({ at: start + at, bytes: row, field: at === 0 ? field : "", meaning: describePayload(row) });
  }
  if (bytes.length > shown.length) {
    const meaning = `... and ${countOf(bytes.length - shown.length)} more`;
    rows.push({ at: start + shown.length, bytes: NO_BYTES, field: "", meaning });
  }
  return rows;
}

/** Formats message headers as JSON, at most {@linkcode SHOWN_BYTES} characters of it. */
function describeHeaders(headers: MessageHeaders): string {
  const json = visibleJson(headers);
  return json.length > SHOWN_BYTES ? `${json.slice(0, SHOWN_BYTES)}…` : json;
}

/** Formats a row of bytes as text. Bytes that are not text, or a character that the row cuts in two, become dots. */
function describePayload(bytes: Uint8Array): string {
  const text = decodeText(bytes) ?? String.fromCharCode(...bytes.map((byte) => byte < 0x80 ? byte : 0x2e));
  return `"${visible(text)}"`;
}

function hex(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
}

function countOf(bytes: number): string {
  return bytes === 1 ? "1 byte" : `${bytes} bytes`;
}
