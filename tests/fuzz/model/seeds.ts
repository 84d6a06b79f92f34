/**
 * Seeds that have found something, and what: in the server as it was at commit 0eab2e0, the last two later. With the
 * model put around the server of f17a767, an earlier version, 619, 485, 85, 172 and 5341 find the same there.
 * `deno task fuzz --model --seed 377 --count 1` shows one of them.
 *
 * A change of the generator, or of what the server answers, makes another schedule of the same seed. What a seed found is
 * therefore also a test of its own beside the code it is about; this list shows what the model is able to find.
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
export const KNOWN_SEEDS: readonly KnownSeed[] = [
  {
    seed: 377,
    kind: "nested receive",
    finds: "a session that breaks the protocol while others wait for it, which are resumed from within it",
    isFixed: true,
  },
  {
    seed: 619,
    kind: "nested receive",
    finds: "a chain of sessions that wait for each other, resumed from within the one that ends",
    isFixed: true,
  },
  {
    seed: 485,
    kind: "work per turn",
    finds: "a session in many groups that all cover one channel: each message visits each group",
    isFixed: true,
  },
  {
    seed: 5522,
    kind: "work per turn",
    finds: "a run of messages handed to the members of many groups, one by one, in one turn",
    isFixed: true,
  },
  {
    seed: 85,
    kind: "work per turn",
    finds: "OPEN and LEAVE of a name that many patterns cover: each walks their tree",
    isFixed: true,
  },
  {
    seed: 172,
    kind: "evicted reader",
    finds: "JOINED and PARTED sent to a watcher that reads all the time, without asking for room",
    isFixed: true,
  },
  {
    seed: 316,
    kind: "evicted reader",
    finds: "one session that opens and leaves, whose PARTED and JOINED evict a watcher that reads",
    isFixed: true,
  },
  {
    seed: 5341,
    kind: "work per turn",
    finds: "requests to a responder that never answers, which time out in one turn",
    isFixed: true,
  },
  {
    seed: 20242,
    kind: "work per turn",
    finds: "requests to a responder that never answers and disconnects: all are removed in one turn",
    isFixed: true,
  },
  {
    seed: 1003293,
    kind: "work per turn",
    finds:
      "the requests of a session that ends, each of which cost six times what the work budget counted for it",
    isFixed: true,
  },
  {
    seed: 2000462,
    kind: "evicted reader",
    finds: "a session that was sent a frame just before the tick which looks whether it has taken anything",
    isFixed: true,
  },
];

/** The kinds that other schedules may still find, because a known seed of that kind is not fixed. */
export const OPEN_KINDS: ReadonlySet<Kind> = new Set(
  KNOWN_SEEDS.filter(({ isFixed }) => !isFixed).map(({ kind }) => kind),
);
