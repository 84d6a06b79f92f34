/**
 * Sessions that match a channel, as they are shown.
 *
 * @module
 */

import type { Channel } from "../broker/channel.ts";
import type { Peer, Subscription } from "../broker/peer.ts";
import type { Route } from "../broker/route.ts";
import type { StoredChannel } from "../broker/stored/stored_channel.ts";
import type { Receiver } from "../wire/stats.ts";

/** A session that matches, but would not receive the next message. */
export type PassedOver = Receiver & { readonly reason: string };

/** The first few of many, and how many there are. */
export class FirstOnes<T> {
  readonly items: T[] = [];
  count = 0;
  readonly #most: number;

  /** @param most how many are described */
  constructor(most: number) {
    this.#most = most;
  }

  /** One more. It is described only if it is one of the first. */
  add(describe: () => T): void {
    if (this.count++ < this.#most) this.items.push(describe());
  }
}

/** A channel that is looked at, and what is known of it. */
export interface Diagnosed {
  readonly name: string;
  readonly channel: Channel | undefined;
  /** There once something of it is stored, or a session has it open. */
  readonly stored: StoredChannel | undefined;
  /** How messages there are stored, if they are. */
  readonly storage: "durable" | "history" | undefined;
  readonly route: Route;
  /** The subscriptions that match the name, of each session. */
  readonly matching: ReadonlyMap<Peer, readonly Subscription[]>;
  readonly receivers: FirstOnes<Receiver>;
  readonly passedOver: FirstOnes<PassedOver>;
}

/** Describes a session that matches by the name or pattern `by`. */
export function receiverOf(
  { number, name, outbox }: Peer,
  by: string,
  more: Pick<Receiver, "group" | "consumer"> = {},
): Receiver {
  return { session: number, name, by, ...more, pendingBytes: outbox.pending };
}

/** `session 7 (Ada)`. */
export function sessionName({ number, name }: Pick<Peer, "number" | "name">): string {
  return `session ${number} (${name})`;
}

/** Names the first few of `peers`: `session 7 (Ada), session 9 (Bob) and 3 more`. */
export function namesOf(peers: readonly Pick<Peer, "number" | "name">[], most: number = 3): string {
  const named = peers.slice(0, most).map(sessionName).join(", ");
  return peers.length > most ? `${named} and ${peers.length - most} more` : named;
}
