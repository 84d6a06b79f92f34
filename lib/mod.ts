/**
 * Parley: a message server and client, as a library.
 *
 * @example A server and two clients
 * ```ts
 * import { connect, serve } from "@parley/parley";
 *
 * await using server = await serve({ port: 0 });
 * await using ada = await connect({ url: server.url, name: "Ada" });
 * await using grace = await connect({ url: server.url, name: "Grace" });
 *
 * const lobby = await ada.subscribe("chat.lobby");
 * await grace.publish("chat.lobby", "hello, Ada");
 * for await (const message of lobby) {
 *   console.log(message.text()); // hello, Ada
 *   break;
 * }
 * ```
 *
 * @module
 */

export { serve } from "./server/serve.ts";
export type * from "./client/api.ts";
export type * from "./client/events.ts";
export type * from "./client/message_types.ts";
export type * from "./client/options.ts";
export { connect } from "./client/connect.ts";
export { ApplicationError, type EndReason, type ErrorCode, type LocalCode, ParleyError } from "./errors.ts";
export { DEFAULT_LIMITS, type Limits } from "./limits.ts";
export type { Log, LogMethod } from "./logging/log.ts";
export type * from "./server/api.ts";
export type { Header } from "./wire/header.ts";
export type { MessageHeaders } from "./wire/message_headers.ts";
