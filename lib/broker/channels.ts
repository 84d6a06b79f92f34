/**
 * The channels of one server, by name, and the pattern subscriptions, which belong to no single channel.
 *
 * @module
 */

import { ParleyError } from "../errors.ts";
import { CHANNELS_PER_SWEEP, MAX_IDLE_CHANNELS, MAX_NUMBER, MAX_SHARED_ROUTES } from "../limits.ts";
import { Channel } from "./channel.ts";
import type { ChannelCounts, Traffic } from "./counters.ts";
import { type PatternNode, Patterns } from "./patterns.ts";
import type { Peer, Subscription } from "./peer.ts";
import { Presence } from "./presence.ts";
import { type Route, Routes } from "./route.ts";
import type { StoredChannels } from "./stored/stored_channels.ts";
import type { WorkBudget } from "./work_budget.ts";

/** What is kept of a channel that no session has open. */
export interface IdleChannel {
  readonly number: number;
  readonly announcedAt: number;
  /** What was sent on it, if anything was. */
  readonly counts: ChannelCounts | undefined;
}

/** All channels and pattern subscriptions of one server. */
export class Channels {
  readonly patterns: Patterns;
  readonly ended: Pick<Traffic, "messagesOut">;
  readonly routes: Routes;
  /** Those that are stored, if any are. */
  readonly stored: StoredChannels | undefined;
  readonly #budget: WorkBudget;
  readonly #byName = new Map<string, Channel>();
  /** Channels that no session has open, longest first: they keep their numbers for as long as possible. */
  readonly #idle = new Map<string, IdleChannel>();
  /** Routes of channels that no session is subscribed to by name, by the patterns that cover them. */
  readonly #shared = new Map<string, { route: Route; madeAt: number }>();
  #sweeping: Iterator<Channel> | undefined;
  #sweptAt = 0;
  #lastNumber: number;

  constructor(
    budget: WorkBudget,
    stored?: StoredChannels,
    ended: Pick<Traffic, "messagesOut"> = { messagesOut: 0 },
  ) {
    this.ended = ended;
    this.stored = stored;
    this.#lastNumber = stored?.lastNumber ?? 0;
    this.#budget = budget;
    this.patterns = new Patterns(budget);
    this.routes = new Routes(budget);
  }

  /** Opens `name` for one more session. */
  open(name: string): Channel {
    let channel = this.#byName.get(name);
    if (channel === undefined) {
      const idle = this.#idle.get(name);
      const known = this.stored?.find(name)?.number ?? idle?.number;
      const number = known ?? this.#nextNumber();
      const stored = this.stored?.open(name, number);
      channel = new Channel(name, number, this, idle?.announcedAt, stored, idle?.counts);
      this.#idle.delete(name);
      this.#byName.set(name, channel);
    }
    channel.opened++;
    return channel;
  }

  /** The channel of that name, if a session has it open. */
  find(name: string): Channel | undefined {
    return this.#byName.get(name);
  }

  /** How many a session has open. */
  get size(): number {
    return this.#byName.size;
  }

  /** Those that a session has open. They may change meanwhile. */
  get all(): Iterable<Channel> {
    return this.#byName.values();
  }

  /** Those that no session has open any more, by name. They may change meanwhile. */
  get idle(): Iterable<readonly [name: string, IdleChannel]> {
    return this.#idle;
  }

  /** The channel of that name that no session has open any more. */
  findIdle(name: string): IdleChannel | undefined {
    return this.#idle.get(name);
  }

  /** Undoes one `open`. */
  release(channel: Channel): void {
    if (--channel.opened > 0) return;
    const { name, number } = channel;
    this.#byName.delete(name);
    const announcedAt = channel.rest();
    const { counts } = channel;
    this.#idle.set(name, { number, announcedAt, counts: counts.messagesIn > 0 ? counts : undefined });
    if (channel.stored !== undefined) this.stored!.closed(channel.stored);
    if (this.#idle.size <= MAX_IDLE_CHANNELS) return;
    // Forgotten for good: if the name comes again, it gets a new number. The old one is never given to another name.
    const [oldest] = this.#idle.keys();
    this.#idle.delete(oldest);
  }

  /** Undoes one `open` of the channel of that name. */
  releaseName(name: string): void {
    this.release(this.#byName.get(name)!);
  }

  /** The watchers of `channel`, made if there are none yet. */
  presenceOf(channel: Channel): Presence {
    return channel.presence ??= new Presence(channel.number, this.#budget);
  }

  /** Adds a pattern subscription. */
  addPattern(subscription: Subscription): void {
    this.routes.add(subscription);
    this.patterns.add(subscription);
  }

  /** Removes a pattern subscription. */
  removePattern(subscription: Subscription): void {
    this.patterns.remove(subscription);
    this.routes.remove(subscription);
  }

  /** The route of a channel that these patterns cover; the same for every channel without subscribers by name. */
  makeRoute(nodes: readonly PatternNode[], subscribers: ReadonlyMap<Peer, Subscription> | undefined): Route {
    if (subscribers !== undefined && subscribers.size > 0) {
      return this.#makeRoute(nodes, subscribers.values());
    }
    const key = nodes.map(({ id }) => id).join();
    const shared = this.#shared.get(key);
    if (shared !== undefined && nodes.every(({ changedAt }) => changedAt <= shared.madeAt)) {
      return shared.route;
    }
    const route = this.#makeRoute(nodes, []);
    if (this.#shared.size >= MAX_SHARED_ROUTES) this.#shared.clear();
    this.#shared.set(key, { route, madeAt: this.patterns.version });
    return route;
  }

  /** Drops some of the routes that no longer hold. To be called about once a second. */
  sweep(): void {
    if (this.#shared.size > 0 && this.#sweptAt !== this.patterns.version) this.#shared.clear();
    this.#sweptAt = this.patterns.version;
    this.#sweeping ??= this.#byName.values();
    for (let i = 0; i < CHANNELS_PER_SWEEP; i++) {
      const { value, done } = this.#sweeping.next();
      if (done) {
        this.#sweeping = undefined;
        return;
      }
      value.dropStaleRoute();
    }
  }

  #makeRoute(nodes: readonly PatternNode[], byName: Iterable<Subscription>): Route {
    const subscriptions = [...byName];
    for (const node of nodes) node.forEach((subscription) => subscriptions.push(subscription));
    return this.routes.make(subscriptions);
  }

  #nextNumber(): number {
    if (this.#lastNumber === MAX_NUMBER) {
      throw new ParleyError("internal", "all 2,147,483,647 channel numbers are used up; restart the server");
    }
    return ++this.#lastNumber;
  }
}
