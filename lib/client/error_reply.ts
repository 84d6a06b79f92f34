/**
 * The reply of a responder that failed: it has the message header `error`, whose value is a code. The content is JSON
 * with the message for people and the data of the application.
 *
 * @module
 */

import { ERROR_HEADER } from "../wire/message_headers.ts";
import type { Payload, ReplyOptions } from "./message_types.ts";

/** The code in the header for a failure that is not the application's. */
export const FAILED = "responder_failed";

/** Replies that a request failed without an error of the application. */
export function replyFailed(
  message: string,
  reply: (payload: Payload, options: ReplyOptions) => Promise<void>,
): Promise<void> {
  return reply({ json: { message } }, { headers: { [ERROR_HEADER]: FAILED } });
}
