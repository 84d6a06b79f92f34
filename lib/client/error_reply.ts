/**
 * The reply of a responder that failed: it has the message header `error`, whose value is a code. The content is the
 * message for people.
 *
 * @module
 */

import { FATAL, isErrorCode, ParleyError } from "../errors.ts";
import { ERROR_HEADER } from "../wire/message_headers.ts";
import type { Message, Payload, PublishOptions } from "./api.ts";

/** Replies that the handler threw `error`. Only a `ParleyError` is meant for the requester; others are private. */
export function replyError(
  error: unknown,
  reply: (payload: Payload, options: PublishOptions) => Promise<void>,
): Promise<void> {
  const { code, message } = error instanceof ParleyError
    ? error
    : { code: "no_reply", message: "the responder failed and gave no reply; its own log says why" };
  return reply(message, { headers: { [ERROR_HEADER]: code } });
}

/** The error that `reply` reports, if it reports one. */
export function errorOf(reply: Message): ParleyError | undefined {
  const code = reply.headers[ERROR_HEADER];
  if (code === undefined) return undefined;
  const text = reply.text();
  // A fatal code would mean that this client's own connection has ended.
  if (isErrorCode(code) && !FATAL[code]) return new ParleyError(code, text);
  return new ParleyError("no_reply", `the responder failed with "${code}"${text === "" ? "" : `: ${text}`}`);
}
