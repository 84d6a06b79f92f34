/**
 * A peer without a session: it has room or not as the test says, and keeps what it is sent and told.
 *
 * @module
 */

import type { ErrorCode } from "../../lib/errors.ts";
import type { Outbox, Peer } from "../../lib/broker/peer.ts";
import { newLedger } from "../../lib/broker/pending_requests.ts";

/** See the module's comment. */
export class FakePeer implements Peer, Outbox {
  readonly number: number;
  readonly name: string;
  readonly outbox: Outbox = this;
  readonly pendingRequests = newLedger();
  /** What it was sent, each as text without the header. */
  readonly sent: string[] = [];
  /** The channels it was told the number of. */
  readonly announced: string[] = [];
  /** The numbers it was told to forget. */
  readonly forgotten: number[] = [];
  /** The errors it got: `code id`. */
  readonly refused: string[] = [];
  lastTaken = 0;
  /** How many bytes it has room for. */
  room = Infinity;
  waiters: (() => void)[] = [];

  constructor(number: number) {
    this.number = number;
    this.name = `guest-${number}`;
  }

  hasRoom(bytes: number): boolean {
    return bytes <= this.room;
  }

  whenRoom(waiter: () => void): void {
    this.waiters.push(waiter);
  }

  send(bytes: Uint8Array, from: number, to: number): void {
    this.sent.push(new TextDecoder().decode(bytes.subarray(from + 16, to)));
    this.room -= to - from;
  }

  announce(name: string): void {
    this.announced.push(name);
  }

  forget(number: number): void {
    this.forgotten.push(number);
  }

  refuse(code: ErrorCode, _message: string, id: number): void {
    this.refused.push(`${code} ${id}`);
  }
}
