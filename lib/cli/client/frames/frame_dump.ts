/**
 * Formats a frame field by field as aligned text: offset, bytes, name and meaning.
 *
 * @module
 */

import { ParleyError } from "../../../errors.ts";
import { HEADER_BYTES } from "../../../limits.ts";
import {
  FIRST_EXTENSION,
  type Header,
  INBOX,
  KIND_MASK,
  MESSAGE_HEADERS,
  putHeader,
  readHeader,
  RECEIPT,
  RESERVED_FLAGS,
  RULES,
  Type,
  type TypeName,
} from "../../../wire/header.ts";
import { typeName } from "../../../wire/type_name.ts";
import { makeMask, type Mask } from "./masking.ts";
import { countOf, payloadRows, type Row, ROW_BYTES } from "./payload_dump.ts";

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

const BYTES_WIDTH = ROW_BYTES * 3 - 1;

const KINDS = ["bytes", "UTF-8 text", "JSON", "of reserved kind 3"];

/**
 * Formats the frame at the start of `frame`. The payload may be incomplete. A long one is shown in part, and no token.
 *
 * @throws {ParleyError} `bad_argument` if the header is incomplete
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { encodeFrame, Type } from "../../../wire/header.ts";
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
  const header = readHeader(frame);
  const payload = frame.subarray(HEADER_BYTES, HEADER_BYTES + header.length);
  return [COLUMNS, ...formatFrameRows(header, payload)].join("\n");
}

/** The heading of the columns of {@linkcode formatFrameRows}. */
export const COLUMNS = `offset  ${"bytes".padEnd(BYTES_WIDTH)}  field    meaning`;

/**
 * The rows of a frame dump, without the heading. The payload may be incomplete; offsets count from `start`.
 */
export function formatFrameRows(
  header: Header,
  payload: Uint8Array,
  mask: Mask = makeMask(),
  start = 0,
): string[] {
  const rows = [...headerRows(header, start), ...payloadRows(header, payload, start + HEADER_BYTES, mask)];
  return rows.map(({ at, bytes, field, meaning }) => {
    const shown = typeof bytes === "string" ? bytes : hex(bytes);
    return `${String(at ?? "").padStart(6)}  ${shown.padEnd(BYTES_WIDTH)}  ${field.padEnd(7)}  ${meaning}`
      .trimEnd();
  });
}

function headerRows({ type, flags, id, length, channel, sender }: Header, start: number): Row[] {
  const bytes = new Uint8Array(HEADER_BYTES);
  putHeader(bytes, 0, type, flags, id, length, channel, sender);
  const row = (at: number, end: number, field: string, meaning: string): Row => ({
    at: start + at,
    bytes: bytes.subarray(at, end),
    field,
    meaning,
  });
  return [
    row(0, 1, "type", describeType(type)),
    row(1, 2, "flags", describeFlags(type, flags)),
    row(2, 4, "id", id === 0 ? "none" : `${id}: ties a reply to its request`),
    row(4, 8, "length", `${countOf(length)} of payload follow the header`),
    row(8, 12, "channel", describeChannel(channel)),
    row(12, 16, "sender", describeSender(type, sender)),
  ];
}

function describeSender(type: number, sender: number): string {
  if (sender > 0) return `session ${sender}`;
  return type === Type.HELLO ? "not assigned yet" : "the server";
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

function hex(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
}
