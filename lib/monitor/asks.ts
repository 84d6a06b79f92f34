/**
 * What requests to the server hold, and what is wrong with those that do not.
 *
 * @module
 */

import type { Ask } from "../broker/server_channels.ts";
import { ParleyError } from "../errors.ts";
import { MAX_NUMBER } from "../limits.ts";
import { channelProblem, isPattern } from "../wire/names.ts";
import { matching, object, optional, type Shape, ShapeProblem, text, whole } from "../wire/shape.ts";

/** What a list is to hold. */
export interface ListAsk {
  /** In lower case. */
  readonly search: string;
  readonly sort: string;
  readonly limit: number;
}

const MAX_ENTRIES = 1000;
const DEFAULT_ENTRIES = 100;

/** What a list is asked for, if it can be sorted by `keys`. */
export function listShape(keys: Readonly<Record<string, unknown>>): Shape<ListAsk> {
  const known = Object.keys(keys);
  const sort = text((key) => known.includes(key) ? undefined : `must be one of ${known.join(", ")}`);
  const shape = object<ListAsk>({
    search: optional(text(), ""),
    sort: optional(sort, "rate"),
    limit: optional(whole(1, MAX_ENTRIES), DEFAULT_ENTRIES),
  });
  return (value, path) => {
    const ask = shape(value, path);
    return { ...ask, search: ask.search.toLowerCase() };
  };
}

const channel = text((name) =>
  isPattern(name) ? "must be the name of one channel, not a pattern" : channelProblem(name)
);

/** What `$stats.why` is asked for. */
export const whyShape: Shape<{ channel: string }> = object({ channel });

/** Which consumer is meant. */
interface ConsumerAsk {
  channel: string;
  consumer: string;
  subject?: string;
}

const consumer = { channel, consumer: text(), subject: optional(text()) };
const sequence = whole(0, Number.MAX_SAFE_INTEGER);

/** What `$stats.set_aside` is asked for. */
export const setAsideShape: Shape<ConsumerAsk & { after: number; limit: number }> = object<
  ConsumerAsk & { after: number; limit: number }
>({
  ...consumer,
  after: optional(sequence, 0),
  limit: optional(whole(1, MAX_ENTRIES), DEFAULT_ENTRIES),
});

/** What `$admin.disconnect` is asked for. */
export const disconnectShape: Shape<{ session: number }> = object({ session: whole(1, MAX_NUMBER) });

/** What `$admin.consumer` is asked for. */
export const consumerShape: Shape<ConsumerAsk & { action: string; position?: number }> = object<
  ConsumerAsk & { action: string; position?: number }
>({
  ...consumer,
  action: matching(/^(pause|resume|reset)$/, 'must be "pause", "resume" or "reset"'),
  position: optional(sequence),
});

/** What `$admin.set_aside` is asked for. */
export const giveBackShape: Shape<ConsumerAsk & { action: string; sequence?: number }> = object<
  ConsumerAsk & { action: string; sequence?: number }
>({
  ...consumer,
  action: matching(/^(retry|drop)$/, 'must be "retry" or "drop"'),
  sequence: optional(sequence),
});

/**
 * Reads `ask` as what `shape` says.
 *
 * @throws {ParleyError} `bad_payload` if it is something else
 */
export function readAsk<T>(ask: Ask, shape: Shape<T>): T {
  try {
    return shape(ask, "");
  } catch (error) {
    if (!(error instanceof ShapeProblem)) throw error;
    throw new ParleyError("bad_payload", `the request ${error.text}`);
  }
}
