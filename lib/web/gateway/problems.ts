/**
 * The errors of the protocol, of the client and of applications as HTTP statuses.
 *
 * @module
 */

import { ApplicationError, type ErrorCode, type LocalCode, ParleyError } from "../../errors.ts";
import { HttpProblem } from "../problem.ts";

/** The status that each code is answered with. */
export const STATUSES: Readonly<Record<ErrorCode | LocalCode, number>> = {
  // The request is not as it must be.
  bad_argument: 400,
  bad_channel: 400,
  bad_payload: 400,
  unauthorized: 401,
  forbidden: 403,
  no_such_session: 404,
  epoch_changed: 409,
  fenced: 409,
  not_durable: 409,
  overlap: 409,
  too_large: 413,
  // Another participant has not answered.
  responder_failed: 502,
  responder_gone: 502,
  no_reply: 504,
  timed_out: 504,
  // It may be better later.
  backlog_full: 503,
  closed: 503,
  disconnected: 503,
  interrupted: 503,
  limit: 503,
  no_responders: 503,
  not_stored: 503,
  server_full: 503,
  shutting_down: 503,
  slow_consumer: 503,
  timeout: 503,
  unreachable: 503,
  // What the gateway itself sends is as it must be, so these are faults of the server.
  bad_frame: 500,
  bad_hello: 500,
  cannot_listen: 500,
  id_in_use: 500,
  internal: 500,
  not_open: 500,
  not_parley: 500,
  unsupported_protocol: 500,
  untrusted: 500,
};

/** The status of an error that a responder's application has thrown. */
export const APPLICATION_STATUS = 422;

/** Codes after which the same request may be sent again in a moment. */
const IN_A_MOMENT: readonly string[] = [
  "limit",
  "server_full",
  "shutting_down",
  "not_stored",
  "backlog_full",
];

/** The problem that a request is answered with because of `error`; what is no error of ours is thrown again. */
export function problemFor(error: unknown): HttpProblem {
  if (error instanceof HttpProblem) return error;
  if (error instanceof ApplicationError) {
    const { code, message: detail, data } = error;
    return new HttpProblem(APPLICATION_STATUS, { code, detail, members: { application: true, data } });
  }
  if (!(error instanceof ParleyError)) throw error;
  const { code, message: detail } = error;
  const status = STATUSES[code] ?? 500;
  return new HttpProblem(status, { code, detail, headers: headersFor(code), closes: code === "too_large" });
}

function headersFor(code: string): Record<string, string> | undefined {
  if (code === "unauthorized") return { "www-authenticate": "Bearer" };
  return IN_A_MOMENT.includes(code) ? { "retry-after": "1" } : undefined;
}
