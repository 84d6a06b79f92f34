/**
 * Seeds that have found something, and what. Each holds for the server as it was when the seed was written down:
 * commit SERVER_COMMIT.
 *
 * @module
 */

import type { Kind } from "./invariants.ts";

/** A schedule that violated an invariant. */
export interface KnownSeed {
  readonly seed: number;
  readonly kind: Kind;
  /** What the schedule ran into. */
  readonly finds: string;
  /** Whether the server has been corrected since: then the schedule must find nothing any more. */
  readonly isFixed: boolean;
}

/** All of them. */
export const KNOWN_SEEDS: readonly KnownSeed[] = [];

/** The kinds that other schedules may still find, because a known seed of that kind is not fixed. */
export const OPEN_KINDS: ReadonlySet<Kind> = new Set(
  KNOWN_SEEDS.filter(({ isFixed }) => !isFixed).map(({ kind }) => kind),
);
