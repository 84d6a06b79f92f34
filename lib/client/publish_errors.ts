/**
 * The errors of messages that could not be published.
 *
 * @module
 */

import { ParleyError } from "../errors.ts";

/** The session may not publish. */
export function forbidden(name: string): ParleyError {
  return new ParleyError("forbidden", `the server does not let this session publish on ${name}`);
}

/** There is no connection, and what is published meanwhile is not kept. */
export function nothingKept(): ParleyError {
  return new ParleyError("interrupted", "the connection is interrupted, and nothing is kept meanwhile");
}
