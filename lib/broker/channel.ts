/**
 * One channel: its name and number, the sessions that have it open, and where its messages go.
 *
 * @module
 */

import { encodeControl } from "../wire/control.ts";
import { Type } from "../wire/header.ts";
import { ChannelCounts, type Traffic } from "./counters.ts";
import type { PatternNode, Patterns } from "./patterns.ts";
import type { Peer, Subscription } from "./peer.ts";
import type { Presence } from "./presence.ts";
import type { Wants } from "./rotation.ts";
import type { Announcement, Route, Routes } from "./route.ts";
import type { StoredChannel } from "./stored/stored_channel.ts";

/** What a channel needs of the channels of its server. */
export interface RouteSource {
  /** What was sent to sessions that have ended. */
  readonly ended: Pick<Traffic, "messagesOut">;
  readonly patterns: Patterns;
  readonly routes: Routes;
  /** The route of a channel that these patterns cover and these sessions are subscribed to by name. */
  makeRoute(nodes: readonly PatternNode[], subscribers: ReadonlyMap<Peer, Subscription> | undefined): Route;
}

const NONE: readonly Announcement[] = Object.freeze([]);

/** In place of a version of the patterns: there is no route. */
const NEVER = -1;

/** A channel that a session has open, or had open lately. */
export class Channel {
  readonly name: string;
  readonly number: number;
  /**
   * What the router has passed on to all receivers of the route since `settle`. So a run costs two additions, however many
   * receive it.
   */
  #newMessages = 0;
  #newBytes = 0;
  /** What was sent on it, but for that. */
  readonly settledCounts: ChannelCounts;
  /** How many sessions have it open. */
  opened = 0;
  /** How many sessions receive messages by subscribing to the name. */
  memberCount = 0;
  /** How many sessions respond by the name. */
  responderCount = 0;
  /** Tells watchers which sessions come and go; made when a session first watches. */
  presence: Presence | undefined;
  /** There if what is sent here is stored. */
  readonly stored: StoredChannel | undefined;
  /**
   * Sessions that a pattern subscribes here and that are yet to be told the number. Members of groups and responders
   * are told one by one, when they are first sent something.
   */
  announcements: readonly Announcement[] = NONE;

  readonly #source: RouteSource;
  readonly #patterns: Patterns;
  /** The subscriptions by this very name. */
  #subscribers: Map<Peer, Subscription> | undefined;
  /** Sessions that left the name since the route was made, but are still brought here by a pattern. */
  #left: Set<Peer> | undefined;
  /** The version of the patterns up to which sessions have been told the number. */
  #announcedAt: number;
  #route: Route | undefined;
  /** The latest version of the patterns for which the route is known to hold. */
  #checkedAt = NEVER;
  /** The version of the patterns when it was made, and the nodes of those that cover the name. */
  #madeAt = NEVER;
  #nodes: readonly PatternNode[] | undefined;

  /**
   * @param announcedAt what `rest` returned when the channel was last given up, or 0
   * @param counts those from before it was given up
   */
  constructor(
    name: string,
    number: number,
    source: RouteSource,
    announcedAt: number = 0,
    stored?: StoredChannel,
    counts?: ChannelCounts,
  ) {
    this.settledCounts = stored?.counts ?? counts ?? new ChannelCounts();
    this.#announcedAt = announcedAt;
    this.stored = stored;
    this.name = name;
    this.number = number;
    this.#source = source;
    this.#patterns = source.patterns;
  }

  /** What was sent on it. */
  get counts(): ChannelCounts {
    this.settle();
    return this.settledCounts;
  }

  /** The subscription by name of `peer`, if it has one. */
  subscription(peer: Peer): Subscription | undefined {
    return this.#subscribers?.get(peer);
  }

  /** The subscriptions by this name. */
  *subscriptions(): Iterable<Subscription> {
    yield* this.#subscribers?.values() ?? [];
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

  /** The sessions that are subscribed by name. */
  *subscribers(): Iterable<Peer> {
    for (const [peer, { subscribe }] of this.#subscribers ?? []) if (subscribe) yield peer;
  }

  /** Adds a subscription by name, in place of an earlier one of the same session. */
  subscribe(subscription: Subscription): void {
    this.#source.routes.add(subscription); // before the other is removed: a member of a group keeps its turn
    this.unsubscribe(subscription.peer);
    this.#subscribers ??= new Map();
    this.#subscribers.set(subscription.peer, subscription);
    if (subscription.subscribe) this.memberCount++;
    if (subscription.respond) this.responderCount++;
    this.#dropRoute();
  }

  /** Ends the subscription by name of `peer`, if it has one. */
  unsubscribe(peer: Peer): void {
    const subscription = this.#subscribers?.get(peer);
    if (subscription === undefined) return;
    this.#subscribers!.delete(peer);
    if (subscription.subscribe) this.memberCount--;
    if (subscription.respond) this.responderCount--;
    this.#source.routes.remove(subscription);
    this.#dropRoute();
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
    this.#dropRoute();
  }

  /**
   * The last session has left. Returns up to which version of the patterns sessions have been told the number: 0 if some
   * are yet to be told, so that all of them are if the channel is opened again.
   */
  rest(): number {
    const announcedAt = this.#left === undefined && this.announcements.length === 0 ? this.#announcedAt : 0;
    this.#left = this.#subscribers = this.presence = undefined;
    this.announcements = NONE;
    this.#dropRoute();
    return announcedAt;
  }

  /**
   * Where what is sent here goes now.
   *
   * Costs a comparison while nothing changes. After a change of any pattern it costs finding those that cover the name;
   * after a change that concerns this channel, also a look at every subscription.
   */
  get route(): Route {
    if (this.#checkedAt !== this.#patterns.version) this.#refresh(this.#patterns);
    return this.#route!;
  }

  /** All of `announcements` have been sent. */
  announced(): void {
    this.announcements = NONE;
  }

  /** Tells `peer`, which is about to be sent something, the number of the channel if it does not know it. */
  introduce(peer: Peer, wants: Wants | undefined): void {
    const pending = this.announcements.find((announcement) => announcement.peer === peer);
    if (pending !== undefined) {
      this.announcements = this.announcements.filter((announcement) => announcement !== pending);
      peer.outbox.send(pending.frame, 0, pending.frame.length);
    } else if (wants !== undefined && !peer.knows(this.number)) {
      const frame = this.#encodeAnnouncement(wants);
      peer.outbox.send(frame, 0, frame.length);
      peer.told(this.number);
    }
  }

  /** Forgets a route that no longer holds, and with it the sessions that have left it. */
  dropStaleRoute(): void {
    if (this.#checkedAt !== this.#patterns.version) this.#dropRoute();
  }

  /** `count` messages were passed on to all receivers of the route. Returns whether they are the first since `settle`. */
  passedOn(count: number, bytes: number): boolean {
    const isFirst = this.#newMessages === 0;
    this.#newMessages += count;
    this.#newBytes += bytes;
    return isFirst;
  }

  /** Counts what was passed on by the route, for the channel and for its receivers. To be called before it changes. */
  settle(): void {
    const count = this.#newMessages;
    if (count === 0) return;
    const { all } = this.#route!;
    this.settledCounts.add(count, this.#newBytes, all.length);
    this.#newMessages = this.#newBytes = 0;
    const { ended } = this.#source;
    for (const { peer } of all) (peer.isEnded ? ended : peer).messagesOut += count;
  }

  #dropRoute(): void {
    this.settle();
    this.#route = this.#nodes = undefined;
    this.#checkedAt = NEVER;
  }

  #refresh(patterns: Patterns): void {
    const nodes = patterns.covering(this.name);
    const before = this.#nodes;
    const holds = before?.length === nodes.length &&
      nodes.every((node, i) => node === before[i] && node.changedAt <= this.#madeAt);
    this.#checkedAt = patterns.version;
    if (holds) return;
    this.#announce(nodes);
    this.settle();
    this.#route = this.#source.makeRoute(nodes, this.#subscribers);
    this.#nodes = nodes;
    this.#madeAt = this.#announcedAt = patterns.version;
    this.#left = undefined;
  }

  /** Notes which sessions must be told the number: those that patterns brought here since the last time. */
  #announce(nodes: readonly PatternNode[]): void {
    const added = new Map<Peer, Wants>();
    // Those that wait are looked at again: they may have left the pattern, or opened the name, or want something else.
    const waiting = new Set(this.announcements.map(({ peer }) => peer));
    this.announcements = NONE;
    for (const node of nodes) {
      if (node.changedAt <= this.#announcedAt && this.#left === undefined && waiting.size === 0) continue;
      node.forEach((subscription) => {
        const { peer, subscribe, respond, group } = subscription;
        if (group !== undefined) return;
        const isNew = subscription.since > this.#announcedAt || this.#left?.has(peer) || waiting.has(peer);
        if (!isNew || peer.knows(this.number)) return;
        const known = added.get(peer);
        added.set(peer, {
          subscribe: subscribe || known?.subscribe === true,
          respond: respond || known?.respond === true,
        });
      });
    }
    for (const [peer, { subscribe }] of added) if (!subscribe) added.delete(peer);
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

  #encodeAnnouncement(wants: Wants): Uint8Array {
    const { name, number } = this;
    const payload = { channel: name, number, publish: false, ...wants, ...this.stored?.description };
    return encodeControl({ type: Type.OPENED, channel: number }, payload);
  }
}
