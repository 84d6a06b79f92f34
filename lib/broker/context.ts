/**
 * What all sessions of one server share, and what follows from it for each of them.
 *
 * @module
 */

import { HEADER_BYTES, type Limits, MAX_RUN_BYTES } from "../limits.ts";
import type { Log } from "../logging/log.ts";
import type { Authenticator } from "./authenticator.ts";
import type { Echo } from "./echo.ts";
import type { Peer } from "./peer.ts";
import { RateLimiter } from "./rate_limiter.ts";
import type { Router } from "./router.ts";
import type { ServerChannels } from "./server_channels.ts";
import type { StoredSession } from "./stored/stored_session.ts";
import type { WorkBudget } from "./work_budget.ts";

/** What all sessions of one server share. */
export interface SessionContext {
  readonly router: Router;
  readonly echo: Echo;
  /** The server's own channels besides `$echo`. */
  readonly serverChannels: ServerChannels;
  readonly budget: WorkBudget;
  readonly limits: Readonly<Limits>;
  /**
   * What a session does on stored channels, if the server has any. `subject` is that of its token, or nothing; `resume`
   * offers again what could not be answered.
   */
  readonly newStoredSession?: (peer: Peer, subject: string, resume: () => void) => StoredSession;
  /** Verifies tokens. Without it every client is accepted and may do everything. */
  readonly authenticator: Authenticator | undefined;
  /** A clock in milliseconds that never goes back. */
  readonly now: () => number;
  /** The time of day, RFC 3339. */
  readonly time: () => string;
  /** What WELCOME says of the server. */
  readonly server: { readonly name: string; readonly version: string };
  /** Makes the UUIDs that identify sessions and internal errors in the log. */
  readonly uuid: () => string;
  readonly log: Log;
}

/** Where a client connects from. */
export interface Remote {
  /** Its IP address. */
  readonly address: string;
  readonly port: number;
  /** Whether it is on this machine, so that nobody else could have connected. */
  readonly isLocal?: boolean;
  /**
   * How long ago it connected, in milliseconds that this process has had. A TLS handshake has taken a part of the time for
   * a HELLO.
   */
  readonly agoMs?: number;
  /** What it came over; `tcp` unless given. */
  readonly transport?: "tcp" | "tls" | "websocket" | "http";
}

/** The longest run, in bytes: it must fit an empty outbox, and be no more than a tenth of what a second may bring. */
export function maxRun({ pendingBytes, bytesPerSecond, messagesPerSecond }: Limits): number {
  const rates = [bytesPerSecond / 10, messagesPerSecond / 10 * HEADER_BYTES].filter((bytes) => bytes > 0);
  return Math.min(MAX_RUN_BYTES, pendingBytes, ...rates);
}

/** The rate limiter of a new session, if the server limits rates. */
export function newRateLimiter({ limits, now }: SessionContext): RateLimiter | undefined {
  return limits.messagesPerSecond > 0 || limits.bytesPerSecond > 0 ? new RateLimiter(limits, now) : undefined;
}
