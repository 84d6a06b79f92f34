/**
 * The channels and patterns that one session has open.
 *
 * @module
 */

import { MAX_LISTED_MEMBERS, MAX_TOLD_NUMBERS } from "../limits.ts";
import { encodeControl, type Open } from "../wire/control.ts";
import { Type } from "../wire/header.ts";
import { channelProblem, ECHO, isPattern, overlaps } from "../wire/names.ts";
import { STATS } from "../wire/stats.ts";
import type { Permissions } from "./authenticator.ts";
import type { Channel } from "./channel.ts";
import type { Channels } from "./channels.ts";
import type { OpenChannel } from "./open_channel.ts";
import type { Peer, Subscription } from "./peer.ts";
import {
  isShared,
  LATER,
  notStoredProblem,
  openProblem,
  overlapProblem,
  permissionProblem,
  type Refusal,
} from "./open_rules.ts";
import { grantFor } from "./server_channels.ts";
import type { StoredSession } from "./stored/stored_session.ts";
import { Work, type WorkBudget } from "./work_budget.ts";

/** A session finds the last 64 channels that it used without a map: this masks their numbers. */
const RECENT_MASK = 63;

/** Handles the OPEN and LEAVE frames of one session, and answers them. */
export class Subscriptions {
  readonly #peer: Peer;
  readonly #channels: Channels;
  readonly #limit: number;
  readonly #permissions: Permissions;
  readonly #budget: WorkBudget;
  readonly #opened = new Map<number, OpenChannel>();
  /**
   * Those used last, by the last bits of their number: looking into a map for each run takes as long as all else that
   * is done for it. Made when first needed, because most sessions publish nothing.
   */
  #recent: (OpenChannel | undefined)[] = [];
  readonly #patterns = new Map<string, Subscription>();
  /** Numbers of channels that it has been told without having them open by name. */
  readonly #told = new Set<number>();
  /** How many subscriptions share messages with others; overlaps need to be looked for only if there are any. */
  #shared = 0;
  /** What the session does on stored channels; there if the server has any. */
  readonly #stored: StoredSession | undefined;

  /** @param limit how many channels and patterns together may be open */
  constructor(
    peer: Peer,
    channels: Channels,
    limit: number,
    permissions: Permissions,
    budget: WorkBudget,
    stored?: StoredSession,
  ) {
    this.#stored = stored;
    this.#peer = peer;
    this.#channels = channels;
    this.#limit = limit;
    this.#permissions = permissions;
    this.#budget = budget;
  }

  /** How many names and patterns are open. */
  get count(): number {
    return this.#opened.size + this.#patterns.size;
  }

  /** The names and patterns that are open. */
  *names(): Iterable<string> {
    for (const { channel } of this.#opened.values()) yield channel.name;
    yield* this.#patterns.keys();
  }

  /** The channel that the session has open under `number`. */
  get(number: number): OpenChannel | undefined {
    const recent = this.#recent[number & RECENT_MASK];
    return recent !== undefined && recent.number === number ? recent : this.#find(number);
  }

  #find(number: number): OpenChannel | undefined {
    const open = this.#opened.get(number);
    if (open === undefined) return undefined;
    if (this.#recent.length === 0) this.#recent = new Array(RECENT_MASK + 1).fill(undefined);
    this.#recent[number & RECENT_MASK] = open;
    return open;
  }

  /** Whether the session knows the number of a channel. */
  knows(number: number): boolean {
    return this.#opened.has(number) || this.#told.has(number);
  }

  /** The session has been told the number of a channel. If it has been told many, it will be told them again. */
  told(number: number): void {
    if (this.#told.size === MAX_TOLD_NUMBERS) this.#told.clear();
    this.#told.add(number);
  }

  /** Handles an OPEN. Returns false if the same frame must be offered again, once the session is resumed. */
  open(open: Open, id: number): boolean {
    const problem = openProblem(open);
    if (problem !== undefined) return this.#refuse(problem, id);
    return isPattern(open.channel) ? this.#openPattern(open, id) : this.#openName(open, id);
  }

  /** Handles a LEAVE. */
  leave(name: string, id: number): void {
    const problem = channelProblem(name);
    if (problem !== undefined) return this.#peer.refuse("bad_channel", problem, id, 0);
    const pattern = this.#patterns.get(name);
    const number = this.#channels.find(name)?.number ?? 0;
    const open = this.#opened.get(number);
    if (pattern !== undefined) this.#leavePattern(name, pattern);
    else if (open !== undefined) this.#leaveName(open.channel, this.#isCovered(open.channel));
    else return this.#peer.refuse("not_open", `${name} is not open; there is nothing to leave`, id, 0);
    this.#send(encodeControl({ type: Type.LEFT, id, channel: number }, { channel: name }));
  }

  /** The session has ended: leaves everything, as much as the work budget allows, the rest in later turns. */
  readonly leaveAll = () => {
    for (const { channel } of this.#opened.values()) {
      if (this.#budget.isSpent) return this.#budget.later(this.leaveAll);
      this.#budget.spend(Work.FRAME);
      this.#leaveName(channel, false);
    }
    for (const [pattern, subscription] of this.#patterns) {
      if (this.#budget.isSpent) return this.#budget.later(this.leaveAll);
      this.#budget.spend(subscription.segments.length);
      this.#patterns.delete(pattern);
      this.#channels.removePattern(subscription);
    }
  };

  #openPattern(open: Open, id: number): true {
    const problem = permissionProblem(open, this.#permissions);
    if (problem !== undefined) return this.#refuse(problem, id);
    const before = this.#patterns.get(open.channel);
    if (before === undefined && !this.#mayOpenMore(id)) return true;
    const subscription = this.#subscription(open);
    if (!this.#isApart(subscription, before, id)) return true;
    this.#count(before, subscription);
    this.#patterns.set(open.channel, subscription);
    this.#channels.addPattern(subscription); // before the other is removed: a member of a group keeps its turn
    if (before !== undefined) this.#channels.removePattern(before);
    const { channel, subscribe, respond } = open;
    const count = open.from?.kind === "last"
      ? this.#stored?.readLast(subscription.segments, ({ number }) => this.#isSubscribed(number)) ?? 0
      : undefined;
    const opened = { channel, number: 0, publish: false, subscribe, respond, count };
    this.#send(encodeControl({ type: Type.OPENED, id }, opened));
    return true;
  }

  #openName(open: Open, id: number): boolean {
    const isEcho = open.channel === ECHO;
    const isServerOwn = grantFor(open.channel) !== undefined;
    const mayPublish = isEcho ||
      (isServerOwn ? open.channel !== STATS : this.#permissions.mayPublish(open.channel));
    const problem = permissionProblem(open, this.#permissions);
    if (problem !== undefined) return this.#refuse(problem, id);
    const known = this.#channels.find(open.channel);
    const opened = known === undefined ? undefined : this.#opened.get(known.number);
    if (opened === undefined && !this.#mayOpenMore(id)) return true;
    const before = known?.subscription(this.#peer);
    const subscription = this.#subscription(open, before);
    if (!isEcho && !this.#isApart(subscription, before, id)) return true;
    const channel = opened?.channel ?? this.#channels.open(open.channel);
    const stored = channel.stored;
    const prepared = stored === undefined
      ? notStoredProblem(open) ?? {}
      : this.#stored!.prepare(stored, open, mayPublish);
    if (prepared === LATER || "code" in prepared) {
      if (opened === undefined) this.#channels.release(channel);
      return prepared === LATER ? false : this.#refuse(prepared, id);
    }
    if (opened === undefined) {
      const publisher = stored && mayPublish ? this.#stored!.publisher(stored) : undefined;
      const isRouted = mayPublish && !isEcho && !isServerOwn && stored === undefined;
      const { number } = channel;
      this.#opened.set(number, { number, channel, isEcho, isServerOwn, mayPublish, isRouted, publisher });
    }
    // On $echo each session is alone: there is no other to receive from, nor to see.
    if (!isEcho) this.#subscribe(channel, open, before, subscription);
    this.#answer(channel, open, id, mayPublish);
    if (stored !== undefined) this.#stored!.begin(stored, open, prepared);
    return true;
  }

  #answer(channel: Channel, { subscribe, respond, presence }: Open, id: number, publish: boolean): void {
    const { name, number, stored } = channel;
    const description = stored && this.#stored!.describe(stored);
    const opened = { channel: name, number, publish, subscribe, respond, ...description };
    if (!presence) return this.#send(encodeControl({ type: Type.OPENED, id, channel: number }, opened));
    const members = channel.members(MAX_LISTED_MEMBERS);
    this.#budget.spend(members.length * Work.MEMBER);
    const payload = { ...opened, members, count: channel.memberCount };
    this.#send(encodeControl({ type: Type.OPENED, id, channel: number }, payload));
  }

  /** Makes the subscription by name what `open` asks for, and tells the watchers if that is news. */
  #subscribe(
    channel: Channel,
    open: Open,
    before: Subscription | undefined,
    subscription: Subscription,
  ): void {
    this.#count(before, subscription);
    if (open.subscribe || open.respond) channel.subscribe(subscription);
    else channel.unsubscribe(this.#peer);
    if (open.presence) this.#channels.presenceOf(channel).add(this.#peer);
    else channel.presence?.delete(this.#peer);
    if (open.subscribe === (before?.subscribe ?? false)) return;
    channel.presence?.tell(open.subscribe ? Type.JOINED : Type.PARTED, this.#peer);
  }

  #leaveName(channel: Channel, isCovered: boolean): void {
    const before = channel.subscription(this.#peer);
    this.#count(before, undefined);
    this.#opened.delete(channel.number);
    if (this.#recent.length > 0) this.#recent[channel.number & RECENT_MASK] = undefined;
    this.#told.delete(channel.number); // a client may forget the number now
    channel.leave(this.#peer, isCovered);
    if (channel.stored !== undefined) this.#stored!.leave(channel.stored);
    if (before?.subscribe) channel.presence?.tell(Type.PARTED, this.#peer);
    this.#channels.release(channel);
  }

  #leavePattern(name: string, subscription: Subscription): void {
    this.#count(subscription, undefined);
    this.#patterns.delete(name);
    this.#channels.removePattern(subscription);
    // A client may forget the numbers of what the pattern covered, so it is told again what other patterns cover.
    this.#told.clear();
    for (const other of this.#patterns.values()) {
      if (overlaps(other.segments, subscription.segments)) this.#channels.patterns.announceAgain(other);
    }
  }

  /** Whether a pattern of this session covers `channel`. */
  #isCovered(channel: Channel): boolean {
    if (this.#patterns.size === 0) return false;
    const segments = channel.name.split(".");
    this.#budget.spend(this.#patterns.size);
    for (const pattern of this.#patterns.values()) if (overlaps(pattern.segments, segments)) return true;
    return false;
  }

  /**
   * Whether `subscription` overlaps no other of the session, if one of the two is in a group or a consumer: the session
   * could not tell which of the two a message is for. Otherwise answers `overlap`.
   */
  #isApart(subscription: Subscription, before: Subscription | undefined, id: number): boolean {
    if (!subscription.subscribe) return true;
    if (!isShared(subscription) && this.#shared === 0) return true;
    this.#budget.spend(this.#opened.size + this.#patterns.size);
    const problem = overlapProblem(subscription, before, this.#subscriptions());
    return problem === undefined || !this.#refuse(problem, id);
  }

  *#subscriptions(): Iterable<Subscription> {
    yield* this.#patterns.values();
    for (const { channel } of this.#opened.values()) {
      const subscription = channel.subscription(this.#peer);
      if (subscription !== undefined) yield subscription;
    }
  }

  /** Whether the session is subscribed by name to the channel of that number. */
  #isSubscribed(number: number): boolean {
    return this.#opened.get(number)?.channel.subscription(this.#peer)?.subscribe === true;
  }

  /** What `open` asks for. A consumer stays one if the session opens the channel again and does not say. */
  #subscription(open: Open, before?: Subscription): Subscription {
    const { channel, subscribe, respond, group, echo } = open;
    const consumer = subscribe && group === undefined ? open.consumer ?? before?.consumer : undefined;
    const segments = channel.split(".");
    const peer = this.#peer;
    return {
      peer,
      segments,
      isPattern: isPattern(channel),
      subscribe,
      respond,
      group,
      consumer,
      echo,
      since: 0,
    };
  }

  #count(before: Subscription | undefined, after: Subscription | undefined): void {
    if (isShared(before)) this.#shared--;
    if (isShared(after)) this.#shared++;
  }

  #refuse({ code, message }: Refusal, id: number): true {
    this.#peer.refuse(code, message, id, 0);
    return true;
  }

  #mayOpenMore(id: number): boolean {
    if (this.count < this.#limit) return true;
    this.#peer.refuse("limit", `${this.#limit} channels are open, the limit; LEAVE one first`, id, 0);
    return false;
  }

  #send(frame: Uint8Array): void {
    this.#peer.outbox.send(frame, 0, frame.length);
  }
}
