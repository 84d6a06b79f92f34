/**
 * One session of a consumer: its window, and the messages that are on their way to it.
 *
 * @module
 */

import type { Peer } from "../peer.ts";
import { Spans } from "./consumer_spans.ts";
import { type DeliveredChannel, Delivery } from "./delivery.ts";

/** See the module's comment. Times of its spans are when their messages are to be delivered again. */
export class ConsumerMember {
  readonly peer: Peer;
  /** How many messages may be on their way to it. */
  window = 0;
  /** Messages that it was sent as the first session, and has not acknowledged. */
  readonly firsts = new Spans();
  /** Messages that it was sent after they had been delivered before, and has not acknowledged. */
  readonly agains = new Spans();
  /** Whether its outbox had no room. It calls once there is. */
  #isWaiting = false;
  readonly #delivery: Delivery;
  readonly #wake: () => void;

  /**
   * @param hasRoom is called when the session has room again. It may be called while the session is being closed, so it
   * must not deliver anything itself
   */
  constructor(peer: Peer, channel: DeliveredChannel, hasRoom: (member: ConsumerMember) => void) {
    this.peer = peer;
    this.#delivery = new Delivery(peer, channel);
    this.#wake = () => {
      this.#isWaiting = false;
      hasRoom(this);
    };
  }

  /** How many messages are on their way to it. */
  get outstanding(): number {
    return this.firsts.count + this.agains.count;
  }

  /** How many ranges they are. */
  get ranges(): number {
    return this.firsts.length + this.agains.length;
  }

  /** How many messages it may be sent now. */
  get free(): number {
    if (this.#isWaiting || this.peer.isEnded) return 0;
    return Math.max(0, this.window - this.outstanding);
  }

  /** Whether it has room for so many bytes. If not, it is not free until it has room again. */
  hasRoom(bytes: number): boolean {
    if (this.peer.outbox.hasRoom(bytes)) return true;
    this.#isWaiting = true;
    this.peer.outbox.whenRoom(this.#wake, true);
    return false;
  }

  /** Sends it the `count` messages `bytes[from, to)`, of which the first has `sequence`. */
  deliver(bytes: Uint8Array, from: number, to: number, sequence: number, count: number, until: number): void {
    this.firsts.add(sequence, sequence + count - 1, 1, until, this.peer.number);
    this.#delivery.send(bytes, from, to, sequence, count);
  }

  /** Sends it the message `bytes[from, to)`, which was delivered `deliveries` times before. */
  redeliver(
    bytes: Uint8Array,
    from: number,
    to: number,
    sequence: number,
    deliveries: number,
    until: number,
  ): void {
    this.agains.add(sequence, sequence, deliveries + 1, until, this.peer.number);
    this.#delivery.redeliver(bytes, from, to, sequence, deliveries);
  }
}
