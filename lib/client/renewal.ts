/**
 * Subscribes again after the connection broke: in stored channels, behind the last message that was received.
 *
 * @module
 */

import type { ParleyError } from "../errors.ts";
import { isPattern } from "../wire/names.ts";
import type { Missing } from "./events.ts";
import { MAX_COVERED } from "./limits.ts";
import type { Place } from "./position.ts";
import type { Session } from "./session.ts";
import type { ClientSubscription } from "./subscription.ts";

/** The subscriptions of a session that is renewed, and where they go on. */
export class Renewal {
  readonly #subscriptions: ReadonlySet<ClientSubscription>;
  /** By channel. */
  readonly #places = new Map<string, Place>();
  /** By pattern: the channels that it has received from. */
  readonly #covered = new Map<string, Map<string, Place>>();

  /** Renews all of `subscriptions`. */
  constructor(subscriptions: ReadonlySet<ClientSubscription>) {
    this.#subscriptions = subscriptions;
  }

  /** A session has ended: the next one goes on where it was. */
  keep({ channels }: Session): void {
    for (const [name, place] of channels.places()) this.#places.set(name, place);
    for (const { channel: pattern, group } of this.#subscriptions) {
      if (!isPattern(pattern) || group !== undefined) continue;
      const covered = this.#covered.get(pattern) ?? new Map<string, Place>();
      this.#covered.set(pattern, covered);
      for (const [name, place] of channels.coveredPlaces(pattern)) {
        if (covered.size < MAX_COVERED || covered.has(name)) covered.set(name, place);
      }
    }
  }

  /** A subscription has ended: if it was the last to a channel or pattern, another one begins anew. */
  ended(name: string): void {
    for (const { channel } of this.#subscriptions) if (channel === name) return;
    this.#places.delete(name);
    this.#covered.delete(name);
  }

  /** Subscribes to everything again. If a part of it is stored, the promise says what is missing. */
  renew(session: Session): Promise<Missing[]> | undefined {
    const byChannel = new Map<string, ClientSubscription[]>();
    for (const subscription of this.#subscriptions) {
      const { channel } = subscription;
      byChannel.set(channel, [...byChannel.get(channel) ?? [], subscription]);
    }
    const renewals: Promise<Missing[]>[] = [];
    let isStored = false;
    for (const [name, subscriptions] of byChannel) {
      const covered = this.#covered.get(name);
      const hasCovered = covered !== undefined && covered.size > 0;
      if (hasCovered || this.goesOn(name)) isStored = true;
      const renewal = hasCovered
        ? session.subscribeCovering(name, subscriptions, covered)
        : this.#renewChannel(session, name, subscriptions);
      renewals.push(renewal.catch((error) => {
        if (session.connection.endError !== undefined) return [];
        for (const subscription of subscriptions) subscription.over(error);
        return [];
      }));
    }
    return isStored ? Promise.all(renewals).then((all) => all.flat()) : undefined;
  }

  /** Subscribes to one channel again; from its first message if it began anew meanwhile. */
  async #renewChannel(
    session: Session,
    name: string,
    subscriptions: readonly ClientSubscription[],
  ): Promise<Missing[]> {
    const place = this.#places.get(name);
    const resume = place && { sequence: place.next, epoch: place.epoch };
    try {
      const missing = await session.subscribe(name, subscriptions, resume);
      return missing === undefined ? [] : [missing];
    } catch (error) {
      const { code } = error as ParleyError;
      const again = code === "epoch_changed" ? "all" : code === "bad_payload" ? "new" : undefined;
      if (place === undefined || again === undefined) throw error;
      for (const subscription of subscriptions) subscription.restarted();
      await session.subscribe(name, subscriptions, again);
      return [{ channel: name, from: place.next, to: undefined }];
    }
  }

  /** Whether all subscriptions to a channel go on where they were. */
  goesOn(name: string): boolean {
    for (const { channel, consumption } of this.#subscriptions) {
      if (channel === name && consumption === undefined && !this.#places.has(name)) return false;
    }
    return true;
  }
}
