/**
 * The client of Parley, without the server and its dependencies.
 *
 * @example A client
 * ```ts
 * import { connect } from "@parley/parley/client";
 * import { serve } from "@parley/parley";
 *
 * await using server = await serve({ port: 0 });
 * await using client = await connect({ url: server.url });
 * await client.publish("chat.lobby", "hello");
 * ```
 *
 * @module
 */

export type * from "./api.ts";
export type * from "./events.ts";
export type * from "./message_types.ts";
export type * from "./options.ts";
export { connect } from "./connect.ts";
export { ApplicationError, type EndReason, type ErrorCode, type LocalCode, ParleyError } from "../errors.ts";
export type { WebSocketLike } from "../net/web_socket_like.ts";
export type { Header } from "../wire/header.ts";
export type { MessageHeaders } from "../wire/message_headers.ts";
