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

/** A code of an error that arises at the client itself. It never crosses the wire. */
export type LocalCode =
  /** Nothing answered at the address. */
  | "unreachable"
  /** The server's certificate is not valid: another authority, another name, expired, or not valid yet. */
  | "untrusted"
  /** Something answered, but it does not speak Parley. */
  | "not_parley"
  /** The connection ended while it was in use. */
  | "disconnected"
  /** The caller closed the client, channel or server it is now using. */
  | "closed"
  /** An argument is outside its documented range. */
  | "bad_argument";

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
  /** Whether the connection ended with this error. */
  readonly fatal: boolean;

  /** `message` says what was expected, what came, and what to do. */
  constructor(code: ErrorCode | LocalCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "ParleyError";
    this.code = code;
    this.fatal = isErrorCode(code) ? FATAL[code] : code !== "bad_argument";
  }
}

/**
 * Why a connection ended: a fatal error, a BYE, an end of the stream without one, or a socket that failed under us.
 */
export type EndReason = ErrorCode | "bye" | "eof" | "reset";
