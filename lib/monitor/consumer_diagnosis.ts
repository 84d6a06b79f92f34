/**
 * Which session of each consumer of a durable channel would receive the next message.
 *
 * @module
 */

import type { Consumer } from "../broker/stored/consumer.ts";
import type { ConsumerMember } from "../broker/stored/consumer_member.ts";
import { namedBy } from "../broker/stored/key.ts";
import type { StoredChannel } from "../broker/stored/stored_channel.ts";
import { receiverOf } from "./receiver.ts";
import type { Receiver } from "../wire/stats.ts";

/** A session that is a consumer. */
export interface ConsumerSession {
  describe(): Receiver;
  /** Why it would not receive the next message; undefined if it would. */
  readonly reason: (() => string) | undefined;
}

/** The sessions of all consumers of `channel`. */
export function* consumerSessions(channel: StoredChannel): Iterable<ConsumerSession> {
  for (const consumer of channel.consumers.values()) {
    const { name } = namedBy(consumer.key);
    const next = consumer.mayDeliver ? consumer.members.peek() : undefined;
    for (const member of consumer.members.all) {
      const { peer } = member;
      if (peer.isEnded) continue;
      yield {
        describe: () => receiverOf(peer, channel.name, { consumer: name }),
        reason: member === next ? undefined : () => reasonOf(consumer, name, member, next),
      };
    }
  }
}

/** Why `member` would not receive the next message. */
function reasonOf(
  consumer: Consumer,
  name: string,
  { window, outstanding, free, peer }: ConsumerMember,
  next: ConsumerMember | undefined,
): string {
  const { isPaused } = consumer.stats;
  if (isPaused) return `an operator has paused consumer ${name}`;
  if (!consumer.mayDeliver) return `consumer ${name} has as many messages set aside or put off as it may`;
  if (outstanding >= window) {
    return `it has not acknowledged ${outstanding} messages of consumer ${name}, and its window is ${window}`;
  }
  if (free === 0) return `it has no room: ${peer.outbox.pending} bytes wait for it`;
  if (consumer.members.isExclusive) {
    return `consumer ${name} is exclusive: everything goes to session ${
      consumer.members.all[0].peer.number
    }, which opened first`;
  }
  return `consumer ${name} gives each message to one session, and session ${next?.peer.number} is next`;
}
