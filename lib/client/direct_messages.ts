/**
 * Messages to one session.
 *
 * @module
 */

import { ParleyError } from "../errors.ts";
import { MAX_NUMBER } from "../limits.ts";
import { Type } from "../wire/header.ts";
import { badArgument, checkOptions } from "./checks.ts";
import { inboxKey, inboxOf } from "./inbox.ts";
import type { Payload } from "./message_types.ts";
import type { SendOptions } from "./options.ts";
import type { ReconnectingSession } from "./reconnecting.ts";
import type { Reports } from "./reports.ts";
import { bounded, handled } from "./waiting.ts";

/** See `Client.sendTo`. `line` sends, and `reports` hold what the server has said of earlier messages. */
export function sendDirect(
  line: ReconnectingSession,
  reports: Reports,
  sessionId: number,
  payload: Payload,
  options: SendOptions | undefined,
): Promise<void> {
  try {
    checkOptions("sendTo", options);
    if (!Number.isInteger(sessionId) || sessionId < 1 || sessionId > MAX_NUMBER) {
      throw badArgument(`a session's id is a whole number from 1 to ${MAX_NUMBER}, not ${sessionId}`);
    }
    const inbox = inboxOf(sessionId);
    const rejection = reports.take(inboxKey(inbox));
    if (rejection !== undefined) throw rejection;
    const { endError, current: session } = line;
    if (endError !== undefined) return handled(Promise.reject(endError));
    if (session === undefined) {
      const text = "the connection is interrupted; session ids known from before may be stale then";
      throw new ParleyError("interrupted", text);
    }
    const sent = session.connection.outbound.send(Type.MESSAGE, 0, inbox, payload, options);
    return bounded(`publishing to session ${sessionId}`, options, sent);
  } catch (error) {
    return Promise.reject(error);
  }
}
