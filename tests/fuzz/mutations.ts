/**
 * Mutations of valid input: change a field, flip bits, cut, join or reorder a stream.
 *
 * No function changes its arguments.
 *
 * @module
 */

import { HEADER_BYTES } from "../../lib/limits.ts";
import { putU32 } from "../../lib/wire/header.ts";
import type { Random } from "../harness/seeded.ts";

/** Offset and size of each header field, in bytes. */
const FIELDS = [
  { name: "type", at: 0, size: 1 },
  { name: "flags", at: 1, size: 1 },
  { name: "id", at: 2, size: 2 },
  { name: "length", at: 4, size: 4 },
  { name: "channel", at: 8, size: 4 },
  { name: "sender", at: 12, size: 4 },
] as const;

/** Boundary values of integers. */
const EDGES = [
  0,
  1,
  2,
  0x7f,
  0x80,
  0xff,
  0xffff,
  0x1_0000,
  0x10_0001,
  0x7fff_ffff,
  0x8000_0000,
  0x8000_0001,
  0xffff_ffff,
];

/** `frame` with one header field set to a neighbouring, boundary or random value. */
export function mutateHeader(random: Random, frame: Uint8Array): Uint8Array {
  const copy = frame.slice();
  if (copy.length < HEADER_BYTES) return copy;
  const { at, size } = random.pick(FIELDS);
  let value = 0;
  for (let i = 0; i < size; i++) value = value * 256 + copy[at + i];
  const near = [value + 1, value - 1, value ^ (1 << random.int(size * 8))];
  const next = random.pick([...near, random.pick(EDGES), random.int(2 ** 32)]) >>> 0;
  if (size === 4) putU32(copy, at, next);
  else for (let i = 0; i < size; i++) copy[at + i] = next >>> (8 * (size - 1 - i));
  return copy;
}

/** `bytes` with one to eight bits flipped. */
export function flipBits(random: Random, bytes: Uint8Array): Uint8Array {
  const copy = bytes.slice();
  if (copy.length === 0) return copy;
  for (let left = 1 + random.int(8); left > 0; left--) copy[random.int(copy.length)] ^= 1 << random.int(8);
  return copy;
}

/** `bytes` without its end, its beginning, or a part in between. */
export function cut(random: Random, bytes: Uint8Array): Uint8Array {
  const from = random.int(bytes.length + 1);
  const to = from + random.int(bytes.length + 1 - from);
  switch (random.int(3)) {
    case 0:
      return bytes.slice(0, from);
    case 1:
      return bytes.slice(from);
    default:
      return join(bytes.subarray(0, from), bytes.subarray(to));
  }
}

/** The beginning of `one` joined with the end of `other`, cut at random offsets. */
export function splice(random: Random, one: Uint8Array, other: Uint8Array): Uint8Array {
  return join(one.subarray(0, random.int(one.length + 1)), other.subarray(random.int(other.length + 1)));
}

/** `frames.length` random picks of `frames`: some repeat, some are missing. */
export function reorder<T>(random: Random, frames: readonly T[]): T[] {
  return Array.from({ length: frames.length }, () => random.pick(frames));
}

function join(one: Uint8Array, other: Uint8Array): Uint8Array {
  const whole = new Uint8Array(one.length + other.length);
  whole.set(one);
  whole.set(other, one.length);
  return whole;
}
