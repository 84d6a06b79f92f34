/**
 * Reads stored messages: a subscription that begins at a place and ends with what is stored now. It needs the session's
 * own permission to subscribe.
 *
 * @module
 */

import type { Client } from "../../client/api.ts";
import type { Message } from "../../client/message_types.ts";
import type { StartingPoint } from "../../client/options.ts";

/** What to read. */
export interface Reading {
  readonly channel: string;
  /** `"end"`: so far from the end that `limit` messages follow. */
  readonly from: StartingPoint | "end";
  /** At most so many messages that match. */
  readonly limit: number;
  /** At most so many messages are looked at. */
  readonly mostScanned: number;
  readonly matches: (message: Message) => boolean;
  readonly signal: AbortSignal;
  /** Called now and then with how many were looked at. */
  readonly progress?: (scanned: number) => void;
}

/** What was read. */
export interface ReadMessages {
  readonly messages: readonly Message[];
  readonly scanned: number;
  /** Where to go on. */
  readonly next: number;
  /** Whether nothing that was stored at the beginning is left. */
  readonly isEnd: boolean;
  /** The lowest and the highest sequence that is stored. */
  readonly first: number;
  readonly last: number;
}

/** A message that does not come for this long, in milliseconds, is not stored any more. */
const PATIENCE_MS = 5_000;

/**
 * Reads as `reading` says.
 *
 * @throws {ParleyError} as `Client.subscribe`; the reason of the signal
 */
export async function readStored(client: Client, reading: Reading): Promise<ReadMessages> {
  const { channel, limit, mostScanned, matches, signal, progress } = reading;
  const from = reading.from === "end" ? await beforeEnd(client, channel, limit, signal) : reading.from;
  const subscription = await client.subscribe(channel, { from, signal });
  const { first = 1, last = 0 } = subscription.stored ?? {};
  const messages: Message[] = [];
  let scanned = 0;
  let next = typeof from === "number" ? from : first;
  try {
    if (last < first || next > last) return { messages, scanned, next: last + 1, isEnd: true, first, last };
    while (messages.length < limit && scanned < mostScanned) {
      const result = await soon(subscription.next());
      if (result === undefined || result.done) return { messages, scanned, next, isEnd: true, first, last };
      const message = result.value;
      if (message.sequence > last) break; // published meanwhile
      scanned++;
      next = message.sequence + 1;
      if (matches(message)) messages.push(message);
      if (next > last) break;
      if (scanned % 1000 === 0) progress?.(scanned);
    }
    return { messages, scanned, next, isEnd: next > last, first, last };
  } finally {
    await subscription.end().catch(() => {});
  }
}

/** Sequences that are closer than this are read by one subscription, which brings what is between them, too. */
const NEAR = 500;

/**
 * Reads single messages of a stored channel.
 *
 * @param sequences in ascending order
 * @param found called with each message, as long as it is stored
 * @throws {ParleyError} as `Client.subscribe`; the reason of the signal
 */
export async function readSingle(
  client: Client,
  channel: string,
  sequences: readonly number[],
  found: (message: Message) => void,
  signal: AbortSignal,
): Promise<void> {
  for (let at = 0; at < sequences.length;) {
    let end = at + 1;
    while (end < sequences.length && sequences[end] - sequences[end - 1] < NEAR) end++;
    const wanted = new Set(sequences.slice(at, end));
    const [from, last] = [sequences[at], sequences[end - 1]];
    const { messages } = await readStored(client, {
      channel,
      from,
      limit: wanted.size,
      mostScanned: last - from + 1,
      matches: ({ sequence }) => wanted.has(sequence),
      signal,
    });
    messages.forEach(found);
    at = end;
  }
}

/** The sequence with which the last `count` messages begin. */
async function beforeEnd(
  client: Client,
  channel: string,
  count: number,
  signal: AbortSignal,
): Promise<StartingPoint> {
  const subscription = await client.subscribe(channel, { from: "last", signal });
  const { stored } = subscription;
  await subscription.end();
  return stored === undefined ? "all" : Math.max(1, stored.first, stored.last - count + 1);
}

/** Waits for `promise`, but not for long: then it is undefined. */
async function soon<T>(promise: Promise<T>): Promise<T | undefined> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<undefined>((resolve) => timer = setTimeout(resolve, PATIENCE_MS, undefined));
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
