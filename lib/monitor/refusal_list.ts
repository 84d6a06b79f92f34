/**
 * The last refusals, as they are shown.
 *
 * @module
 */

import type { Refusals } from "../broker/refusals.ts";
import type { RefusalEntry } from "../wire/stats.ts";

/** A message may quote names that a client chose; so much of it is shown, in characters. */
const MOST = 500;

/** Describes the refusals that are remembered, newest first. */
export function lastRefusals(refusals: Refusals): RefusalEntry[] {
  return [...refusals.last()].map(({ time, code, message, session, name, address, channel }) => ({
    time: new Date(time).toISOString(),
    code,
    message: message.slice(0, MOST),
    ...session !== 0 && { session },
    ...name !== "" && { name },
    ...address !== "" && { address },
    ...channel !== "" && { channel },
  }));
}
