/**
 * One frame taken apart, field by field, as aligned text: what stands where, and what it means.
 *
 * @module
 */

import { ParleyError } from "../../errors.ts";
import { HEADER_BYTES } from "../../limits.ts";
import {
  FIRST_EXTENSION,
  INBOX,
  KIND_MASK,
  readHeader,
  RECEIPT,
  RESERVED_FLAGS,
  RULES,
  Type,
  type TypeName,
  typeName,
} from "../../wire/header.ts";
import { readText } from "./input.ts";
import { visible } from "../terminal.ts";

/** What each type says, in a few words. */
const SAYS: Record<TypeName, string> = {
  NAK: "a message was not dealt with: deliver it again",
  RENEW: "messages are still being worked on",
  HELLO: "a client introduces itself",
  WELCOME: "the server greets",
  ERROR: "the server refuses something",
  PING: "are you there?",
  PONG: "I am here",
  BYE: "the session ends",
  OPEN: "open a channel",
  OPENED: "a channel is open, and this is its number",
  LEAVE: "leave a channel",
  LEFT: "the channel is left",
  JOINED: "somebody came to a channel",
  PARTED: "somebody left a channel",
  MESSAGE: "a message, forwarded byte for byte",
  REQUEST: "a question to one of those who answer",
  REPLY: "the answer to a question",
  ACK: "a message is stored, or dealt with",
  POSITION: "where in a durable channel the next message stands",
};

const KINDS = ["bytes", "UTF-8 text", "JSON", "of the reserved kind 3"];

/** Payload bytes shown in one row, and in all; more tell a reader nothing. */
const ROW_BYTES = 8;
const SHOWN_BYTES = 64;

interface Row {
  readonly at: number;
  readonly bytes: Uint8Array;
  readonly field: string;
  readonly meaning: string;
}

/**
 * Takes apart the frame that `frame` begins with. The payload may be cut off; long ones are shown in part.
 *
 * @throws {ParleyError} `bad_argument` where there is no whole header
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { encodeFrame, Type } from "../../wire/header.ts";
 * import { formatFrameDump } from "./frame_dump.ts";
 *
 * const frame = encodeFrame({ type: Type.PING, id: 7, sender: 17 });
 * assertEquals(formatFrameDump(frame).split("\n")[1], "     0  04                       type     PING: are you there?");
 * ```
 */
export function formatFrameDump(frame: Uint8Array): string {
  if (frame.length < HEADER_BYTES) {
    const text = `a frame has a header of ${HEADER_BYTES} bytes; there are only ${frame.length}`;
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
    row(0, 1, "type", sayType(type)),
    row(1, 2, "flags", sayFlags(type, flags)),
    row(2, 4, "id", id === 0 ? "none" : `${id}: ties an answer to its question`),
    row(4, 8, "length", `${countOf(length)} of payload follow the header`),
    row(8, 12, "channel", sayChannel(channel)),
    row(
      12,
      16,
      "sender",
      sender > 0 ? `session ${sender}` : type === Type.HELLO ? "not known yet" : "the server",
    ),
  ];
}

function sayType(type: number): string {
  const says = RULES[type] && SAYS[RULES[type].name];
  if (says !== undefined) return `${typeName(type)}: ${says}`;
  return `${typeName(type)}: ${
    type >= FIRST_EXTENSION ? "skipped by who does not know it" : "no Parley frame"
  }`;
}

function sayFlags(type: number, flags: number): string {
  const isMessage = type === Type.MESSAGE || type === Type.REQUEST || type === Type.REPLY;
  const found: string[] = [];
  if (isMessage || (flags & KIND_MASK) !== 0) found.push(`the payload is ${KINDS[flags & KIND_MASK]}`);
  if ((flags & RECEIPT) !== 0) found.push("a receipt is wanted");
  if ((flags & RESERVED_FLAGS) !== 0) found.push("bits are set that must be 0");
  return found.join("; ") || "none";
}

function sayChannel(channel: number): string {
  if (channel === 0) return "none: this is about the connection itself";
  return channel >= INBOX ? `the inbox of session ${channel - INBOX}` : `channel number ${channel}`;
}

function payloadRows(frame: Uint8Array): Row[] {
  const { length } = readHeader(frame);
  const payload = frame.subarray(HEADER_BYTES, HEADER_BYTES + length);
  const shown = payload.subarray(0, SHOWN_BYTES);
  const rows: Row[] = [];
  for (let at = 0; at < shown.length; at += ROW_BYTES) {
    const bytes = shown.subarray(at, at + ROW_BYTES);
    const field = at === 0 ? "payload" : "";
    rows.push({ at: HEADER_BYTES + at, bytes, field, meaning: sayPayload(bytes) });
  }
  const nothing = new Uint8Array(0);
  const rest = (at: number, meaning: string) =>
    rows.push({ at: HEADER_BYTES + at, bytes: nothing, field: "", meaning });
  if (payload.length > shown.length) {
    rest(shown.length, `... and ${countOf(payload.length - shown.length)} more`);
  }
  if (length > payload.length) rest(payload.length, `${countOf(length - payload.length)} are missing`);
  return rows;
}

/** The bytes of one row as text; a character that a row cuts in two shows as dots, as what is no text does. */
function sayPayload(bytes: Uint8Array): string {
  const text = readText(bytes) ?? String.fromCharCode(...bytes.map((byte) => byte < 0x80 ? byte : 0x2e));
  return `"${visible(text)}"`;
}

function hex(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
}

function countOf(bytes: number): string {
  return bytes === 1 ? "1 byte" : `${bytes} bytes`;
}
