/**
 * The errors of messages that may not have been stored, and of producers.
 *
 * @module
 */

import { ParleyError } from "../errors.ts";
import { countMessages } from "./connection_types.ts";

/** The receipt of `count` messages on a durable channel will not come. */
export function inDoubt(
  code: ParleyError["code"],
  name: string,
  count: number,
  reason: string,
): ParleyError {
  const what = count === 1
    ? `a message on ${name} may or may not be stored`
    : `${countMessages(count)} on ${name} were sent together, and each may or may not be stored`;
  return new ParleyError(code, `${what}: ${reason}`);
}

/** Another session has taken over the producer. */
export function fenced(name: string, producer: string | undefined): ParleyError {
  const text = `another session publishes as producer ${producer} on ${name} now`;
  return new ParleyError("fenced", `${text}; this one has ended`);
}

/** The server has stored fewer messages of a producer than before. */
export function beganAnew(name: string, producer: string, stored: number, before: number): ParleyError {
  const text = `of producer ${producer} on ${name}, ${stored} messages are stored, and ${before} were before`;
  return new ParleyError("epoch_changed", `${text}: the channel began anew, or a backup was restored`);
}
