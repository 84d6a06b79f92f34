/**
 * What the broker needs of a session's surroundings: the connection under it, and the session as others see it.
 *
 * @module
 */

import type { EndReason, ErrorCode } from "../errors.ts";
import type { PendingRequests } from "./pending_requests.ts";

/** The frames that wait to be written to one session. */
export interface Outbox {
  /** Whether `bytes` more may be sent now. */
  hasRoom(bytes: number): boolean;
  /**
   * Calls `waiter` once there is room again or the outbox is closed; once, however often it was registered. A session
   * that makes it wait too long is closed as a slow consumer, unless the waiter is patient.
   */
  whenRoom(waiter: () => void, isPatient?: boolean): void;
  /** Bytes that wait. */
  readonly pending: number;
  /** Bytes that were written, ever. */
  readonly taken: number;
  /** Whether another answer of `bytes` to the session's own frames may be sent: they may fill a part of it only. */
  hasRoomForAnswer(bytes: number): boolean;
  /** Calls `waiter` once there may be room for an answer, or the outbox is closed. */
  whenRoomForAnswer(waiter: () => void): void;
  /** The last `bytes` sent are answers to the session's own frames. */
  answered(bytes: number): void;
  /** Queues `bytes[from, to)`, which may be reused afterwards. Never waits: senders that can wait ask `hasRoom` first. */
  send(bytes: Uint8Array, from: number, to: number, isPatient?: boolean): void;
  /** Called once a second: closes the session as a slow consumer if it takes nothing of what waits for it. */
  tick(): void;
  /** Drops every whole frame that is not yet being written, so that what is sent next is read soon. */
  dropFrames(): void;
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

/** An established session as the router sees it. */
export interface Peer {
  /** The session's number on the wire. */
  readonly number: number;
  /** The session's name. */
  readonly name: string;
  readonly outbox: Outbox;
  /** The requests it has sent and those it has yet to answer. */
  readonly pendingRequests: PendingRequests<Peer>;
  /** How many messages it has been sent. The sender adds to it. */
  messagesOut: number;
  /** Whether it has ended. It may still stand in routes, because a session that had much open is removed bit by bit. */
  readonly isEnded: boolean;
  /** When it was last sent a request; see `rotation.ts`. */
  readonly requestTurn: Turn;
  /** Whether the session knows the number of this channel: it has it open by name, or was told. */
  knows(number: number): boolean;
  /** The session has been told the number of a channel. */
  told(number: number): void;
  /** Answers a frame of the session with a non-fatal ERROR. */
  refuse(code: ErrorCode, message: string, id: number, channel: number): void;
}

/** When a member of a group, or a responder, last had its turn: a count, 0 for never. */
export interface Turn {
  last: number;
}

/** What one session wants of a channel, or of all channels that a pattern covers. */
export interface Subscription {
  readonly peer: Peer;
  /** The name or pattern, cut into segments. */
  readonly segments: readonly string[];
  readonly isPattern: boolean;
  /** Whether the session receives messages. */
  readonly subscribe: boolean;
  /** Whether the session may be sent requests. */
  readonly respond: boolean;
  /** Each message goes to one member of the group; without a group, to this subscription. */
  readonly group: string | undefined;
  /** The consumer of a stored channel that the session is: it is sent messages by `stored/consumer.ts` alone. */
  readonly consumer?: string;
  /** Whether the session receives its own messages. */
  readonly echo: boolean;
  /** Of a pattern: the version of all patterns at which it was added. Channels announced before must be announced to it. */
  since: number;
}
