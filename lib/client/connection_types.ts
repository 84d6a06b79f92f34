/**
 * What a client's connection needs, and how its end is described.
 *
 * @module
 */

import { type EndReason, ParleyError } from "../errors.ts";
import type { ConnectionLimits } from "../net/connection.ts";
import type { ChannelEvents } from "./inbound.ts";
import { CLOSE_MS, NO_SLOW_CONSUMER_TIMEOUT_MS } from "./limits.ts";
import type { Trace } from "./options.ts";

/** Uses a connection from its WELCOME on. */
export interface ClientConnectionEvents {
  /** Takes the messages. */
  readonly delivery: ChannelEvents;
  /** An ERROR that answers no call, but a MESSAGE or (`id` is not 0) a REPLY. */
  rejected(error: ParleyError, channel: number, id: number): void;
  /** The connection has ended, or is about to. No error means that this client closed it. Calls fail with it. */
  ended(error: ParleyError | undefined): void;
}

/** The options of a connection. */
export interface ClientConnectionOptions {
  /** The server's address, for error messages. */
  readonly server: string;
  /** See `ConnectOptions.pendingBytes`. */
  readonly pendingBytes: number;
  /** Whether another connection follows if this one breaks. */
  readonly isRenewed: boolean;
  /** See `ConnectOptions.trace`. */
  readonly trace: Trace | undefined;
}

/** The limits of a connection with `options`. */
export function limitsOf({ pendingBytes }: ClientConnectionOptions): ConnectionLimits {
  return { pendingBytes, slowConsumerTimeoutMs: NO_SLOW_CONSUMER_TIMEOUT_MS, drainMs: CLOSE_MS };
}

/** `1 message`, `2 messages`. */
export function countMessages(count: number): string {
  return count === 1 ? "1 message" : `${count} messages`;
}

/** The error for a BYE of the server. */
export function byeError(server: string, reason: string): ParleyError {
  const code = reason === "shutting_down" ? reason : "disconnected";
  const text = `${server} ended the session: ${reason || "no reason given"}`;
  return new ParleyError(code, text, { fatal: true });
}

/** The error for an end without BYE or ERROR. */
export function disconnectedError(server: string, reason: EndReason, isGreeting: boolean): ParleyError {
  const how = reason === "reset" ? "was reset" : "ended without a goodbye";
  const text = isGreeting
    ? `${server} accepted the connection and closed it without a greeting; check that it is a Parley server`
    : `the connection to ${server} ${how}: the server may have stopped, or the network failed`;
  return new ParleyError("disconnected", text, { fatal: true });
}
