/**
 * Frames that a client may send, generated or from the test vectors, and test vectors that a server must refuse.
 *
 * @module
 */

import { encodeFrame, type Header, MESSAGE_HEADERS, putU32, RECEIPT, Type } from "../../lib/wire/header.ts";
import { putU64 } from "../../lib/wire/sequences.ts";
import { concat, inbox } from "../harness/raw_client.ts";
import type { Random } from "../harness/seeded.ts";
import { INVALID, VALID } from "../wire/vectors.ts";
import { filler, messageHeaders, messagePayload, openPayload } from "./payloads.ts";

/** The payload limit of the fuzzed server. It is small, so that attacks reach it often. */
export const MAX_PAYLOAD = 64 * 1024;

/** What the generators know about a session. Before WELCOME: number 0 and no channels. */
export interface SessionInfo {
  readonly number: number;
  /** Channel numbers the session has opened. */
  readonly channels: readonly number[];
}

const CONSUMER_TYPES = [
  { type: Type.ACK, lengths: [8, 16] },
  { type: Type.NAK, lengths: [12] },
  { type: Type.RENEW, lengths: [8, 16] },
];

const encoder = new TextEncoder();
const SENDER_AT = 12;

const VALID_BYTES = VALID.filter(({ from }) => from === "client").map(({ hex }) => Uint8Array.fromHex(hex));
const INVALID_BYTES = INVALID.map(({ hex }) => Uint8Array.fromHex(hex));

/** A frame with a JSON payload. */
export function controlFrame(type: number, { number }: SessionInfo, payload: object, id = 0): Uint8Array {
  return encodeFrame({ type, id, sender: number }, encoder.encode(JSON.stringify(payload)));
}

/** A valid HELLO. */
export function helloFrame(random: Random): Uint8Array {
  const names = [undefined, "fuzz", "\u{1f600}".repeat(64), "Ada Lovelace"];
  return controlFrame(Type.HELLO, { number: 0, channels: [] }, {
    protocol: "parley/1",
    name: random.pick(names),
  });
}

/** Any well-formed frame of an established session. The server may refuse the request, but not the frame. */
export function validFrame(random: Random, session: SessionInfo): Uint8Array {
  const id = 1 + random.int(40); // few, so that ids are reused while their request is pending
  const sender = session.number;
  switch (random.int(14)) {
    case 0:
      return encodeFrame({ type: Type.PING, id, sender }, filler(random, random.int(126)));
    case 1:
      return encodeFrame({ type: Type.PONG, id, sender }, filler(random, random.int(126)));
    case 2:
    case 3:
      return controlFrame(Type.OPEN, session, openPayload(random), id);
    case 4:
      return controlFrame(Type.LEAVE, session, { channel: openPayload(random).channel }, id);
    case 5:
      return contentFrame(random, {
        type: Type.REQUEST,
        id,
        channel: randomChannel(random, session),
        sender,
      });
    case 6:
      return contentFrame(random, { type: Type.REPLY, id, channel: randomInbox(random), sender });
    case 7:
      return contentFrame(random, { type: Type.MESSAGE, channel: randomInbox(random), sender });
    case 8:
      return encodeFrame(
        { type: 0x80 + random.int(128), id, channel: random.int(9), sender },
        messagePayload(random, MAX_PAYLOAD),
      );
    case 9:
      return consumerFrame(random, session);
    case 10: {
      const header = {
        type: Type.MESSAGE,
        id,
        flags: RECEIPT,
        channel: randomChannel(random, session),
        sender,
      };
      return encodeFrame(header, messagePayload(random, MAX_PAYLOAD));
    }
    default:
      return contentFrame(random, { type: Type.MESSAGE, channel: randomChannel(random, session), sender });
  }
}

/** A frame with content of a random kind, sometimes with message headers. */
function contentFrame(random: Random, header: Partial<Header> & { type: number }): Uint8Array {
  const kind = random.int(3);
  if (random.int(4) > 0) return encodeFrame({ ...header, flags: kind }, messagePayload(random, MAX_PAYLOAD));
  const headers = messageHeaders(random);
  const content = messagePayload(random, MAX_PAYLOAD - headers.length);
  return encodeFrame({ ...header, flags: kind | MESSAGE_HEADERS }, concat([headers, content]));
}

/** An ACK, NAK or RENEW, of sequences that there may be or of any; refused as `not_durable` on most channels. */
export function consumerFrame(random: Random, session: SessionInfo): Uint8Array {
  const { type, lengths } = random.pick(CONSUMER_TYPES);
  const header = { type, channel: randomChannel(random, session), sender: session.number };
  const payload = random.bytes(random.pick(lengths));
  if (random.int(4) > 0) {
    for (let at = 0; at + 8 <= payload.length; at += 8) {
      putU64(payload, at, random.int(random.pick([4, 40, 4000])));
    }
  }
  return encodeFrame(header, payload);
}

/** Up to `most` frames of a session. */
export function conversation(random: Random, session: SessionInfo, most = 40): Uint8Array[] {
  return Array.from({ length: 1 + random.int(most) }, () => validFrame(random, session));
}

/** A valid test vector, sent as this session. */
export function vectorFrame(random: Random, session: SessionInfo): Uint8Array {
  return asSession(random.pick(VALID_BYTES), session);
}

/** A test vector that a server must refuse, usually with the sender of this session. */
export function invalidVectorFrame(random: Random, session: SessionInfo): Uint8Array {
  const frame = random.pick(INVALID_BYTES);
  return random.int(4) === 0 ? frame : asSession(frame, session);
}

function asSession(frame: Uint8Array, { number }: SessionInfo): Uint8Array {
  const copy = frame.slice();
  putU32(copy, SENDER_AT, number);
  return copy;
}

/** A channel number, usually one of the session's own. */
function randomChannel(random: Random, { channels }: SessionInfo): number {
  return channels.length > 0 && random.int(8) > 0 ? random.pick(channels) : 1 + random.int(30);
}

/** The inbox of a session that may not exist. The lowest numbers are the control client's sessions. */
function randomInbox(random: Random): number {
  return inbox(1 + random.int(random.pick([3, 100, 100_000])));
}
