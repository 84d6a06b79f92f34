/**
 * For whom a publisher waits that is held back.
 *
 * @module
 */

import { Channel } from "../broker/channel.ts";
import type { HeldOn } from "../broker/flow_control.ts";
import type { Peer } from "../broker/peer.ts";
import type { Rotation } from "../broker/rotation.ts";
import { take } from "./stored_entry.ts";

/** In place of the number of a session: the store. */
const STORE = 0;

/** Sessions that are shown of those that one publisher waits for. */
const MOST = 100;

/** Whether `peer` has no room: who sends to it must wait. */
export function isFull({ isEnded, outbox }: Peer): boolean {
  return !isEnded && !outbox.hasRoom(1);
}

/** The numbers of the sessions that a publisher waits for, by what holds it back; 0 is the store. */
export function waitedFor(heldOn: HeldOn): number[] {
  if (!(heldOn instanceof Channel)) return [heldOn.number];
  if (heldOn.stored !== undefined) return [STORE];
  return [...take(fullReceivers(heldOn), MOST)].map(({ number }) => number);
}

/** The sessions without room that hold up what is published or asked on `channel`. */
export function* fullReceivers(channel: Channel): Iterable<Peer> {
  if (channel.opened === 0) return;
  const { all, groups, responders } = channel.route;
  const seen = new Set<Peer>();
  for (const { peer } of all) if (isFull(peer)) seen.add(peer);
  for (const rotation of [...groups, responders]) {
    // One member with room is enough.
    if (!rotation.hasRoom(undefined, 1)) { for (const peer of fullMembers(rotation)) seen.add(peer); }
  }
  yield* seen;
}

function fullMembers({ members }: Rotation): Peer[] {
  return members.map(({ peer }) => peer).filter(isFull);
}
