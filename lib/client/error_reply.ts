/**
 * How a responder reports that it failed. The wire has no frame for it, so it is a reply by agreement among clients:
 * JSON with the one key `$error`, such as `{"$error":{"code":"no_reply","message":"..."}}`.
 *
 * @module
 */

import { isErrorCode, ParleyError } from "../errors.ts";
import type { Message, Payload } from "./api.ts";

const BEGINNING = new TextEncoder().encode('{"$error":');

/** The reply for a handler that threw `error`. Only a `ParleyError` is meant for the requester; others are private. */
export function encodeErrorReply(error: unknown): Payload {
  if (error instanceof ParleyError) return { json: { $error: { code: error.code, message: error.message } } };
  const message = "the responder failed and gave no reply; its own log says why";
  return { json: { $error: { code: "no_reply", message } } };
}

/** The error in `reply`, if it is one. */
export function decodeErrorReply(reply: Message): ParleyError | undefined {
  const { payload } = reply;
  if (reply.kind !== "json" || BEGINNING.some((byte, i) => payload[i] !== byte)) return undefined;
  try {
    const { $error } = reply.json() as { $error: { code: unknown; message: unknown } };
    const code = String($error.code);
    // A fatal code would mean that this client's own connection has ended.
    const isUsable = isErrorCode(code) && !new ParleyError(code, "").fatal;
    return new ParleyError(isUsable ? code : "no_reply", String($error.message));
  } catch {
    return undefined; // an ordinary reply that only begins like an error
  }
}
