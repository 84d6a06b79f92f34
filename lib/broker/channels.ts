/**
 * The channels of one server: the number of each name, the sessions that have it open, and where its messages go.
 *
 * @module
 */

import { ParleyError } from "../errors.ts";
import { CHANNELS_PER_SWEEP, MAX_IDLE_CHANNELS, MAX_NUMBER, MAX_SHARED_ROUTES } from "../limits.ts";
import { encodeControl } from "../wire/control.ts";
import { Type } from "../wire/header.ts";
import { type PatternNode, Patterns } from "./patterns.ts";
import type { Peer, Subscription } from "./peer.ts";
import { Presence } from "./presence.ts";
import { type Route, Routes } from "./route.ts";
import type { WorkBudget } from "./work_budget.ts";

/** A session that must be told the number of a channel before it is sent anything of it, and the frame that does. */
export interface Announcement {
  readonly peer: Peer;
  readonly frame: Uint8Array;
}

const NONE: readonly Announcement[] = [];

/** A route, and what it was made from. */
interface Current {
  readonly route: Route;
  /** The nodes of the patterns that cover the name. */
  readonly nodes: readonly PatternNode[];
  /** The version of the patterns when it was made. */
  readonly madeAt: number;
  /** The latest version of the patterns for which it is known to hold. */
  checkedAt: number;
}

/** A channel that a session has open, or had open lately. */
export class Channel {
  readonly name: string;
  readonly number: number;
  /** How many sessions have it open. */
  opened = 0;
  /** Tells watchers who comes and goes; made when a session first watches. */
  presence: Presence | undefined;
  /** Sessions that patterns brought here and that are yet to be told the number; see `Router`. */
  announcements: readonly Announcement[] = NONE;

  readonly #channels: Channels;
  /** The subscriptions by this very name. */
  #subscribers: Map<Peer, Subscription> | undefined;
  /** Sessions that left the name since the route was made, but are still brought here by a pattern. */
  #left: Set<Peer> | undefined;
  /** The version of the patterns up to which sessions have been told the number. */
  #announcedAt = 0;
  #current: Current | undefined;

  constructor(name: string, number: number, channels: Channels) {
    this.name = name;
    this.number = number;
    this.#channels = channels;
  }

  /** How many sessions receive messages by subscribing to the name. */
  memberCount = 0;

  /** The subscription by name of `peer`, if it has one. */
  subscription(peer: Peer): Subscription | undefined {
    return this.#subscribers?.get(peer);
  }

  /** The first `most` sessions that are subscribed by name. */
  members(most: number): { number: number; name: string }[] {
    const members: { number: number; name: string }[] = [];
    for (const [{ number, name }, { subscribe }] of this.#subscribers ?? []) {
      if (members.length === most) break;
      if (subscribe) members.push({ number, name });
    }
    return members;
  }

  /** Adds a subscription by name, in place of an earlier one of the same session. */
  subscribe(subscription: Subscription): void {
    this.unsubscribe(subscription.peer);
    this.#subscribers ??= new Map();
    this.#subscribers.set(subscription.peer, subscription);
    if (subscription.subscribe) this.memberCount++;
    this.#channels.routes.add(subscription);
    this.#current = undefined;
  }

  /** Ends the subscription by name of `peer`, if it has one. */
  unsubscribe(peer: Peer): void {
    const subscription = this.#subscribers?.get(peer);
    if (subscription === undefined) return;
    this.#subscribers!.delete(peer);
    if (subscription.subscribe) this.memberCount--;
    this.#channels.routes.remove(subscription);
    this.#current = undefined;
  }

  /**
   * `peer` has the channel open no longer.
   *
   * @param isCovered whether a pattern of the session covers the name: then it is announced to the session again
   */
  leave(peer: Peer, isCovered: boolean): void {
    this.unsubscribe(peer);
    this.presence?.delete(peer);
    if (!isCovered) return;
    this.#left ??= new Set();
    this.#left.add(peer);
    this.#current = undefined;
  }

  /** The last session has left: only name and number are kept. */
  rest(): void {
    // Some sessions are yet to be told: all of them are, if the channel is opened again.
    if (this.#left !== undefined || this.announcements.length > 0) this.#announcedAt = 0;
    this.#left =
      this.#subscribers =
      this.presence =
      this.#current =
        undefined;
    this.announcements = NONE;
  }

  /**
   * Where what is sent here goes now.
   *
   * Costs a comparison while nothing changes. After a change of any pattern it costs finding those that cover the name;
   * after a change that concerns this channel, also a look at every subscription.
   */
  get route(): Route {
    const { patterns } = this.#channels;
    if (this.#current?.checkedAt !== patterns.version) this.#refresh(patterns);
    return this.#current!.route;
  }

  /** All of `announcements` have been sent. */
  announced(): void {
    this.announcements = NONE;
  }

  /** Forgets a route that no longer holds, and with it the sessions that have left it. */
  dropStaleRoute(): void {
    if (this.#current?.checkedAt !== this.#channels.patterns.version) this.#current = undefined;
  }

  #refresh(patterns: Patterns): void {
    const nodes = patterns.covering(this.name);
    const current = this.#current;
    if (
      current !== undefined && current.nodes.length === nodes.length &&
      nodes.every((node, i) => node === current.nodes[i] && node.changedAt <= current.madeAt)
    ) {
      current.checkedAt = patterns.version;
      return;
    }
    this.#announce(nodes);
    const { version } = patterns;
    const route = this.#channels.makeRoute(nodes, this.#subscribers);
    this.#current = { route, nodes, madeAt: version, checkedAt: version };
    this.#announcedAt = version;
    this.#left = undefined;
  }

  /** Notes which sessions must be told the number: those that patterns brought here since the last time. */
  #announce(nodes: readonly PatternNode[]): void {
    const added = new Map<Peer, { subscribe: boolean; respond: boolean }>();
    // Those that wait are looked at again: they may have left the pattern, or opened the name, or want something else.
    const waiting = new Set(this.announcements.map(({ peer }) => peer));
    this.announcements = NONE;
    for (const node of nodes) {
      if (node.changedAt <= this.#announcedAt && this.#left === undefined && waiting.size === 0) continue;
      node.forEach((subscription) => {
        const { peer, subscribe, respond } = subscription;
        const isNew = subscription.since > this.#announcedAt || this.#left?.has(peer) || waiting.has(peer);
        if (!isNew || peer.hasOpen(this.number)) return;
        const known = added.get(peer);
        added.set(peer, {
          subscribe: subscribe || known?.subscribe === true,
          respond: respond || known?.respond === true,
        });
      });
    }
    if (added.size === 0) return;
    const frames = new Map<string, Uint8Array>(); // one for all sessions that are told the same
    const announcements: Announcement[] = [];
    for (const [peer, wants] of added) {
      const key = `${wants.subscribe} ${wants.respond}`;
      let frame = frames.get(key);
      if (frame === undefined) frames.set(key, frame = this.#encodeAnnouncement(wants));
      announcements.push({ peer, frame });
    }
    this.announcements = announcements;
  }

  #encodeAnnouncement(wants: { subscribe: boolean; respond: boolean }): Uint8Array {
    const { name, number } = this;
    const payload = { channel: name, number, publish: false, ...wants };
    return encodeControl({ type: Type.OPENED, channel: number }, payload);
  }
}

/** All channels and pattern subscriptions of one server. */
export class Channels {
  readonly patterns: Patterns;
  readonly routes: Routes;
  readonly #budget: WorkBudget;
  readonly #byName = new Map<string, Channel>();
  /** Channels that no session has open, longest first: they keep their numbers for as long as possible. */
  readonly #idle = new Map<string, Channel>();
  /** Routes of channels that no session is subscribed to by name, by the patterns that cover them. */
  readonly #shared = new Map<string, { route: Route; madeAt: number }>();
  #sweeping: Iterator<Channel> | undefined;
  #sweptAt = 0;
  #lastNumber = 0;

  constructor(budget: WorkBudget) {
    this.#budget = budget;
    this.patterns = new Patterns(budget);
    this.routes = new Routes(budget);
  }

  /** Opens `name` for one more session. */
  open(name: string): Channel {
    let channel = this.#byName.get(name);
    if (channel === undefined) {
      channel = this.#idle.get(name) ?? new Channel(name, this.#nextNumber(), this);
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

  /** Undoes one `open`. */
  release(channel: Channel): void {
    if (--channel.opened > 0) return;
    channel.rest();
    this.#byName.delete(channel.name);
    this.#idle.set(channel.name, channel);
    if (this.#idle.size <= MAX_IDLE_CHANNELS) return;
    // Forgotten for good: if the name comes again, it gets a new number. The old one is never given to another name.
    const [oldest] = this.#idle.keys();
    this.#idle.delete(oldest);
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
