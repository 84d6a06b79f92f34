/**
 * Frames as a client may send them, generated or golden, and the golden ones that a server must refuse.
 *
 * @module
 */

import { encodeFrame, putU32, Type } from "../../lib/wire/header.ts";
import { inbox } from "../raw_client.ts";
import type { Random } from "../seeded.ts";
import { INVALID, VALID } from "../wire/vectors.ts";
import { filler, messagePayload, openPayload } from "./payloads.ts";

/** What the server that is fuzzed takes; small, so that the limit is met often. */
export const MAX_PAYLOAD = 64 * 1024;

/** What a session knows when it is time to make its frames. Before a greeting: number 0 and no channels. */
export interface Voice {
  readonly number: number;
  /** Channel numbers it has opened. */
  readonly channels: readonly number[];
}

const encoder = new TextEncoder();
const SENDER_AT = 12;

const VALID_BYTES = VALID.filter(({ from }) => from === "client").map(({ hex }) => Uint8Array.fromHex(hex));
const INVALID_BYTES = INVALID.map(({ hex }) => Uint8Array.fromHex(hex));

/** A frame with a JSON payload. */
export function controlFrame(type: number, { number }: Voice, payload: object, id = 0): Uint8Array {
  return encodeFrame({ type, id, sender: number }, encoder.encode(JSON.stringify(payload)));
}

/** A HELLO as it should be. */
export function helloFrame(random: Random): Uint8Array {
  const names = [undefined, "fuzz", "\u{1f600}".repeat(64), "Ada Lovelace"];
  return controlFrame(Type.HELLO, { number: 0, channels: [] }, {
    protocol: "parley/1",
    name: random.pick(names),
  });
}

/** Any frame a greeted session may send. What it asks for may be refused, but it is a frame. */
export function validFrame(random: Random, voice: Voice): Uint8Array {
  const id = 1 + random.int(40); // few, so that they are used again while they still wait
  const sender = voice.number;
  switch (random.int(12)) {
    case 0:
      return encodeFrame({ type: Type.PING, id, sender }, filler(random, random.int(126)));
    case 1:
      return encodeFrame({ type: Type.PONG, id, sender }, filler(random, random.int(126)));
    case 2:
    case 3:
      return controlFrame(Type.OPEN, voice, openPayload(random), id);
    case 4:
      return controlFrame(Type.LEAVE, voice, { channel: openPayload(random).channel }, id);
    case 5:
      return encodeFrame(
        { type: Type.REQUEST, id, channel: aChannel(random, voice), sender },
        aPayload(random),
      );
    case 6:
      return encodeFrame({ type: Type.REPLY, id, channel: anInbox(random), sender }, aPayload(random));
    case 7:
      return encodeFrame({ type: Type.MESSAGE, channel: anInbox(random), sender }, aPayload(random));
    case 8:
      return encodeFrame(
        { type: 0x80 + random.int(128), id, channel: random.int(9), sender },
        aPayload(random),
      );
    default:
      return encodeFrame(
        { type: Type.MESSAGE, flags: random.int(3), channel: aChannel(random, voice), sender },
        aPayload(random),
      );
  }
}

/** Up to `most` frames of a session, one after the other. */
export function conversation(random: Random, voice: Voice, most = 40): Uint8Array[] {
  return Array.from({ length: 1 + random.int(most) }, () => validFrame(random, voice));
}

/** A golden frame of a client, in the voice of this session. */
export function goldenFrame(random: Random, voice: Voice): Uint8Array {
  return inVoice(random.pick(VALID_BYTES), voice);
}

/** A golden frame that must be refused, in the voice of this session (as far as it is not the sender that is wrong). */
export function refusedFrame(random: Random, voice: Voice): Uint8Array {
  const frame = random.pick(INVALID_BYTES);
  return random.int(4) === 0 ? frame : inVoice(frame, voice);
}

function inVoice(frame: Uint8Array, { number }: Voice): Uint8Array {
  const copy = frame.slice();
  putU32(copy, SENDER_AT, number);
  return copy;
}

function aPayload(random: Random): Uint8Array {
  return messagePayload(random, MAX_PAYLOAD);
}

/** Mostly one of its own. */
function aChannel(random: Random, { channels }: Voice): number {
  return channels.length > 0 && random.int(8) > 0 ? random.pick(channels) : 1 + random.int(30);
}

/** Of a session that may or may not be there; low numbers are the witness's. */
function anInbox(random: Random): number {
  return inbox(1 + random.int(random.pick([3, 100, 100_000])));
}
