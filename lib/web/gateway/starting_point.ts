/**
 * Where a reader of a stored channel begins, as HTTP requests say it.
 *
 * @module
 */

import type { StartingPoint } from "../../client/options.ts";
import { badRequest } from "./parameters.ts";

const EXPECTED =
  "new, all, last, a sequence from 1 on, EPOCH:SEQUENCE, or a time such as 2026-11-25T12:00:00Z";

/** An event's id, or a place: an epoch and a sequence. */
const PLACE = /^(?:([A-Za-z0-9_-]{1,32}):)?(\d{1,16})$/;
const TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})$/i;

/** @throws {ParleyError} `bad_argument` if `text` is none */
export function parseFrom(text: string): StartingPoint {
  if (text === "new" || text === "all" || text === "last") return text;
  const [match, epoch, digits] = PLACE.exec(text) ?? [];
  const sequence = Number(digits);
  if (match !== undefined && sequence >= 1 && Number.isSafeInteger(sequence)) return { sequence, epoch };
  // A "+" in a query that is not escaped stands for a space.
  const time = text.replace(" ", "+");
  if (TIME.test(time) && !Number.isNaN(Date.parse(time))) return new Date(time);
  throw badRequest(`from must be ${EXPECTED}; it is ${JSON.stringify(text)}`);
}

/**
 * Where a reader goes on that has seen the event with this id, which is `EPOCH:SEQUENCE`.
 *
 * @throws {ParleyError} `bad_argument` if it is not such an id
 */
export function after(lastEventId: string): { readonly sequence: number; readonly epoch: string } {
  const [, epoch, digits] = PLACE.exec(lastEventId) ?? [];
  const sequence = Number(digits) + 1;
  if (epoch !== undefined && Number.isSafeInteger(sequence)) return { sequence, epoch };
  throw badRequest(
    `Last-Event-ID must be an id of this stream, EPOCH:SEQUENCE; it is ${JSON.stringify(lastEventId)}`,
  );
}

/** The id of the event with the message of that sequence. */
export function eventId(epoch: string, sequence: number): string {
  return `${epoch}:${sequence}`;
}
