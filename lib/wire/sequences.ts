/**
 * The frames that carry sequences of stored channels: ACK, POSITION, NAK and RENEW.
 *
 * Each is written into bytes that the caller has, and read without an object, because a busy consumer has one of them for
 * every few messages. A sequence is a u64 on the wire and a number here. No channel of Parley gets as far as 2^53. A
 * peer may send more all the same: it is read as a number of 2^53 or more, which compares with sequences as it should.
 *
 * @module
 */

import { HEADER_BYTES, SEQUENCE_BYTES } from "../limits.ts";
import { putHeader, putU32, Type, u32 } from "./header.ts";

/** The size of a frame with one sequence: an ACK, a POSITION, a RENEW. */
export const SEQUENCE_FRAME_BYTES = HEADER_BYTES + SEQUENCE_BYTES;
/** The size of a frame with a sequence and a u32: a POSITION of a message that is delivered again, a NAK. */
export const SEQUENCE_U32_FRAME_BYTES = SEQUENCE_FRAME_BYTES + 4;
/** The size of a frame with a first and a last sequence: an ACK or RENEW from a client. */
export const RANGE_FRAME_BYTES = SEQUENCE_FRAME_BYTES + SEQUENCE_BYTES;

/** The delay of a NAK that sets its message aside at once. */
export const SET_ASIDE_NOW = 0xffff_ffff;

const TWO_TO_32 = 2 ** 32;

/** Reads a big-endian u64 at `at`. Exact below 2^53; above it, the nearest number. */
export function u64(bytes: Uint8Array, at: number): number {
  return u32(bytes, at) * TWO_TO_32 + u32(bytes, at + 4);
}

/** Writes a big-endian u64 at `at`. `value` is a safe integer, not negative. */
export function putU64(bytes: Uint8Array, at: number, value: number): void {
  putU32(bytes, at, Math.floor(value / TWO_TO_32));
  putU32(bytes, at + 4, value % TWO_TO_32);
}

/** The first or only sequence of the ACK, POSITION, NAK or RENEW at `at`. */
export function firstSequence(bytes: Uint8Array, at: number): number {
  return u64(bytes, at + HEADER_BYTES);
}

/** Whether the ACK or RENEW `bytes[at, end)` names a first and a last sequence. */
export function isRange(at: number, end: number): boolean {
  return end - at === RANGE_FRAME_BYTES;
}

/** The last sequence of the ACK or RENEW at `at`, which must name two. */
export function lastSequence(bytes: Uint8Array, at: number): number {
  return u64(bytes, at + SEQUENCE_FRAME_BYTES);
}

/** How often the message of the POSITION `bytes[at, end)` has been delivered before; 0 if it never was. */
export function deliveriesBefore(bytes: Uint8Array, at: number, end: number): number {
  return end - at === SEQUENCE_U32_FRAME_BYTES ? u32(bytes, at + SEQUENCE_FRAME_BYTES) : 0;
}

/** After how many milliseconds the message of the NAK at `at` is to be delivered again, or {@linkcode SET_ASIDE_NOW}. */
export function nakDelay(bytes: Uint8Array, at: number): number {
  return u32(bytes, at + SEQUENCE_FRAME_BYTES);
}

/**
 * Writes an ACK of the server at `at`: the message `id` on `channel`, and all before it, are stored. Takes
 * {@linkcode SEQUENCE_FRAME_BYTES}.
 */
export function putReceipt(
  bytes: Uint8Array,
  at: number,
  id: number,
  channel: number,
  sequence: number,
): void {
  putHeader(bytes, at, Type.ACK, 0, id, SEQUENCE_BYTES, channel, 0);
  putU64(bytes, at + HEADER_BYTES, sequence);
}

/** Writes a POSITION at `at`: the next message of `channel` has this sequence. Takes {@linkcode SEQUENCE_FRAME_BYTES}. */
export function putPosition(bytes: Uint8Array, at: number, channel: number, sequence: number): void {
  putHeader(bytes, at, Type.POSITION, 0, 0, SEQUENCE_BYTES, channel, 0);
  putU64(bytes, at + HEADER_BYTES, sequence);
}

/**
 * Writes a POSITION at `at`, of a message that has been delivered `deliveries` times before. Takes
 * {@linkcode SEQUENCE_U32_FRAME_BYTES}.
 */
export function putRedelivery(
  bytes: Uint8Array,
  at: number,
  channel: number,
  sequence: number,
  deliveries: number,
): void {
  putHeader(bytes, at, Type.POSITION, 0, 0, SEQUENCE_BYTES + 4, channel, 0);
  putU64(bytes, at + HEADER_BYTES, sequence);
  putU32(bytes, at + SEQUENCE_FRAME_BYTES, deliveries);
}
