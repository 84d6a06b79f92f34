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
export * from "./client/mod.ts";
export { DEFAULT_LIMITS, type Limits } from "./limits.ts";
export type { Log, LogMethod } from "./logging/log.ts";
export type * from "./server/api.ts";
