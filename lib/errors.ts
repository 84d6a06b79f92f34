/**
 * The protocol's error codes, and the one error class Parley throws.
 *
 * @module
 */

/** A code that an ERROR frame may carry (docs/protocol.md, "Errors"). */
export type ErrorCode =
  | "bad_frame"
  | "bad_hello"
  | "unsupported_protocol"
  | "too_large"
  | "unauthorized"
  | "server_full"
  | "slow_consumer"
  | "timeout"
  | "shutting_down"
  | "bad_payload"
  | "bad_channel"
  | "not_open"
  | "forbidden"
  | "no_responders"
  | "responder_gone"
  | "no_reply"
  | "id_in_use"
  | "not_durable"
  | "not_stored"
  | "fenced"
  | "epoch_changed"
  | "no_such_session"
  | "overlap"
  | "limit"
  | "internal";

/** Whether the connection ends with a code. */
export const FATAL: Readonly<Record<ErrorCode, boolean>> = {
  bad_frame: true,
  bad_hello: true,
  unsupported_protocol: true,
  too_large: true,
  unauthorized: true,
  server_full: true,
  slow_consumer: true,
  timeout: true,
  shutting_down: true,
  bad_payload: false,
  bad_channel: false,
  not_open: false,
  forbidden: false,
  no_responders: false,
  responder_gone: false,
  no_reply: false,
  id_in_use: false,
  not_durable: false,
  not_stored: false,
  fenced: false,
  epoch_changed: false,
  no_such_session: false,
  overlap: false,
  limit: false,
  internal: true,
};

/** A code of an error that arises at the client itself. It never crosses the wire as such. */
export type LocalCode =
  /** Nothing answered at the address. */
  | "unreachable"
  /** The server's certificate is not valid: another authority, another name, expired, or not valid yet. */
  | "untrusted"
  /** Something answered, but it does not speak Parley. */
  | "not_parley"
  /** The connection ended without a reason from the server. */
  | "disconnected"
  /** The connection broke before the answer came. The client reconnects; the call is not repeated, and may have had an effect. */
  | "interrupted"
  /** The caller closed the client or server it is now using. */
  | "closed"
  /** An argument or option is unknown, or outside its documented range. */
  | "bad_argument"
  /** A call took longer than its `timeoutMs`. */
  | "timed_out"
  /** More was published than may wait to be sent. */
  | "backlog_full"
  /** A responder failed without an error meant for the requester. */
  | "responder_failed";

/** Whether `code` is one that this version of the protocol defines. */
export function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(FATAL, code);
}

/**
 * The error every failing Parley call throws.
 *
 * @example Telling errors apart
 * ```ts
 * import { ParleyError } from "@parley/parley";
 *
 * const error = new ParleyError("no_responders", "no session responds on jobs.resize; start a responder, then ask again");
 * console.log(error.code, error.fatal); // no_responders false
 * ```
 */
export class ParleyError extends Error {
  /** What went wrong: the protocol's code, or one that arose at the client itself. */
  readonly code: ErrorCode | LocalCode;
  /** Whether the connection of this client is over because of this error. */
  readonly fatal: boolean;

  /** `message` says what was expected, what came, and what to do. */
  constructor(
    code: ErrorCode | LocalCode,
    message: string,
    options?: ErrorOptions & { readonly fatal?: boolean },
  ) {
    super(message, options);
    this.name = "ParleyError";
    this.code = code;
    this.fatal = options?.fatal ?? false;
  }
}

/** The codes of an application: lower case letters, digits, `_`, `-` and `.`. */
const APPLICATION_CODE = /^[a-z0-9][a-z0-9_.-]{0,63}$/;

/**
 * An error of the application, which crosses from a responder to its requester: a handler throws it, and `request`
 * rejects with one that has the same code, message and data. It is the only error of a handler that does.
 *
 * @example A responder without shoes
 * ```ts
 * import { ApplicationError, connect, serve } from "@parley/parley";
 *
 * await using server = await serve({ port: 0 });
 * await using client = await connect({ url: server.url });
 * await using _shop = await client.respond("shop.order", () => {
 *   throw new ApplicationError("out_of_stock", "no shoes left", { next: "Monday" });
 * }, { onError: () => {} });
 * try {
 *   await client.request("shop.order", "shoes");
 * } catch (error) {
 *   if (error instanceof ApplicationError) console.log(error.code, error.data); // out_of_stock { next: "Monday" }
 * }
 * ```
 */
export class ApplicationError extends Error {
  /** What went wrong: 1 to 64 of `a-z 0-9 _ - .`, beginning with a letter or digit. */
  readonly code: string;
  /** More about it; any value that JSON can hold. */
  readonly data: unknown;

  /** `code` is for programs, `message` for people. */
  constructor(code: string, message: string, data?: unknown) {
    super(message);
    this.name = "ApplicationError";
    if (!APPLICATION_CODE.test(code)) {
      const text = `an application's code is 1 to 64 of a-z 0-9 _ - ., not ${JSON.stringify(code)}`;
      throw new ParleyError("bad_argument", text);
    }
    this.code = code;
    this.data = data;
  }
}

/**
 * Why a connection ended: a fatal error, a BYE, an end of the stream without one, or a socket that failed under us.
 */
export type EndReason = ErrorCode | "bye" | "eof" | "reset";
