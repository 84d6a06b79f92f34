/**
 * Messages that say which they are: their writer, attempt and index are the first bytes of their payload, the rest is
 * filled with a byte that follows from them.
 *
 * @module
 */

import { HEADER_BYTES } from "../../lib/limits.ts";
import { putHeader, putU32, RECEIPT, Type, u32 } from "../../lib/wire/header.ts";
import type { Messages } from "./history.ts";

/** The smallest payload. */
export const MIN_PAYLOAD = 12;

/** What a frame needs beside its message. */
export interface Frame {
  readonly channel: number;
  readonly sender: number;
  /** Of the receipt, or 0. */
  readonly id: number;
  /** The size of the payload, at least {@linkcode MIN_PAYLOAD}. */
  readonly size: number;
}

/** Writes a MESSAGE at `at`, and returns the offset after it. */
export function putNumbered(
  bytes: Uint8Array,
  at: number,
  { channel, sender, id, size }: Frame,
  { writer, attempt, index }: Omit<Messages, "count">,
): number {
  putHeader(bytes, at, Type.MESSAGE, id === 0 ? 0 : RECEIPT, id, size, channel, sender);
  const payload = at + HEADER_BYTES;
  putU32(bytes, payload, writer);
  putU32(bytes, payload + 4, attempt);
  putU32(bytes, payload + 8, index);
  const end = payload + size;
  bytes.fill(filler(writer, index), payload + MIN_PAYLOAD, end);
  return end;
}

/** The message of the frame at `at`; writer 0, which there is not, if the payload was not written by `putNumbered`. */
export function readNumbered(bytes: Uint8Array, at: number): Messages {
  const payload = at + HEADER_BYTES;
  const size = u32(bytes, at + 4);
  if (size < MIN_PAYLOAD) return { writer: 0, attempt: 0, index: 0, count: 1 };
  const [writer, attempt, index] = [u32(bytes, payload), u32(bytes, payload + 4), u32(bytes, payload + 8)];
  const expected = filler(writer, index);
  const end = payload + size;
  // The first and the last are enough: what is mixed up is so in whole slices.
  const isWhole = size === MIN_PAYLOAD ||
    bytes[payload + MIN_PAYLOAD] === expected && bytes[end - 1] === expected;
  return { writer: isWhole ? writer : 0, attempt, index, count: 1 };
}

function filler(writer: number, index: number): number {
  return (writer * 31 + index) & 0xff;
}
