/**
 * Shows the payload of a frame: a control payload key by key, sequences as numbers, everything else as bytes and text.
 *
 * @module
 */

import { MAX_TOKEN_BYTES, SEQUENCE_BYTES } from "../../../limits.ts";
import { type Header, MESSAGE_HEADERS, RULES, Type, u32 } from "../../../wire/header.ts";
import { decodeMessageHeaders } from "../../../wire/message_headers.ts";
import { visible, visibleJson } from "../../terminal.ts";
import type { Mask } from "./masking.ts";
import { decodeText } from "../payload.ts";

/** One row of a frame dump. */
export interface Row {
  /** The offset of its first byte; undefined if the row before has it. */
  readonly at: number | undefined;
  /** The bytes, or a text in their place. */
  readonly bytes: Uint8Array | string;
  readonly field: string;
  /** What they mean; safe to show on a terminal. */
  readonly meaning: string;
}

/** Bytes shown in a row, and of a message in total. */
export const ROW_BYTES = 8;
const SHOWN_BYTES = 64;

/** Keys of a control payload that are shown, and characters of each value. */
const SHOWN_KEYS = 32;
const SHOWN_CHARACTERS = 200;

/** Formats a number of bytes: `1 byte`, `2 bytes`. */
export function countOf(bytes: number): string {
  return bytes === 1 ? "1 byte" : `${bytes} bytes`;
}

/**
 * The rows of the payload of a frame, which begins at offset `start`. A long message is shown in part. `payload` may be
 * shorter than the header says; the last row then says by how much.
 */
export function payloadRows(header: Header, payload: Uint8Array, start: number, mask: Mask): Row[] {
  const rule = RULES[header.type]?.payload;
  const missing = header.length - payload.length;
  const rows = rule === "json"
    ? controlRows(header, payload, start, mask)
    : Array.isArray(rule)
    ? sequenceRows(header, payload, start)
    : contentRows(header, payload, start, mask);
  if (missing > 0) {
    rows.push({ at: start + payload.length, bytes: "", field: "", meaning: `${countOf(missing)} missing` });
  }
  return rows;
}

function controlRows({ type, length }: Header, payload: Uint8Array, start: number, mask: Mask): Row[] {
  if (length === 0) return [];
  const json = parseObject(payload);
  if (json === undefined) {
    const problem = payload.length < length ? "a JSON object, cut short" : "not a JSON object in UTF-8";
    // There is no telling which of its bytes are the token.
    const isHidden = type === Type.HELLO;
    const meaning = isHidden ? `${problem}; not shown, because it may hold a token` : problem;
    const row = { at: start, bytes: isHidden ? countOf(payload.length) : "", field: "payload", meaning };
    return isHidden ? [row] : [row, ...byteRows(mask.bytes(payload), start, "")];
  }
  const entries = Object.entries(json);
  const lines = entries.slice(0, SHOWN_KEYS).map(([key, value]) => {
    const isToken = type === Type.HELLO && key === "token";
    return [visible(key), isToken ? describeToken(value) : cut(mask.text(visibleJson(value)))];
  });
  if (entries.length > SHOWN_KEYS) lines.push(["...", `and ${entries.length - SHOWN_KEYS} keys more`]);
  if (lines.length === 0) lines.push(["{}", ""]);
  const width = Math.min(12, Math.max(...lines.map(([key]) => key.length)));
  return lines.map(([key, value], line) => ({
    at: line === 0 ? start : undefined,
    bytes: line === 0 ? `${countOf(payload.length)} of JSON` : "",
    field: line === 0 ? "payload" : "",
    meaning: `${key.padEnd(width)}  ${value}`.trimEnd(),
  }));
}

/** A control payload; undefined if it is none. */
export function parseObject(payload: Uint8Array): Record<string, unknown> | undefined {
  try {
    const json = JSON.parse(decodeText(payload) ?? "");
    return json !== null && typeof json === "object" && !Array.isArray(json) ? json : undefined;
  } catch {
    return undefined;
  }
}

/** What is shown of a token: how long it is. */
export function describeToken(token: unknown): string {
  return typeof token === "string" ? `(${token.length} characters, not shown)` : "(not shown)";
}

/** What the numbers of a payload mean, by type: the first sequence, and what follows it. */
function sequenceMeanings({ type, sender }: Header, length: number): readonly [string, string] {
  if (type === Type.POSITION) return ["sequence of the next message", "times it was delivered before"];
  if (type === Type.NAK) return ["sequence of the message", "milliseconds until it is delivered again"];
  if (type === Type.ACK && sender === 0) {
    return ["sequence of the message, which is stored with all before it", ""];
  }
  return length > SEQUENCE_BYTES
    ? ["from this sequence", "to this sequence"]
    : ["every message up to this sequence", ""];
}

function sequenceRows(header: Header, payload: Uint8Array, start: number): Row[] {
  const meanings = sequenceMeanings(header, payload.length);
  const rows: Row[] = [];
  for (let at = 0; at < payload.length; at += SEQUENCE_BYTES) {
    const bytes = payload.subarray(at, at + SEQUENCE_BYTES);
    const field = at === 0 ? "payload" : "";
    rows.push({
      at: start + at,
      bytes,
      field,
      meaning: describeNumber(bytes, meanings[at / SEQUENCE_BYTES]),
    });
  }
  return rows;
}

function describeNumber(bytes: Uint8Array, meaning = ""): string {
  if (bytes.length === SEQUENCE_BYTES) {
    return `${(BigInt(u32(bytes, 0)) << 32n) | BigInt(u32(bytes, 4))}: ${meaning}`;
  }
  if (bytes.length !== 4) return "no whole number";
  const value = u32(bytes, 0);
  return value === 0xffff_ffff ? `${value}: set aside now` : `${value}: ${meaning}`;
}

function contentRows({ type, flags }: Header, payload: Uint8Array, start: number, mask: Mask): Row[] {
  const hasHeaders = RULES[type]?.payload === "content" && (flags & MESSAGE_HEADERS) !== 0;
  if (!hasHeaders) return byteRows(maskStart(payload, 0, mask), start, "payload", payload.length);
  const decoded = decodeMessageHeaders(payload);
  if ("problem" in decoded) {
    const row = { at: start, bytes: "", field: "headers", meaning: visible(decoded.problem) };
    return [row, ...byteRows(maskStart(payload, 0, mask), start, "payload", payload.length)];
  }
  const { contentAt, headers } = decoded;
  const shown = maskStart(payload, contentAt, mask);
  const meaning = `${countOf(contentAt - 2)}: ${cut(mask.text(visibleJson(headers)))}`;
  return [
    { at: start, bytes: payload.subarray(0, 2), field: "headers", meaning },
    ...byteRows(shown.subarray(2, contentAt), start + 2, ""),
    ...byteRows(shown.subarray(contentAt), start + contentAt, "payload", payload.length - contentAt),
  ];
}

/** As much of `payload` as is shown, masked, with enough behind it to recognise a token that is cut in two. */
function maskStart(payload: Uint8Array, contentAt: number, mask: Mask): Uint8Array {
  return mask.bytes(payload.subarray(0, contentAt + SHOWN_BYTES + MAX_TOKEN_BYTES));
}

/** Formats bytes at offset `start` in rows, at most {@linkcode SHOWN_BYTES} of them; there are `length`. */
function byteRows(bytes: Uint8Array, start: number, field: string, length = bytes.length): Row[] {
  const shown = bytes.subarray(0, SHOWN_BYTES);
  const rows: Row[] = [];
  for (let at = 0; at < shown.length; at += ROW_BYTES) {
    const row = shown.subarray(at, at + ROW_BYTES);
    rows.push({ at: start + at, bytes: row, field: at === 0 ? field : "", meaning: describeBytes(row) });
  }
  if (length > shown.length) {
    const meaning = `... and ${countOf(length - shown.length)} more`;
    rows.push({ at: start + shown.length, bytes: "", field: "", meaning });
  }
  return rows;
}

/** Formats a row of bytes as text. Bytes that are not text, or a character that the row cuts in two, become dots. */
function describeBytes(bytes: Uint8Array): string {
  const text = decodeText(bytes) ?? String.fromCharCode(...bytes.map((byte) => byte < 0x80 ? byte : 0x2e));
  return `"${visible(text)}"`;
}

function cut(text: string): string {
  return text.length > SHOWN_CHARACTERS ? `${text.slice(0, SHOWN_CHARACTERS)}…` : text;
}
