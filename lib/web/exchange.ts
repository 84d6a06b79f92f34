/**
 * What a request over HTTP is to its handler, and what handlers need of the server.
 *
 * @module
 */

import type { IncomingMessage, ServerResponse } from "node:http";
import type { Limits } from "../limits.ts";
import type { Log } from "../logging/log.ts";
import type { Accepted } from "../net/listener.ts";
import type { StoredAccess } from "./stored_access.ts";

/** One request and its response. */
export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** The path and the query. Its host is always `localhost`. */
  readonly url: URL;
  /** The peer's IP address. */
  readonly address: string;
  /** What came as `Authorization: Bearer`, not verified. */
  readonly token: string | undefined;
}

/**
 * Answers a request. It resolves once it has ended the response, and throws an {@linkcode HttpProblem} of `problem.ts`
 * to have that answered.
 */
export type Handler = (exchange: Exchange) => Promise<void>;

/** Whether the server can do its work, and if not, why. */
export type Readiness =
  | { readonly status: "ready" }
  | { readonly status: "starting" | "draining" | "failing"; readonly reason: string };

/** What handlers need of the server. */
export interface WebServices {
  /** Takes a connection, as the listeners of the server do. There is a session for it from then on. */
  accept(connection: Accepted): void;
  /** The server's stored channels, if it has any. */
  stored(): StoredAccess | undefined;
  readiness(): Readiness;
  /** When the certificate in use is no longer valid; undefined without TLS. */
  certificateExpires(): Date | undefined;
  /** Whether every request for data needs a token. */
  readonly needsTokens: boolean;
  readonly limits: Readonly<Limits>;
  readonly version: string;
  readonly log: Log;
  /** Aborted when the server begins to drain: event streams end then. */
  readonly draining: AbortSignal;
  /** Has `close` called when the server closes, after the last request has ended or the drain time is over. */
  whenClosed(close: () => Promise<void>): void;
}

/** A row of the table of routes. */
export interface Route {
  /** `HEAD` is answered wherever `GET` is. */
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  /** A path, or `/publish/*` for all that is one segment below it. */
  readonly path: string;
  readonly handler: Handler;
  /** Who gets an answer without a token: nobody, or everybody. `page` is for everybody's browser as well, from any link. */
  readonly access: "token" | "public" | "page";
}
