/**
 * The 16-byte frame header: its fields, the frame types, and what each type's fields must be.
 *
 * @module
 */

import { HEADER_BYTES, MAX_PING_BYTES, SEQUENCE_BYTES } from "../limits.ts";

/** The frame types of Parley/1. 0x80 to 0xff are extensions, skipped by a receiver that does not know them. */
export const Type = {
  HELLO: 0x01,
  WELCOME: 0x02,
  ERROR: 0x03,
  PING: 0x04,
  PONG: 0x05,
  BYE: 0x06,
  OPEN: 0x10,
  OPENED: 0x11,
  LEAVE: 0x12,
  LEFT: 0x13,
  JOINED: 0x14,
  PARTED: 0x15,
  MESSAGE: 0x20,
  REQUEST: 0x21,
  REPLY: 0x22,
  ACK: 0x30,
  POSITION: 0x31,
  NAK: 0x32,
  RENEW: 0x33,
} as const;

/** The name of a frame type. */
export type TypeName = keyof typeof Type;

/** What the payload of a message is; the low two bits of the flags. */
export const Kind = { BYTES: 0, TEXT: 1, JSON: 2 } as const;

/** The bits of the flags that hold the content kind; kind 3 is reserved. */
export const KIND_MASK = 0x03;
/** The flag that asks for an ACK once the message is stored. */
export const RECEIPT = 0x04;
/** The flag that says: the payload begins with message headers; see `message_headers.ts`. */
export const MESSAGE_HEADERS = 0x08;
/** Flag bits that must be 0. */
export const RESERVED_FLAGS = 0xf0;
/** The channel bit that marks an inbox: the other bits are the number of the session it belongs to. */
export const INBOX = 0x8000_0000;
/** The first extension type. */
export const FIRST_EXTENSION = 0x80;

/** A header, its fields as unsigned integers. */
export interface Header {
  /** One of {@linkcode Type}, or an extension. */
  type: number;
  /** Content kind, receipt flag, message headers flag. */
  flags: number;
  /** Correlation id, 0 to 65,535; 0 = none. */
  id: number;
  /** Payload bytes, the header not counted. */
  length: number;
  /** Channel number, 0 = the connection, top bit = an inbox. */
  channel: number;
  /** Session number of the sender, 0 = the server. */
  sender: number;
}

/** What a field of one type must be: 0, not 0, a channel number, an inbox, one of those two, or anything. */
type FieldRule = "zero" | "set" | "number" | "inbox" | "target" | "any";

/** What protocol.md's table of types says of one type. */
export interface TypeRule {
  readonly name: TypeName;
  /** The side that may send it. */
  readonly from: "client" | "server" | "both";
  /** What the id must be. A MESSAGE's depends on its receipt flag. */
  readonly id: FieldRule;
  readonly channel: FieldRule;
  /**
   * The payload: a JSON object (a control payload), the content of a message, or bytes of the lengths listed. The
   * lengths of an ACK are those a client may send; a server sends 8 bytes only.
   */
  readonly payload: "json" | "content" | readonly number[] | { readonly max: number };
}

const ONE_OR_TWO_SEQUENCES = [SEQUENCE_BYTES, 2 * SEQUENCE_BYTES];
const SEQUENCE_AND_U32 = SEQUENCE_BYTES + 4;

/** The table of types of docs/protocol.md, by type byte. */
export const RULES: readonly (TypeRule | undefined)[] = /* @__PURE__ */ table([
  rule("HELLO", "client", "zero", "zero", "json"),
  rule("WELCOME", "server", "zero", "zero", "json"),
  rule("ERROR", "server", "any", "any", "json"),
  rule("PING", "both", "any", "zero", { max: MAX_PING_BYTES }),
  rule("PONG", "both", "any", "zero", { max: MAX_PING_BYTES }),
  rule("BYE", "both", "zero", "zero", "json"),
  rule("OPEN", "client", "set", "zero", "json"),
  rule("OPENED", "server", "any", "any", "json"),
  rule("LEAVE", "client", "set", "zero", "json"),
  rule("LEFT", "server", "set", "any", "json"),
  rule("JOINED", "server", "zero", "number", "json"),
  rule("PARTED", "server", "zero", "number", "json"),
  rule("MESSAGE", "both", "any", "target", "content"),
  rule("REQUEST", "both", "set", "number", "content"),
  rule("REPLY", "both", "set", "inbox", "content"),
  rule("ACK", "both", "any", "number", ONE_OR_TWO_SEQUENCES),
  rule("POSITION", "server", "zero", "number", [SEQUENCE_BYTES, SEQUENCE_AND_U32]),
  rule("NAK", "client", "zero", "number", [SEQUENCE_AND_U32]),
  rule("RENEW", "client", "zero", "number", ONE_OR_TWO_SEQUENCES),
]);

function rule(
  name: TypeName,
  from: TypeRule["from"],
  id: FieldRule,
  channel: FieldRule,
  payload: TypeRule["payload"],
): TypeRule {
  return { name, from, id, channel, payload };
}

function table(rules: TypeRule[]): (TypeRule | undefined)[] {
  const byType = new Array<TypeRule | undefined>(256).fill(undefined);
  for (const rule of rules) byType[Type[rule.name]] = rule;
  return byType;
}

/** Reads a big-endian u16 at `at`. */
export function u16(bytes: Uint8Array, at: number): number {
  return (bytes[at] << 8) | bytes[at + 1];
}

/** Reads a big-endian u32 at `at`; `>>> 0`, or 2 GiB and more would come out negative. */
export function u32(bytes: Uint8Array, at: number): number {
  return ((bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3]) >>> 0;
}

/** How many frames the whole frames `bytes[from, to)` are. */
export function countFrames(bytes: Uint8Array, from: number, to: number): number {
  let count = 0;
  for (let at = from; at < to; at += HEADER_BYTES + u32(bytes, at + 4)) count++;
  return count;
}

/** Writes a big-endian u32 at `at`. */
export function putU32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}

/** Reads the header at `at`; the 16 bytes must be there. */
export function readHeader(bytes: Uint8Array, at = 0): Header {
  return {
    type: bytes[at],
    flags: bytes[at + 1],
    id: u16(bytes, at + 2),
    length: u32(bytes, at + 4),
    channel: u32(bytes, at + 8),
    sender: u32(bytes, at + 12),
  };
}

/** Writes a header at `at`, field by field so that the hot path needs no object. */
export function putHeader(
  bytes: Uint8Array,
  at: number,
  type: number,
  flags: number,
  id: number,
  length: number,
  channel: number,
  sender: number,
): void {
  bytes[at] = type;
  bytes[at + 1] = flags;
  bytes[at + 2] = id >>> 8;
  bytes[at + 3] = id;
  putU32(bytes, at + 4, length);
  putU32(bytes, at + 8, channel);
  putU32(bytes, at + 12, sender);
}

/**
 * Makes one whole frame. Fields left out are 0.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { encodeFrame, readHeader, Type } from "./header.ts";
 *
 * const frame = encodeFrame({ type: Type.PING, id: 7, sender: 17 }, new Uint8Array([1, 2]));
 * assertEquals(frame.length, 18);
 * assertEquals(readHeader(frame).id, 7);
 * ```
 */
export function encodeFrame(
  header: Partial<Omit<Header, "length">> & { type: number },
  payload: Uint8Array = new Uint8Array(0),
): Uint8Array<ArrayBuffer> {
  const frame = new Uint8Array(HEADER_BYTES + payload.length);
  const { type, flags = 0, id = 0, channel = 0, sender = 0 } = header;
  putHeader(frame, 0, type, flags, id, payload.length, channel, sender);
  frame.set(payload, HEADER_BYTES);
  return frame;
}
