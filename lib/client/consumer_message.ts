/**
 * A message that was delivered to a consumer, which settles it.
 *
 * @module
 */

import { ParleyError } from "../errors.ts";
import type { MessageHeaders } from "../wire/message_headers.ts";
import { SET_ASIDE_NOW } from "../wire/sequences.ts";
import { badArgument } from "./checks.ts";
import {
  type Origin,
  readHeaders,
  readMessage,
  type Settlements,
  StoredMessage,
  type StoredPlace,
} from "./message.ts";
import type { Message } from "./message_types.ts";

/** As `readMessage`, for the queue of a consumer. A message that cannot be read is set aside, or it would come again and again. */
export function readConsumerMessage(
  bytes: Uint8Array,
  at: number,
  origin: Origin,
  place?: StoredPlace,
): Message | ParleyError {
  const consumer = place?.consumer;
  if (place === undefined || consumer === undefined) return readMessage(bytes, at, origin, place);
  const headers = readHeaders(bytes, at, origin);
  if (headers instanceof ParleyError) {
    consumer.nak(place.sequence, SET_ASIDE_NOW, place.deliveries > 1);
    return headers;
  }
  return new ConsumerMessage(bytes, at, origin, headers, place, consumer);
}

/** Such a message, and whether it is settled. */
export class ConsumerMessage extends StoredMessage {
  /** Whether `ack`, `nak` or `setAside` was called. Only the first of them counts. */
  isSettled = false;
  readonly consumer: Settlements;

  constructor(
    bytes: Uint8Array,
    at: number,
    origin: Origin,
    headers: MessageHeaders,
    place: StoredPlace,
    consumer: Settlements,
  ) {
    super(bytes, at, origin, headers, place);
    this.consumer = consumer;
  }

  override ack(): void {
    this.#settle()?.ack(this.sequence, this.deliveries > 1);
  }

  override nak(delayMs: number = 0): void {
    if (!(delayMs >= 0 && delayMs < SET_ASIDE_NOW)) {
      throw badArgument(`delayMs must be a number from 0 to ${SET_ASIDE_NOW - 1}, not ${delayMs}`);
    }
    this.#settle()?.nak(this.sequence, Math.floor(delayMs), this.deliveries > 1);
  }

  override setAside(): void {
    this.#settle()?.nak(this.sequence, SET_ASIDE_NOW, this.deliveries > 1);
  }

  /** Renews it unless it is settled. */
  override renew(): void {
    if (!this.isSettled) this.consumer.renew(this.sequence);
  }

  /** What to tell of the message; undefined if that was done before. */
  #settle(): Settlements | undefined {
    if (this.isSettled) return undefined;
    this.isSettled = true;
    return this.consumer;
  }
}
