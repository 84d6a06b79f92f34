/**
 * Which sessions are slow, which sessions wait for them, and which channels have no subscriber.
 *
 * @module
 */

import type { ChannelCounts } from "../broker/counters.ts";
import type { SlowDiagnosis } from "../wire/stats.ts";
import { knownChannels } from "./channel_list.ts";
import { Largest, walk } from "./selection.ts";
import type { MonitoredServer } from "./server.ts";
import { type Established, isEstablished, sessionEntry } from "./session_list.ts";
import { waitedFor } from "./waits.ts";

/** Entries of each kind. */
const MOST = 100;

/** A channel that was named, open or not. */
interface Named {
  readonly name: string;
  readonly counts: ChannelCounts;
}

/** See the module's comment. */
export async function diagnoseSlow(server: MonitoredServer): Promise<SlowDiagnosis> {
  const slowest = new Largest<Established>(MOST, ({ active }) => active.outbox.pending);
  const waiting = new Largest<Established>(MOST, ({ active }) => active.heldMs);
  await walk(server.sessions, (session) => {
    if (!isEstablished(session)) return;
    if (session.active.outbox.pending > 0) slowest.add(session);
    if (session.active.heldOn !== undefined) waiting.add(session);
  });
  const unheard = new Largest<Named>(MOST, ({ counts }) => counts.unheard);
  await walk(namedChannels(server), (channel) => {
    if (channel.counts.unheard > 0) unheard.add(channel);
  });
  return {
    slowest: slowest.items.filter(isEstablished).map(sessionEntry),
    waiting: waiting.items.flatMap(({ active: { number, name, heldOn, heldMs } }) =>
      heldOn === undefined ? [] : [{ session: number, name, seconds: heldMs / 1000, for: waitedFor(heldOn) }]
    ),
    unheard: unheard.items.map(({ name, counts }) => ({ channel: name, messages: counts.unheard })),
  };
}

/** All channels of which anything is known. A publisher that is gone may have been the only session on one. */
function* namedChannels(server: MonitoredServer): Iterable<Named> {
  yield* knownChannels(server);
  for (const [name, { counts }] of server.router.channels.idle) {
    if (counts !== undefined) yield { name, counts };
  }
}
