/**
 * The client of Parley for browsers: `mod.ts` without what a browser does not have. It connects by WebSocket.
 *
 * @module
 */

import type { Client } from "./api.ts";
import { connectBy } from "./connect_by.ts";
import type { ConnectOptions } from "./options.ts";
import { BROWSER_NETWORK } from "./web_address.ts";

export type * from "./api.ts";
export type * from "./events.ts";
export type * from "./message_types.ts";
export type * from "./options.ts";
export { ApplicationError, type EndReason, type ErrorCode, type LocalCode, ParleyError } from "../errors.ts";
export type { WebSocketLike } from "../net/web_socket_like.ts";
export type { Header } from "../wire/header.ts";
export type { MessageHeaders } from "../wire/message_headers.ts";

/**
 * Connects to a server by WebSocket, without a `url` to the one that the page is from; see `connect` of `mod.ts`.
 *
 * @throws {ParleyError} as that does
 */
export function connect(options: ConnectOptions = {}): Promise<Client> {
  return connectBy(BROWSER_NETWORK, options);
}
