/**
 * What the server tells of itself on `$stats`, and does by `$admin`. All of it is loaded when it is first asked for.
 *
 * @module
 */

import type { Ask, ServerAnswers, ServerRequest } from "../broker/server_channels.ts";
import type { Peer } from "../broker/peer.ts";
import { ParleyError } from "../errors.ts";
import { type Log, loggable } from "../logging/log.ts";

/** What monitoring needs of the server. */
export interface MonitoredServer {
  readonly log: Log;
  /** Makes references to errors in the log. */
  readonly uuid: () => string;
}

/** The answers of one server. */
export class Monitoring implements ServerAnswers {
  readonly #server: MonitoredServer;

  constructor(server: MonitoredServer) {
    this.#server = server;
  }

  answer(channel: ServerRequest, _ask: Ask, _from: Peer): Promise<string> {
    return Promise.reject(new ParleyError("internal", `${channel} cannot be answered yet`));
  }

  failed(error: unknown): string {
    const reference = this.#server.uuid();
    this.#server.log.error("internal error", { reference, error: loggable(error) });
    return reference;
  }
}
