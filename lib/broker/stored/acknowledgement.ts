/**
 * What a session says of messages that were delivered to it as a consumer: ACK, NAK and RENEW.
 *
 * @module
 */

import { Type } from "../../wire/header.ts";
import { firstSequence, isRange, lastSequence, nakDelay } from "../../wire/sequences.ts";
import type { Peer } from "../peer.ts";
import type { Consumer } from "./consumer.ts";

/** Passes the frame `bytes[from, to)` of `peer` to the consumer that it is. */
export function acknowledge(
  consumer: Consumer,
  peer: Peer,
  type: number,
  bytes: Uint8Array,
  from: number,
  to: number,
): void {
  const first = firstSequence(bytes, from);
  if (type === Type.NAK) return consumer.nak(peer, first, nakDelay(bytes, from));
  const last = isRange(from, to) ? lastSequence(bytes, from) : undefined;
  if (type === Type.ACK) {
    if (last === undefined) consumer.ack(peer, first);
    else consumer.ackRange(peer, first, last);
  } else if (last === undefined) consumer.renew(peer, first);
  else consumer.renewRange(peer, first, last);
}
