/**
 * The states of a client's connection, as events.
 *
 * @module
 */

import type { ParleyError } from "../errors.ts";

/** The state of a client has changed. */
export type ClientEvent =
  /** An attempt to connect begins. */
  | { readonly type: "connecting"; readonly attempt: number; readonly server: string }
  /** The client is connected for the first time. */
  | { readonly type: "connected"; readonly sessionId: number; readonly server: string }
  | InterruptedEvent
  | ResumedEvent
  | MissedEvent
  /** The client is over, after `close` or because of `error`. */
  | { readonly type: "closed"; readonly error: ParleyError | undefined };

/** A connection broke, and the client tries to reconnect. */
export interface InterruptedEvent {
  /** Which event this is. */
  readonly type: "interrupted";
  /** Why it broke. */
  readonly error: ParleyError;
  /** The channels and patterns that receive nothing until `resumed`. */
  readonly subscriptions: readonly string[];
  /** The channels and patterns whose requests are not answered until `resumed`. */
  readonly responders: readonly string[];
  /** How many published messages are not known to have reached the server. */
  readonly unconfirmed: number;
}

/** The client is connected again, as a new session. Its own id of before is stale, and so is every id if the server has restarted: the server then gives out others. */
export interface ResumedEvent {
  /** Which event this is. */
  readonly type: "resumed";
  /** The id of the new session; of the client itself, or of a further connection of one of its subscriptions. */
  readonly sessionId: number;
  /** The id of the session that ended. */
  readonly previousSessionId: number;
  /** How long the connection was interrupted, in milliseconds. */
  readonly interruptedMs: number;
  /** The channels and patterns on which messages may be missing: those that are not stored, and patterns. */
  readonly subscriptions: readonly string[];
  /** What is missing of stored channels, because it was stored no longer. */
  readonly missing: readonly Missing[];
  /** The channels and patterns whose requests are answered again. */
  readonly responders: readonly string[];
  /** Whether no message is missing: all subscriptions are to stored channels, and went on where they were. */
  readonly recovered: boolean;
  /** How many messages that were published meanwhile are being sent now. */
  readonly kept: number;
}

/** Messages of a stored channel that its subscriptions do not get. */
export interface Missing {
  /** The channel. */
  readonly channel: string;
  /** The first sequence that is missing. */
  readonly from: number;
  /** The last one; undefined if the channel's sequences began anew, so that it cannot be told. */
  readonly to: number | undefined;
}

/**
 * A subscription to a stored channel goes on behind messages that it did not get: retention removed them before they
 * were read, they are damaged, or the channel was deleted.
 */
export interface MissedEvent extends Missing {
  /** Which event this is. */
  readonly type: "missed";
}
