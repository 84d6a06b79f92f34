/**
 * The reply of a responder that failed: it has the message header `error`, whose value is a code. The content is JSON
 * with the message for people and the data of the application.
 *
 * @module
 */

import { ApplicationError, ParleyError } from "../errors.ts";
import { ERROR_HEADER } from "../wire/message_headers.ts";
import type { Message, Payload, ReplyOptions } from "./message_types.ts";

/** The code in the header for a failure that is not the application's. */
const FAILED = "responder_failed";
const NO_DETAILS = "the responder failed and gave no reply; its own log says why";

/** Replies that the handler threw `error`. Only an `ApplicationError` is meant for the requester. */
export function replyError(
  error: unknown,
  reply: (payload: Payload, options: ReplyOptions) => Promise<void>,
): Promise<void> {
  if (!(error instanceof ApplicationError)) return replyFailed(NO_DETAILS, reply);
  const { code, message, data } = error;
  return reply({ json: { message, data } }, { headers: { [ERROR_HEADER]: code } });
}

/** Replies that a request failed without an error of the application. */
export function replyFailed(
  message: string,
  reply: (payload: Payload, options: ReplyOptions) => Promise<void>,
): Promise<void> {
  return reply({ json: { message } }, { headers: { [ERROR_HEADER]: FAILED } });
}

/** The error that `reply` reports, if it reports one. The content of other implementations may be plain text. */
export function errorOf(reply: Message): Error | undefined {
  const code = reply.headers[ERROR_HEADER];
  if (code === undefined) return undefined;
  let message = reply.text();
  let data: unknown;
  if (reply.kind === "json") {
    const content = reply.json();
    if (content !== null && typeof content === "object" && "message" in content) {
      message = String(content.message);
      data = "data" in content ? content.data : undefined;
    }
  }
  if (code === FAILED) return new ParleyError("responder_failed", message);
  try {
    return new ApplicationError(code, message, data);
  } catch {
    return new ParleyError(
      "responder_failed",
      `the responder failed with ${JSON.stringify(code)}: ${message}`,
    );
  }
}
