/**
 * The protocol's error codes, and the one error class Parley throws.
 *
 * @module
 */

/** A code that an ERROR frame may carry (docs/protocol.md, "Errors"). `parley explain CODE` has more. */
export type ErrorCode =
  /** The peer sent bytes that are no frame of Parley, or a frame that the protocol does not allow. */
  | "bad_frame"
  /** The first frame was not a HELLO, or its payload was not as the protocol says. */
  | "bad_hello"
  /** The server does not speak the version of the protocol that the client asked for. */
  | "unsupported_protocol"
  /** A frame is larger than its receiver accepts. */
  | "too_large"
  /** The server requires a token, and there was none, or it is not valid. */
  | "unauthorized"
  /** The server has as many connections as it allows, in all or from this address. */
  | "server_full"
  /** The session did not read its messages fast enough, so the server, or a client over WebSocket, closed it. */
  | "slow_consumer"
  /** One side waited too long for the other: for a whole greeting, or for any sign of life. */
  | "timeout"
  /** The server is stopping and takes no new sessions. */
  | "shutting_down"
  /** A control payload or the headers of a message are not as the protocol says. */
  | "bad_payload"
  /** The name or pattern of a channel breaks the rules for names. */
  | "bad_channel"
  /** The session used a channel that it has not opened, or has left. */
  | "not_open"
  /** The session is not permitted to do this. */
  | "forbidden"
  /** No session responds on the channel of the request. */
  | "no_responders"
  /** The responder's session ended before it replied. */
  | "responder_gone"
  /** The responder did not reply within the server's request time. */
  | "no_reply"
  /** The session sent a request under an id that still waits for its reply. */
  | "id_in_use"
  /** The call is only for durable channels, and this channel is not one. */
  | "not_durable"
  /** A message for a durable channel could not be stored, and was not delivered. */
  | "not_stored"
  /** Another session has taken over this producer; the message was neither stored nor delivered. */
  | "fenced"
  /** The sequences of the channel began anew, so the place asked for is no longer there. */
  | "epoch_changed"
  /** There is no session with this id. */
  | "no_such_session"
  /** The subscription overlaps another one of the same session, and one of them is in a group or a consumer. */
  | "overlap"
  /** The session has reached one of the server's limits, which costs only this call. */
  | "limit"
  /** The server or the client failed by a fault of its own. */
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
  /** Something answered that does not speak Parley. */
  | "not_parley"
  /** The connection ended without a reason from the server. */
  | "disconnected"
  /** The connection broke before the answer came. The call is not repeated, and may have had an effect. */
  | "interrupted"
  /** The program has closed the client or server that it now uses. */
  | "closed"
  /** The server cannot listen on the address. */
  | "cannot_listen"
  /** An argument or option is unknown, or outside its documented range. */
  | "bad_argument"
  /** A call took longer than it may. */
  | "timed_out"
  /** More of this client waits than may: bytes to be sent, or calls for their answers. */
  | "backlog_full"
  /** The responder failed without an error meant for the requester. */
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
