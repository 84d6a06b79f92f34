/**
 * Where a message on a channel would go now, who is passed over, and why it may not arrive.
 *
 * @module
 */

import type { Channel } from "../broker/channel.ts";
import type { Peer, Subscription } from "../broker/peer.ts";
import type { Rotation } from "../broker/rotation.ts";
import type { ChannelDiagnosis } from "../wire/stats.ts";
import type { StoredChannel } from "../broker/stored/stored_channel.ts";
import { consumerSessions } from "./consumer_diagnosis.ts";
import { findings } from "./findings.ts";
import { type Diagnosed, FirstOnes, receiverOf } from "./receiver.ts";
import { walk } from "./selection.ts";
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
  const storage = server.stored?.storageNamed(name);
  const route = channel?.route ??
    router.channels.makeRoute(router.channels.patterns.covering(name), undefined);
  const diagnosed: Diagnosed = {
    name,
    channel,
    stored,
    storage,
    route,
    matching: await matchingSubscriptions(server, name, channel),
    receivers: new FirstOnes(MOST),
    passedOver: new FirstOnes(MOST),
  };
  await addPlain(diagnosed);
  for (const rotation of route.groups) await addGroup(diagnosed, rotation);
  if (stored !== undefined) await addConsumers(diagnosed, stored);
  await addOnlyResponding(diagnosed);
  const responders = route.responders.inTurn.filter(({ peer }) =>
    !peer.isEnded && route.responders.accepts(peer)
  );
  return {
    channel: name,
    isKnown: channel !== undefined || stored !== undefined,
    ...storage && { storage },
    receivers: diagnosed.receivers.items,
    receiverCount: diagnosed.receivers.count,
    passedOver: diagnosed.passedOver.items,
    responders: [...take(responders, MOST)].map(({ peer }) =>
      receiverOf(peer, by(diagnosed, peer, ({ respond }) => respond))
    ),
    consumers: stored === undefined ? [] : consumerEntries(stored),
    findings: await findings(server, diagnosed, responders.length),
  };
}

async function matchingSubscriptions(
  { router }: MonitoredServer,
  name: string,
  channel: Channel | undefined,
): Promise<Map<Peer, Subscription[]>> {
  const found = new Map<Peer, Subscription[]>();
  const add = (subscription: Subscription) => {
    const { peer } = subscription;
    const known = found.get(peer);
    if (known !== undefined) known.push(subscription);
    else if (!peer.isEnded) found.set(peer, [subscription]);
  };
  await walk(channel?.subscriptions() ?? [], add);
  const byPattern: Subscription[] = [];
  for (const node of router.channels.patterns.covering(name)) {
    node.forEach((subscription) => byPattern.push(subscription));
  }
  await walk(byPattern, add);
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
function addPlain(diagnosed: Diagnosed): Promise<void> {
  const isPlain = ({ subscribe, group, consumer }: Subscription) =>
    subscribe && group === undefined && consumer === undefined;
  return walk(diagnosed.route.all, ({ peer }) => {
    if (!peer.isEnded) diagnosed.receivers.add(() => receiverOf(peer, by(diagnosed, peer, isPlain)));
  });
}

/** The members of a group: one receives the next message. */
function addGroup(diagnosed: Diagnosed, rotation: Rotation): Promise<void> {
  const { name: group } = rotation;
  const members = rotation.inTurn.map(({ peer }) => peer).filter(({ isEnded }) => !isEnded);
  const next = members.find((peer) => !isFull(peer));
  const isMember = (subscription: Subscription) => subscription.subscribe && subscription.group === group;
  const receiver = (peer: Peer) => receiverOf(peer, by(diagnosed, peer, isMember), { group });
  return walk(members, (peer) => {
    if (peer === next) return diagnosed.receivers.add(() => receiver(peer));
    diagnosed.passedOver.add(() => {
      const reason = next === undefined || isFull(peer)
        ? `it has no room: ${peer.outbox.pending} bytes wait for it, so group ${group} passes it over`
        : `group ${group} gives each message to one member, and session ${next.number} is next`;
      return { ...receiver(peer), reason };
    });
  });
}

/** The sessions of the consumers of a durable channel. */
function addConsumers({ receivers, passedOver }: Diagnosed, channel: StoredChannel): Promise<void> {
  return walk(consumerSessions(channel), (session) => {
    const { reason, describe } = session;
    if (reason === undefined) receivers.add(describe);
    else passedOver.add(() => ({ ...describe(), reason: reason() }));
  });
}

/** Sessions that are sent requests, but no messages. */
function addOnlyResponding({ matching, passedOver }: Diagnosed): Promise<void> {
  const reason = "it responds here and is not subscribed, so it is sent requests only";
  return walk(matching, ([peer, subscriptions]) => {
    if (subscriptions.some(({ subscribe }) => subscribe)) return;
    passedOver.add(() => ({ ...receiverOf(peer, subscriptions[0].segments.join(".")), reason }));
  });
}
