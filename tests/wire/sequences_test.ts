import { assert, assertEquals } from "@std/assert";
import { HEADER_BYTES } from "../../lib/limits.ts";
import { encodeFrame, readHeader, Type } from "../../lib/wire/header.ts";
import { putNak, putRange, putUpTo } from "../../lib/wire/consumer_frames.ts";
import {
  deliveriesBefore,
  firstSequence,
  isRange,
  lastSequence,
  nakDelay,
  putPosition,
  putReceipt,
  putRedelivery,
  putU64,
  RANGE_FRAME_BYTES,
  SEQUENCE_FRAME_BYTES,
  SEQUENCE_U32_FRAME_BYTES,
  SET_ASIDE_NOW,
  u64,
} from "../../lib/wire/sequences.ts";
import { VALID } from "./vectors.ts";

/** The offset the frames are written at, so that an offset that is forgotten shows. */
const AT = 3;

/** What `put` writes into `size` bytes, which must be all of them and no more. */
function written(size: number, put: (bytes: Uint8Array, at: number) => void): string {
  const images = [0x00, 0xff].map((filler) => {
    const bytes = new Uint8Array(AT + size + AT).fill(filler);
    put(bytes, AT);
    assert(bytes.subarray(0, AT).every((byte) => byte === filler), "bytes before the frame have changed");
    assert(bytes.subarray(AT + size).every((byte) => byte === filler), "bytes behind the frame have changed");
    return bytes.subarray(AT, AT + size).toHex();
  });
  assertEquals(images[0], images[1], "a byte of the frame was not written");
  return images[0];
}

/** Writes a golden frame anew from what is read of it. */
function rewritten(frame: Uint8Array): string {
  const bytes = new Uint8Array(AT + frame.length);
  bytes.set(frame, AT);
  const end = bytes.length;
  const { type, id, channel, sender } = readHeader(frame);
  const first = firstSequence(bytes, AT);
  if (type === Type.NAK) {
    return written(frame.length, (into, at) => putNak(into, at, channel, sender, first, nakDelay(bytes, AT)));
  }
  if (type === Type.POSITION) {
    const deliveries = deliveriesBefore(bytes, AT, end);
    return written(frame.length, (into, at) => {
      if (deliveries === 0) putPosition(into, at, channel, first);
      else putRedelivery(into, at, channel, first, deliveries);
    });
  }
  assert(type === Type.ACK || type === Type.RENEW);
  return written(frame.length, (into, at) => {
    if (isRange(AT, end)) putRange(into, at, type, channel, sender, first, lastSequence(bytes, AT));
    else if (sender === 0) putReceipt(into, at, id, channel, first);
    else putUpTo(into, at, type, channel, sender, first);
  });
}

Deno.test("golden frames with sequences are written as their bytes from what is read of them", () => {
  const types: number[] = [Type.ACK, Type.POSITION, Type.NAK, Type.RENEW];
  // Beyond 2^53 a number is not exact.
  const frames = VALID.filter(({ header, hex }) =>
    types.includes(header.type) && Number.isSafeInteger(firstSequence(Uint8Array.fromHex(hex), 0))
  );
  assertEquals(new Set(frames.map(({ header }) => header.type)).size, types.length);
  for (const { name, hex } of frames) assertEquals(rewritten(Uint8Array.fromHex(hex)), hex, name);
});

Deno.test("the sizes of frames with sequences are those of the protocol", () => {
  assertEquals(
    [SEQUENCE_FRAME_BYTES, SEQUENCE_U32_FRAME_BYTES, RANGE_FRAME_BYTES].map((bytes) => bytes - HEADER_BYTES),
    [8, 12, 16],
  );
});

Deno.test("a u64 is exact up to the last safe integer, and never less than 2^53 beyond it", () => {
  for (const value of [0, 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 52 + 1, Number.MAX_SAFE_INTEGER]) {
    assertEquals(written(8, (bytes, at) => putU64(bytes, at, value)), value.toString(16).padStart(16, "0"));
    assertEquals(u64(Uint8Array.fromHex(value.toString(16).padStart(16, "0")), 0), value);
  }
  for (const hex of ["0020000000000000", "0020000000000001", "7fffffffffffffff", "ffffffffffffffff"]) {
    assert(u64(Uint8Array.fromHex(hex), 0) >= 2 ** 53, hex);
  }
});

Deno.test("a message that was never delivered has a POSITION of 8 bytes, and a NAK may set aside", () => {
  const position = encodeFrame({ type: Type.POSITION, channel: 5 }, new Uint8Array(8));
  assertEquals(deliveriesBefore(position, 0, position.length), 0);
  const nak = new Uint8Array(SEQUENCE_U32_FRAME_BYTES);
  putNak(nak, 0, 5, 17, 1, SET_ASIDE_NOW);
  assertEquals(nakDelay(nak, 0), 0xffff_ffff);
});
