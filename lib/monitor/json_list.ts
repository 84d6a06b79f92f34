/**
 * A list as JSON, made entry by entry, so that a long one does not hold up the event loop, and fits in a reply.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import type { Limits } from "../limits.ts";
import { walkSlowly } from "./selection.ts";

/** How many there are, and the entries as JSON. */
export interface JsonList {
  readonly count: number;
  readonly entries: string;
}

/** What a reply holds besides the entries of a list, in bytes, at most. */
const BESIDES = 256;

/** Describes `items` in order, as many as fit. `count` is how many there are in all. */
export async function jsonList<T>(
  count: number,
  items: Iterable<T>,
  describe: (item: T) => unknown,
  { payloadBytes }: Pick<Limits, "payloadBytes">,
): Promise<JsonList> {
  const entries: string[] = [];
  let left = payloadBytes - BESIDES;
  await walkSlowly(items, (item) => {
    const entry = JSON.stringify(describe(item));
    left -= Buffer.byteLength(entry) + 1;
    if (left < 0) return false;
    entries.push(entry);
    return true;
  });
  return { count, entries: `[${entries.join(",")}]` };
}
