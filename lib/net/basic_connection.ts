/**
 * What a client needs of a connection, whether it is over a byte stream ({@linkcode Connection}) or a WebSocket
 * ({@linkcode WebSocketConnection}). Each is described where it is implemented.
 *
 * @module
 */

import type { EndReason } from "../errors.ts";
import type { ConnectionLimits, Receiver } from "./connection.ts";

/** The outgoing side; see `Outbox`. */
export interface BasicOutbox {
  readonly pending: number;
  readonly tail: Uint8Array;
  hasRoom(bytes: number): boolean;
  whenRoom(waiter: () => void): void;
  send(bytes: Uint8Array, from: number, to: number): void;
  reserve(count: number): number;
}

/** One connection; see `Connection`. */
export interface BasicConnection {
  readonly outbox: BasicOutbox;
  readonly closed: Promise<void>;
  start(): void;
  pause(): void;
  resume(): void;
  finish(reason: EndReason, withinMs?: number): void;
  destroy(reason: EndReason): void;
}

/** What connections are made over: it is open, and nothing has been read or written yet. */
export interface Transport {
  /** Makes the one connection over it. */
  connect(receiver: Receiver, limits: ConnectionLimits): BasicConnection;
  /** Closes it instead. */
  close(): void;
}
