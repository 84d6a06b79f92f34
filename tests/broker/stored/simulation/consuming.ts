/**
 * How the session of a consumer deals with what it has received.
 *
 * @module
 */

import { putU32, Type } from "../../../../lib/wire/header.ts";
import { putU64, SET_ASIDE_NOW } from "../../../../lib/wire/sequences.ts";
import type { Random } from "../../../harness/seeded.ts";
import type { SimulatedClient } from "./simulated_client.ts";
import type { Subscribed, Unsettled } from "./subscribed.ts";

/** Acknowledges, gives back, sets aside or renews some of it. */
export function dealWithSome(client: SimulatedClient, subscribed: Subscribed, random: Random): void {
  const { unsettled, number, channel } = subscribed;
  if (unsettled.length === 0 || client.isAsking(channel)) return; // it may be about to leave
  const some = random.pick(unsettled);
  const from = some.sequence;
  // Nothing that it has not received: the server may have sent more.
  const received = new Set(unsettled.map(({ sequence }) => sequence));
  let to = from;
  for (let left = random.pick([0, 0, 3, 50]); left > 0 && received.has(to + 1); left--) to++;
  switch (random.int(8)) {
    case 0:
    case 1:
      client.settle(Type.ACK, number, sequences(from));
      return dealtWith(subscribed, ({ sequence, isAgain }) => !isAgain && sequence <= from);
    case 2:
      return client.settle(Type.RENEW, number, random.int(2) === 0 ? sequences(from) : sequences(from, to));
    case 3: {
      const delay = random.pick([0, 0, 20, 1_500, 4_000, SET_ASIDE_NOW]);
      client.settle(Type.NAK, number, nak(from, delay));
      if (delay === SET_ASIDE_NOW) dealtWith(subscribed, ({ sequence }) => sequence === from);
      else subscribed.unsettled = unsettled.filter(({ sequence }) => sequence !== from);
      return;
    }
    default:
      client.settle(Type.ACK, number, sequences(from, to));
      dealtWith(subscribed, ({ sequence }) => sequence >= from && sequence <= to);
  }
}

/** Acknowledges all of it. */
export function dealWithAll(client: SimulatedClient): void {
  for (const subscribed of client.subscribed.values()) {
    if (client.isAsking(subscribed.channel)) continue;
    for (const { sequence } of subscribed.unsettled) {
      client.settle(Type.ACK, subscribed.number, sequences(sequence, sequence));
    }
    dealtWith(subscribed, () => true);
  }
}

function dealtWith(subscribed: Subscribed, isDealtWith: (message: Unsettled) => boolean): void {
  for (const message of subscribed.unsettled) if (isDealtWith(message)) subscribed.settle(message.sequence);
  subscribed.unsettled = subscribed.unsettled.filter((message) => !isDealtWith(message));
}

function sequences(...sequences: number[]): Uint8Array {
  const bytes = new Uint8Array(8 * sequences.length);
  sequences.forEach((sequence, i) => putU64(bytes, 8 * i, sequence));
  return bytes;
}

function nak(sequence: number, delayMs: number): Uint8Array {
  const bytes = new Uint8Array(12);
  putU64(bytes, 0, sequence);
  putU32(bytes, 8, delayMs);
  return bytes;
}
