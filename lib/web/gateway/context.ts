/**
 * What the routes of the gateway share.
 *
 * @module
 */

import type { Limits } from "../../limits.ts";
import type { Clients } from "./clients.ts";
import type { StoredAccess } from "../stored_access.ts";

/** What a route of the gateway works with. */
export interface GatewayContext {
  readonly clients: Clients;
  /** The server's stored channels, if it has any. */
  readonly stored: () => StoredAccess | undefined;
  readonly limits: Pick<Limits, "payloadBytes">;
  /** Aborted when the server begins to drain: event streams end then. */
  readonly draining: AbortSignal;
}
