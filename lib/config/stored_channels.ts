/**
 * Which channels are stored: the list `stored` of the file and of `serve()`, its ranges, and what must hold between its
 * entries.
 *
 * @module
 */

import { covers, isServerOwn } from "../wire/names.ts";
import type { Options } from "./option.ts";

const SECOND = 1000;
const DAY = 86_400 * SECOND;

/** The lowest and the highest value of each bound of a stored channel. All are whole numbers. */
export const STORED_RANGES = {
  maxAgeMs: [SECOND, 36_500 * DAY],
  maxBytes: [1024, 1024 ** 5],
  maxMessages: [1, Number.MAX_SAFE_INTEGER],
} as const;

/** Where messages are stored: on disk, or in memory. */
export const STORAGES = ["durable", "history"] as const;
/** What happens at the bounds: the oldest messages go, or new ones are refused. */
export const FULL = ["drop-old", "refuse"] as const;

/** An entry of the list in the file. */
export const STORED_ENTRY = {
  channels: { kind: "pattern", required: true, help: "the channels: a name or a pattern" },
  storage: { kind: "choice", choices: STORAGES, required: true, help: "on disk, or in memory" },
  maxAge: { kind: "ms", range: STORED_RANGES.maxAgeMs, help: "how long a message is kept" },
  maxBytes: { kind: "bytes", range: STORED_RANGES.maxBytes, help: "how much of each channel is kept" },
  maxMessages: {
    kind: "integer",
    range: STORED_RANGES.maxMessages,
    help: "how many messages of each channel are kept",
  },
  full: {
    kind: "choice",
    choices: FULL,
    help: "at these bounds drop the oldest messages, or refuse new ones",
  },
} as const satisfies Options;

/** What {@linkcode storedContradiction} needs of an entry. */
interface Entry {
  /** How messages name it. */
  readonly label: string;
  readonly channels: string;
}

/**
 * Returns how entries contradict themselves or each other, if they do. The first entry that covers a channel decides.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { storedContradiction } from "./stored_channels.ts";
 *
 * assertEquals(
 *   storedContradiction([
 *     { label: "stored[0]", channels: "orders.>" },
 *     { label: "stored[1]", channels: "orders.new" },
 *   ]),
 *   "stored[1] is never used: stored[0] comes first and covers orders.new with orders.>",
 * );
 * ```
 */
export function storedContradiction(entries: readonly Entry[]): string | undefined {
  for (const [at, { label, channels }] of entries.entries()) {
    if (isServerOwn(channels)) return `${label}: ${channels} is the server's own, which is never stored`;
    const first = entries.slice(0, at).find((other) => covers(other.channels, channels));
    if (first !== undefined) {
      return `${label} is never used: ${first.label} comes first and covers ${channels} with ${first.channels}`;
    }
  }
  return undefined;
}
