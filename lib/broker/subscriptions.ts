/**
 * The channels and patterns that one session has open.
 *
 * @module
 */

import { MAX_LISTED_MEMBERS, MAX_TOLD_NUMBERS } from "../limits.ts";
import { combinationProblem, encodeControl, type Open } from "../wire/control.ts";
import { Type } from "../wire/header.ts";
import { channelProblem, ECHO, isPattern, isServerOwn, overlaps } from "../wire/names.ts";
import type { Permissions } from "./authenticator.ts";
import type { Channel } from "./channel.ts";
import type { Channels } from "./channels.ts";
import type { Peer, Subscription } from "./peer.ts";
import { Work, type WorkBudget } from "./work_budget.ts";

/** A session finds the last 64 channels that it used without a map: this masks their numbers. */
const RECENT_MASK = 63;

/** A channel that the session has open by name. */
export interface OpenChannel {
  /** That of the channel, kept here too: reading it there makes a run on one of many channels 5% slower. */
  readonly number: number;
  readonly channel: Channel;
  /** Whether it is `$echo`, which the server answers itself. */
  readonly isEcho: boolean;
  readonly mayPublish: boolean;
}

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
  /** How many subscriptions are members of a group; overlaps need to be looked for only if there are any. */
  #grouped = 0;

  /** @param limit how many channels and patterns together may be open */
  constructor(peer: Peer, channels: Channels, limit: number, permissions: Permissions, budget: WorkBudget) {
    this.#peer = peer;
    this.#channels = channels;
    this.#limit = limit;
    this.#permissions = permissions;
    this.#budget = budget;
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

  /** Handles an OPEN. */
  open(open: Open, id: number): void {
    const problem = channelProblem(open.channel);
    if (problem !== undefined) return this.#peer.refuse("bad_channel", problem, id, 0);
    if (isServerOwn(open.channel) && open.channel !== ECHO) {
      const message = `${open.channel} is the server's own; sessions may open ${ECHO} only`;
      return this.#peer.refuse("forbidden", message, id, 0);
    }
    const combination = combinationProblem(open) ??
      (open.from && `OPEN "from" needs a stored channel, which ${open.channel} is not`);
    if (combination !== undefined) return this.#peer.refuse("bad_payload", combination, id, 0);
    if (open.producer !== undefined || open.consumer !== undefined) {
      const what = open.producer === undefined ? "a consumer" : "a producer";
      return this.#peer.refuse(
        "not_durable",
        `${open.channel} is not durable, so it has no place for ${what}`,
        id,
        0,
      );
    }
    if (isPattern(open.channel)) this.#openPattern(open, id);
    else this.#openName(open, id);
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

  #openPattern(open: Open, id: number): void {
    if (open.presence || !(open.subscribe || open.respond)) {
      const message =
        `${open.channel} is a pattern, which is only for subscribing and responding; name one channel`;
      return this.#peer.refuse("bad_channel", message, id, 0);
    }
    if (!this.#isPermitted(open, id)) return;
    const before = this.#patterns.get(open.channel);
    if (before === undefined && !this.#mayOpenMore(id)) return;
    const subscription = this.#subscription(open);
    if (!this.#isApart(subscription, before, id)) return;
    this.#count(before, subscription);
    this.#patterns.set(open.channel, subscription);
    this.#channels.addPattern(subscription); // before the other is removed: a member of a group keeps its turn
    if (before !== undefined) this.#channels.removePattern(before);
    const { channel, subscribe, respond } = open;
    this.#send(
      encodeControl({ type: Type.OPENED, id }, { channel, number: 0, publish: false, subscribe, respond }),
    );
  }

  #openName(open: Open, id: number): void {
    const isEcho = open.channel === ECHO;
    const mayPublish = isEcho || this.#permissions.mayPublish(open.channel);
    if (isEcho && open.respond) {
      return this.#peer.refuse("forbidden", `only the server responds on ${ECHO}`, id, 0);
    }
    if (!isEcho && !this.#isPermitted(open, id)) return;
    if (!open.subscribe && !open.respond && !mayPublish) return this.#forbid("publish on", open.channel, id);
    const known = this.#channels.find(open.channel);
    const opened = known === undefined ? undefined : this.#opened.get(known.number);
    if (opened === undefined && !this.#mayOpenMore(id)) return;
    const before = known?.subscription(this.#peer);
    const subscription = this.#subscription(open);
    if (!isEcho && !this.#isApart(subscription, before, id)) return;
    const channel = opened?.channel ?? this.#channels.open(open.channel);
    if (opened === undefined) {
      this.#opened.set(channel.number, { number: channel.number, channel, isEcho, mayPublish });
    }
    // On $echo each session is alone: there is no other to receive from, nor to see.
    if (!isEcho) this.#subscribe(channel, open, before, subscription);
    this.#answer(channel, open, id, mayPublish);
  }

  #answer(channel: Channel, { subscribe, respond, presence }: Open, id: number, publish: boolean): void {
    const { name, number } = channel;
    const opened = { channel: name, number, publish, subscribe, respond };
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
   * Whether `subscription` overlaps no other of the session, if one of the two is in a group: the session could not tell
   * which of the two a message is for. Otherwise answers `overlap`.
   */
  #isApart(subscription: Subscription, before: Subscription | undefined, id: number): boolean {
    if (!subscription.subscribe) return true;
    if (subscription.group === undefined && this.#grouped === 0) return true;
    this.#budget.spend(this.#opened.size + this.#patterns.size);
    for (const other of this.#subscriptions()) {
      if (other === before || !other.subscribe) continue;
      if (subscription.group === undefined && other.group === undefined) continue;
      if (!overlaps(other.segments, subscription.segments)) continue;
      const [one, two] = [subscription, other].map(({ segments, group }) =>
        segments.join(".") + (group === undefined ? "" : ` in group ${group}`)
      );
      this.#peer.refuse(
        "overlap",
        `${one} overlaps ${two}, which this session has open; leave that first`,
        id,
        0,
      );
      return false;
    }
    return true;
  }

  *#subscriptions(): Iterable<Subscription> {
    yield* this.#patterns.values();
    for (const { channel } of this.#opened.values()) {
      const subscription = channel.subscription(this.#peer);
      if (subscription !== undefined) yield subscription;
    }
  }

  #subscription({ channel, subscribe, respond, group, echo }: Open): Subscription {
    const segments = channel.split(".");
    const peer = this.#peer;
    return { peer, segments, isPattern: isPattern(channel), subscribe, respond, group, echo, since: 0 };
  }

  #count(before: Subscription | undefined, after: Subscription | undefined): void {
    if (before?.subscribe && before.group !== undefined) this.#grouped--;
    if (after?.subscribe && after.group !== undefined) this.#grouped++;
  }

  /** Whether all that `open` asks for is permitted. What is not is refused as a whole: half of it looks like success. */
  #isPermitted({ channel, subscribe, respond }: Open, id: number): boolean {
    const what = isPattern(channel) ? "all of " : "";
    if (subscribe && !this.#permissions.maySubscribe(channel)) {
      this.#forbid(`subscribe to ${what}`, channel, id);
    } else if (respond && !this.#permissions.mayRespond(channel)) {
      this.#forbid(`respond on ${what}`, channel, id);
    } else return true;
    return false;
  }

  #forbid(what: string, channel: string, id: number): void {
    const message = `this session's token does not allow to ${what.trim()} ${channel}`;
    this.#peer.refuse("forbidden", message, id, 0);
  }

  #mayOpenMore(id: number): boolean {
    if (this.#opened.size + this.#patterns.size < this.#limit) return true;
    this.#peer.refuse("limit", `${this.#limit} channels are open, the limit; LEAVE one first`, id, 0);
    return false;
  }

  #send(frame: Uint8Array): void {
    this.#peer.outbox.send(frame, 0, frame.length);
  }
}
