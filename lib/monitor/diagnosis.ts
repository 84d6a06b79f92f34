/**
 * Where a message on a channel would go now, who is passed over, and why it may not arrive.
 *
 * @module
 */

import type { Channel } from "../broker/channel.ts";
import type { Peer, Subscription } from "../broker/peer.ts";
import type { Rotation } from "../broker/rotation.ts";
import type { ChannelDiagnosis } from "../wire/stats.ts";
import { consumersOf } from "./consumer_diagnosis.ts";
import { findings } from "./findings.ts";
import { type Diagnosed, receiverOf } from "./receiver.ts";
import type { MonitoredServer } from "./server.ts";
import { consumerEntries, take } from "./stored_entry.ts";
import { isFull } from "./waits.ts";

/** Entries of each kind. */
const MOST = 100;

/** See the module's comment. */
export async function diagnose(server: MonitoredServer, name: string): Promise<ChannelDiagnosis> {
  const { router } = server;
  const channel = router.channels.find(name);
  const stored = channel?.stored ?? server.stored?.find(name);
  const route = channel?.route ??
    router.channels.makeRoute(router.channels.patterns.covering(name), undefined);
  const diagnosed: Diagnosed = {
    name,
    channel,
    stored,
    route,
    matching: matchingSubscriptions(server, name, channel),
    receivers: [],
    passedOver: [],
  };
  addPlain(diagnosed);
  for (const rotation of route.groups) addGroup(diagnosed, rotation);
  if (stored !== undefined) {
    const { receivers, passedOver } = consumersOf(stored);
    diagnosed.receivers.push(...receivers);
    diagnosed.passedOver.push(...passedOver);
  }
  addOnlyResponding(diagnosed);
  const responders = route.responders.inTurn.filter(({ peer }) =>
    !peer.isEnded && route.responders.accepts(peer)
  );
  return {
    channel: name,
    isKnown: channel !== undefined || stored !== undefined,
    ...stored && { storage: stored.policy.storage },
    receivers: [...take(diagnosed.receivers, MOST)],
    receiverCount: diagnosed.receivers.length,
    passedOver: [...take(diagnosed.passedOver, MOST)],
    responders: [...take(responders, MOST)].map(({ peer }) =>
      receiverOf(peer, by(diagnosed, peer, ({ respond }) => respond))
    ),
    consumers: stored === undefined ? [] : consumerEntries(stored),
    findings: await findings(server, diagnosed, responders.length),
  };
}

function matchingSubscriptions(
  { router }: MonitoredServer,
  name: string,
  channel: Channel | undefined,
): Map<Peer, Subscription[]> {
  const found = new Map<Peer, Subscription[]>();
  const add = (subscription: Subscription) => {
    const { peer } = subscription;
    const known = found.get(peer);
    if (known !== undefined) known.push(subscription);
    else if (!peer.isEnded) found.set(peer, [subscription]);
  };
  for (const subscription of channel?.subscriptions() ?? []) add(subscription);
  for (const node of router.channels.patterns.covering(name)) node.forEach(add);
  return found;
}

/** The name or pattern of the first subscription of `peer` for which `test` holds: by name, if it has one. */
function by(
  { matching, name }: Diagnosed,
  peer: Peer,
  test: (subscription: Subscription) => boolean,
): string {
  return matching.get(peer)?.find(test)?.segments.join(".") ?? name;
}

/** Sessions that receive every message. */
function addPlain(diagnosed: Diagnosed): void {
  for (const { peer } of diagnosed.route.all) {
    if (peer.isEnded) continue;
    const isPlain = ({ subscribe, group, consumer }: Subscription) =>
      subscribe && group === undefined && consumer === undefined;
    diagnosed.receivers.push(receiverOf(peer, by(diagnosed, peer, isPlain)));
  }
}

/** The members of a group: one receives the next message. */
function addGroup(diagnosed: Diagnosed, rotation: Rotation): void {
  const { name: group } = rotation;
  const members = rotation.inTurn.map(({ peer }) => peer).filter(({ isEnded }) => !isEnded);
  const next = members.find((peer) => !isFull(peer));
  for (const peer of members) {
    const isMember = (subscription: Subscription) => subscription.subscribe && subscription.group === group;
    const receiver = receiverOf(peer, by(diagnosed, peer, isMember), { group });
    if (peer === next) {
      diagnosed.receivers.push(receiver);
      continue;
    }
    const reason = isFull(peer)
      ? `it has no room: ${peer.outbox.pending} bytes wait for it, so group ${group} passes it over`
      : `group ${group} gives each message to one member, and session ${next!.number} is next`;
    diagnosed.passedOver.push({ ...receiver, reason });
  }
}

/** Sessions that are sent requests, but no messages. */
function addOnlyResponding(diagnosed: Diagnosed): void {
  for (const [peer, subscriptions] of diagnosed.matching) {
    if (subscriptions.some(({ subscribe }) => subscribe)) continue;
    const receiver = receiverOf(peer, subscriptions[0].segments.join("."));
    diagnosed.passedOver.push({
      ...receiver,
      reason: "it responds here and is not subscribed, so it is sent requests only",
    });
  }
}
