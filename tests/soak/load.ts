/**
 * The mixed load of a soak: some of everything that clients do.
 *
 * @module
 */

import { asking, askingNobody, direct } from "./asking.ts";
import type { Harness, Part } from "./harness.ts";
import { sharing } from "./sharing.ts";
import { sleepers } from "./sleepers.ts";
import { patterns, stream } from "./streams.ts";
import { visitors } from "./visitors.ts";

const KiB = 1024;

/** What the load consists of, as the report says it. */
export const PARTS: Readonly<Record<string, Part>> = {
  "16-byte messages in batches, to 3": stream({
    channel: "soak.tiny",
    size: 16,
    batch: 200,
    everyMs: 20,
    subscribers: 3,
  }),
  "1 KiB messages to 8": stream({ channel: "soak.small", size: KiB, batch: 10, everyMs: 20, subscribers: 8 }),
  "64 KiB messages to 2": stream({
    channel: "soak.large",
    size: 64 * KiB,
    batch: 4,
    everyMs: 50,
    subscribers: 2,
  }),
  "1 MiB messages to 2": stream({
    channel: "soak.huge",
    size: 1024 * KiB,
    batch: 1,
    everyMs: 500,
    subscribers: 2,
  }),
  // Some 12 MiB a second; the server gives up on whoever does not read 8 MiB in 5 s, also on a busy machine.
  "messages faster than they are read": stream({
    channel: "soak.thoughtful",
    size: 16 * KiB,
    batch: 20,
    everyMs: 1,
    subscribers: 1,
    thinks: { every: 32, ms: 40 },
  }),
  "16 channels by pattern, to 2": patterns("soak.pattern", 16),
  "work for a group of 4": sharing("soak.work", 4),
  "requests of 8 to 3": asking("soak.questions", 8, 3),
  "requests to nobody and to deserters": askingNobody("soak.nobody"),
  "direct messages": direct(),
  "visitors, with presence": visitors("soak.room", 4),
  "sleepers, who never read": sleepers("soak.sleep"),
};

/** Puts the load on until the scene is over and everything has settled; faults go to the tally. Never rejects. */
export async function putLoadOn(
  harness: Harness,
  parts: Readonly<Record<string, Part>> = PARTS,
): Promise<void> {
  await Promise.all(
    Object.entries(parts).map(async ([name, part]) => {
      try {
        await part(harness);
      } catch (error) {
        harness.tally.found(`${name}: ${error instanceof Error ? error.message : error}`);
      }
    }),
  );
}
