/**
 * The channels of one server: which number stands for which name, and who is subscribed.
 *
 * @module
 */

import { ParleyError } from "../errors.ts";
import { MAX_IDLE_CHANNELS, MAX_NUMBER } from "../limits.ts";
import { Patterns } from "./patterns.ts";
import type { Peer, Subscription } from "./peer.ts";

/** A group as it stands in a route: its members, and whose turn it is. */
export interface Group {
  readonly name: string;
  readonly members: Subscription[];
  turn: number;
}

/** Who receives what is sent on a channel; made when needed, thrown away when a subscription changes. */
export interface Route {
  /** Each of them gets every message. */
  readonly all: Subscription[];
  /** One member of each gets a message, in turn. */
  readonly groups: Group[];
  /** Everybody above, each once: those who can be asked. */
  readonly responders: Peer[];
  /** The state of the patterns this was made from. */
  readonly patterns: number;
}

/** One channel that somebody has open. */
export class Channel {
  readonly name: string;
  readonly number: number;
  /** Subscribed by this very name. */
  readonly subscribers = new Map<Peer, Subscription>();
  /** Those who are told who comes and goes. */
  readonly watchers = new Set<Peer>();
  /** How many sessions have it open. */
  opened = 0;
  /** Whose turn it is to be asked, counted over all requests. */
  requestTurn = 0;
  #route: Route | undefined;

  constructor(name: string, number: number) {
    this.name = name;
    this.number = number;
  }

  /** Subscribes `subscription.peer` by name, in place of an earlier subscription of its. */
  subscribe(subscription: Subscription): void {
    this.subscribers.set(subscription.peer, subscription);
    this.changed();
  }

  /** Ends the subscription by name of `peer`, if it has one. */
  unsubscribe(peer: Peer): void {
    if (this.subscribers.delete(peer)) this.changed();
  }

  /**
   * Who receives what is sent here now.
   *
   * Costs a comparison while nothing changes; after a change, once a look at every subscription of the channel and at
   * the patterns that cover it. Who only a pattern brought here is told the channel's number on this occasion, which
   * is before its first message.
   */
  route(patterns: Patterns): Route {
    if (this.#route === undefined || this.#route.patterns !== patterns.version) {
      this.#route = this.#makeRoute(patterns, this.#route);
    }
    return this.#route;
  }

  /** The route is made anew before the next message. The old one is kept for the turns of its groups. */
  changed(): void {
    if (this.#route !== undefined) this.#route = { ...this.#route, patterns: -1 };
  }

  #makeRoute(patterns: Patterns, before: Route | undefined): Route {
    const all = new Map<Peer, Subscription>();
    const byGroup = new Map<string, Map<Peer, Subscription>>();
    const add = (subscription: Subscription) => {
      const { peer, group } = subscription;
      if (group === undefined) {
        // A session that matches twice receives once; its own messages too, if one of the two wants them.
        if (!(all.get(peer)?.echo)) all.set(peer, subscription);
        return;
      }
      let members = byGroup.get(group);
      if (members === undefined) byGroup.set(group, members = new Map());
      if (!members.has(peer)) members.set(peer, subscription);
    };
    this.subscribers.forEach(add);
    patterns.covering(this.name, (subscription) => {
      subscription.peer.announce(this.name, this.number);
      add(subscription);
    });

    const responders = new Set(all.keys());
    const groups: Group[] = [];
    for (const [name, members] of byGroup) {
      for (const peer of members.keys()) {
        responders.add(peer);
        if (all.has(peer)) members.delete(peer); // It gets everything anyway; the turn is for the others.
      }
      if (members.size > 0) {
        const turn = before?.groups.find((group) => group.name === name)?.turn ?? 0;
        groups.push({ name, members: [...members.values()], turn });
      }
    }
    return { all: [...all.values()], groups, responders: [...responders], patterns: patterns.version };
  }
}

/** All channels of one server. */
export class Channels {
  /** The pattern subscriptions, which belong to no single channel. */
  readonly patterns = new Patterns();
  readonly #byName = new Map<string, Channel>();
  /** The numbers of channels nobody has open, oldest first: a number stands for one name for as long as possible. */
  readonly #idle = new Map<string, number>();
  #lastNumber = 0;

  /** Opens `name` for one more session. */
  open(name: string): Channel {
    let channel = this.#byName.get(name);
    if (channel === undefined) {
      channel = new Channel(name, this.#idle.get(name) ?? this.#nextNumber());
      this.#idle.delete(name);
      this.#byName.set(name, channel);
    }
    channel.opened++;
    return channel;
  }

  /** The channel of that name, if somebody has it open. */
  find(name: string): Channel | undefined {
    return this.#byName.get(name);
  }

  /** Undoes one `open`. A channel nobody has open costs nothing but the memory of its number. */
  release(channel: Channel): void {
    if (--channel.opened > 0) return;
    this.#byName.delete(channel.name);
    this.patterns.covering(channel.name, ({ peer }) => peer.forget(channel.number));
    this.#idle.set(channel.name, channel.number);
    if (this.#idle.size > MAX_IDLE_CHANNELS) {
      // Forgotten for good: should the name come again, it gets a new number; the old one is never given to another.
      for (const oldest of this.#idle.keys()) {
        this.#idle.delete(oldest);
        break;
      }
    }
  }

  #nextNumber(): number {
    if (this.#lastNumber === MAX_NUMBER) {
      throw new ParleyError("internal", "all 2,147,483,647 channel numbers are used up; restart the server");
    }
    return ++this.#lastNumber;
  }
}
