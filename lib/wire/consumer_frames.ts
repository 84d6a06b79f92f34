/**
 * The frames that a consumer sends: ACK, NAK and RENEW. Each is written into bytes that the caller has.
 *
 * @module
 */

import { HEADER_BYTES, SEQUENCE_BYTES } from "../limits.ts";
import { putHeader, putU32, Type } from "./header.ts";
import { putU64, SEQUENCE_FRAME_BYTES } from "./sequences.ts";

/**
 * Writes a client's ACK or RENEW at `at`, of all that was delivered up to `sequence`. Takes
 * {@linkcode SEQUENCE_FRAME_BYTES}.
 */
export function putUpTo(
  bytes: Uint8Array,
  at: number,
  type: typeof Type.ACK | typeof Type.RENEW,
  channel: number,
  sender: number,
  sequence: number,
): void {
  putHeader(bytes, at, type, 0, 0, SEQUENCE_BYTES, channel, sender);
  putU64(bytes, at + HEADER_BYTES, sequence);
}

/** Writes a client's ACK or RENEW at `at`, of `first` to `last`. Takes `RANGE_FRAME_BYTES`. */
export function putRange(
  bytes: Uint8Array,
  at: number,
  type: typeof Type.ACK | typeof Type.RENEW,
  channel: number,
  sender: number,
  first: number,
  last: number,
): void {
  putHeader(bytes, at, type, 0, 0, 2 * SEQUENCE_BYTES, channel, sender);
  putU64(bytes, at + HEADER_BYTES, first);
  putU64(bytes, at + SEQUENCE_FRAME_BYTES, last);
}

/**
 * Writes a NAK at `at`: deliver the message again after `delay` milliseconds, or never if that is
 * `SET_ASIDE_NOW`. Takes `SEQUENCE_U32_FRAME_BYTES`.
 */
export function putNak(
  bytes: Uint8Array,
  at: number,
  channel: number,
  sender: number,
  sequence: number,
  delay: number,
): void {
  putHeader(bytes, at, Type.NAK, 0, 0, SEQUENCE_BYTES + 4, channel, sender);
  putU64(bytes, at + HEADER_BYTES, sequence);
  putU32(bytes, at + SEQUENCE_FRAME_BYTES, delay);
}
