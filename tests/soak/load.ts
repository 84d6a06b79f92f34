/**
 * The mixed load of a soak: every kind of traffic that clients cause.
 *
 * @module
 */

import { directMessages, failingRequests, requests } from "./requests.ts";
import type { Harness, Workload } from "./harness.ts";
import { groupWork } from "./group_work.ts";
import { slowConsumers } from "./slow_consumers.ts";
import { patterns, stream } from "./streams.ts";
import { sessionChurn } from "./session_churn.ts";

const KiB = 1024;

/** All workloads, by the name that the report shows. */
export const WORKLOADS: Readonly<Record<string, Workload>> = {
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
  // Some 12 MiB a second. The server closes a subscriber that does not read 8 MiB in 10 s, also on a busy machine.
  "messages faster than they are read": stream({
    channel: "soak.slow",
    size: 16 * KiB,
    batch: 20,
    everyMs: 1,
    subscribers: 1,
    pauses: { every: 32, ms: 40 },
  }),
  "16 channels by pattern, to 2": patterns("soak.pattern", 16),
  "work for a group of 4": groupWork("soak.work", 4),
  "requests of 8 to 3": requests("soak.requests", 8, 3),
  "requests without responder, or whose responder closes": failingRequests("soak.failing"),
  "direct messages": directMessages(),
  "short sessions, with presence": sessionChurn("soak.presence", 4),
  "subscribers that never read": slowConsumers("soak.unread"),
};

/** Runs the workloads until the harness is over and all have settled. Problems go to the counters. Never rejects. */
export async function runLoad(
  harness: Harness,
  workloads: Readonly<Record<string, Workload>> = WORKLOADS,
): Promise<void> {
  await Promise.all(
    Object.entries(workloads).map(async ([name, workload]) => {
      try {
        await workload(harness);
      } catch (error) {
        harness.counters.addProblem(`${name}: ${error instanceof Error ? error.message : error}`);
      }
    }),
  );
}
