/**
 * Which channels are stored, where, and how much of them.
 *
 * @module
 */

import { isServerOwn, overlaps } from "../../wire/names.ts";

/** How the channels that a pattern covers are stored. */
export interface StoragePolicy {
  /** The channels: a name or a pattern. */
  readonly pattern: string;
  /** On disk, or in memory. */
  readonly storage: "durable" | "history";
  /** How long a message is kept, in milliseconds. */
  readonly maxAgeMs: number;
  /** How many bytes of a channel are kept. */
  readonly maxBytes: number;
  /** How many messages of a channel are kept. */
  readonly maxMessages: number;
  /** What happens at those bounds: the oldest messages go, or new ones are refused. */
  readonly full: "drop-old" | "refuse";
}

/** The first of `policies` that covers the channel `name`. */
export function policyOf(policies: readonly StoragePolicy[], name: string): StoragePolicy | undefined {
  if (policies.length === 0 || isServerOwn(name)) return undefined;
  const segments = name.split(".");
  return policies.find(({ pattern }) => overlaps(pattern.split("."), segments));
}

/** The policy of what was stored once and is configured no longer. */
export function keepAll(pattern: string): StoragePolicy {
  return {
    pattern,
    storage: "durable",
    maxAgeMs: Infinity,
    maxBytes: Infinity,
    maxMessages: Infinity,
    full: "drop-old",
  };
}
