/**
 * What the broker knows of those it talks to: a peer to write to, and the connection under it.
 *
 * @module
 */

import type { EndReason, ErrorCode } from "../errors.ts";

/** Where frames to one session go. */
export interface Outbox {
  /** Whether `bytes` more may be sent now. */
  hasRoom(bytes: number): boolean;
  /** Calls `waiter` when there is room again or nobody left to have room for; once, however often it was asked. */
  whenRoom(waiter: () => void): void;
  /** Queues `bytes[from, to)`, which may be reused afterwards. Never waits: whoever can, asks `hasRoom` first. */
  send(bytes: Uint8Array, from: number, to: number): void;
}

/** The connection under a session. */
export interface Transport {
  readonly outbox: Outbox;
  /** Stops receiving until `resume`. */
  pause(): void;
  /** Receives again, first what was not taken. */
  resume(): void;
  /** Receives nothing more, writes what waits for at most `withinMs`, then closes. */
  finish(reason: EndReason, withinMs?: number): void;
}

/** A greeted session, as the router sees it: somebody who publishes, subscribes, asks and is asked. */
export interface Peer {
  /** The session's number on the wire. */
  readonly number: number;
  /** What it calls itself. */
  readonly name: string;
  readonly outbox: Outbox;
  /** Tells the peer which number a channel has; a channel it knows already costs a look-up. */
  announce(name: string, number: number): void;
  /** Takes back that `number` is known: the channel has been given up. */
  forget(number: number): void;
  /** Answers a frame of the peer's with a non-fatal ERROR. */
  refuse(code: ErrorCode, message: string, id: number, channel: number): void;
  /** Whom it asked, and who waits for its answers. */
  readonly pendingRequests: Ledger;
}

/** One peer's wish to receive what is sent on a channel, or on all that a pattern covers. */
export interface Subscription {
  readonly peer: Peer;
  /** Each message goes to one member of a group; `undefined`: to this subscription. */
  readonly group: string | undefined;
  /** Whether the peer's own messages come back to it. */
  readonly echo: boolean;
}

/** A REQUEST that waits for its REPLY. */
export interface Pending {
  readonly requester: Peer;
  readonly responder: Peer;
  readonly id: number;
  readonly channel: number;
  /** When it is given up, in milliseconds of the broker's clock. */
  readonly deadline: number;
}

/** What one session waits for, and what is waited for from it. */
export interface Ledger {
  /** Its own requests by id, oldest first. */
  readonly asking: Map<number, Pending>;
  /** The requests it has yet to answer. */
  readonly owing: Set<Pending>;
}
