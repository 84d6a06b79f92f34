/**
 * The limits of the web server's routes for curl and webhooks.
 *
 * @module
 */

const KiB = 1024;

/** Clients that HTTP requests share, one for each address and token that was used lately; some 20 KiB each. */
export const MAX_GATEWAY_CLIENTS = 1024;

/** How long such a client is kept when nothing uses it. */
export const GATEWAY_IDLE_MS = 60_000;

/** What may wait to be written to the server for one such client: a request that publishes beyond it waits. */
export const GATEWAY_CLIENT_BYTES = 256 * KiB;

/** How long a request that publishes may wait for a slow subscriber, in milliseconds. */
export const GATEWAY_PUBLISH_MS = 30_000;

/** How long a request waits for a reply unless it says otherwise, in seconds, and the longest it may say. */
export const GATEWAY_REPLY_SECONDS = 30;
/** See {@linkcode GATEWAY_REPLY_SECONDS}. */
export const MAX_GATEWAY_REPLY_SECONDS = 3600;

/** An `Idempotency-Key`: a UUID has 36, and a service's own prefix has room. */
export const MAX_KEY_CHARACTERS = 128;

/** Message headers of a reply as headers of a response: many clients take 8 KiB of head at most. */
export const MAX_REPLY_HEADER_BYTES = 4 * KiB;

/** How often an event stream that has nothing to say says so: proxies close what is silent for 30 to 60 s. */
export const EVENT_STREAM_HEARTBEAT_MS = 15_000;

/** How long the browser waits before it comes back to an event stream that broke, in milliseconds. */
export const EVENT_STREAM_RETRY_MS = 2_000;

/** Events are gathered up to so many characters before they are written. */
export const EVENT_STREAM_WRITE_CHARACTERS = 16 * KiB;

/** How many stored messages one response has unless the request says otherwise, and the most it may say. */
export const GATEWAY_MESSAGES = 100;
/** See {@linkcode GATEWAY_MESSAGES}. */
export const MAX_GATEWAY_MESSAGES = 1000;

/** The payloads in such a response: it ends after the message with which they are more. */
export const MAX_GATEWAY_RESPONSE_BYTES = 1024 * KiB;
