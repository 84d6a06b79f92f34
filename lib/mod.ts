/**
 * Parley: a message server and client, as a library.
 *
 * @example Publish and subscribe
 * ```ts
 * import { serve } from "@parley/parley";
 *
 * await using server = await serve({ port: 0 });
 * console.log(`listening on ${server.url}`);
 * ```
 *
 * @module
 */

export { serve, type ServeOptions, type Server } from "./assemble.ts";
export { type EndReason, type ErrorCode, type LocalCode, ParleyError } from "./errors.ts";
export { DEFAULT_LIMITS, type Limits } from "./limits.ts";
