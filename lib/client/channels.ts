/**
 * The channels and patterns that a session has open, and what receives a message.
 *
 * @module
 */

import type { Opened } from "../wire/client_control.ts";
import { covers, isPattern } from "../wire/names.ts";
import { MAX_NAMES } from "./limits.ts";
import type { MessageQueue } from "./queue.ts";
import type { Origin, SendReply } from "./message.ts";
import { type Place, Position } from "./position.ts";
import type { SessionChannel } from "./session_channel.ts";
import type { ClientSubscription } from "./subscription.ts";

/** Where the messages of one channel number go. */
export interface Route extends Origin {
  /** Subscribed by the channel's name, or by a pattern that covers it. */
  readonly subscribers: readonly ClientSubscription[];
  /** The queue of what responds by the channel's name, or else by a pattern that covers it. */
  readonly requests: MessageQueue | undefined;
  /** Where this session is in the channel; undefined unless it is stored. */
  readonly position: Position | undefined;
  /** Whether a jump of the sequence means that messages were missed. */
  readonly isGapless: boolean;
  /** Whether anything has come on the channel since the last search for one to forget. */
  isUsed: boolean;
}

/** The channels, patterns and channel numbers of one session. */
export class Channels {
  readonly #sendReply: SendReply;
  readonly #byName = new Map<string, SessionChannel>();
  /** Channels that are being left. They may still be sent requests. */
  readonly #leaving = new Set<SessionChannel>();
  /** The numbers that the server has announced and this session has not left since. */
  readonly #names = new Map<number, string>();
  /** Of the stored ones among them. */
  readonly #positions = new Map<number, Position>();
  /** Where the last search for a number to forget ended. */
  #searching = this.#names.entries();
  #hasForgotten = false;
  /** Filled on demand, and cleared at every change of what is open. */
  readonly #routes = new Map<number, Route>();

  /** `sendReply` answers the requests of this session. */
  constructor(sendReply: SendReply) {
    this.#sendReply = sendReply;
  }

  /** How many are open, or being opened. */
  get size(): number {
    return this.#byName.size;
  }

  /** All that are open, or being opened. */
  all(): Iterable<SessionChannel> {
    return this.#byName.values();
  }

  /** The channel or pattern that was opened by this name. */
  get(name: string): SessionChannel | undefined {
    return this.#byName.get(name);
  }

  /** Adds a channel that is being opened. */
  add(channel: SessionChannel): void {
    this.#byName.set(channel.name, channel);
  }

  /** LEAVE was sent for a channel. */
  leaving(channel: SessionChannel): void {
    if (this.#byName.get(channel.name) === channel) this.#byName.delete(channel.name);
    this.#leaving.add(channel);
    this.#routes.clear();
  }

  /**
   * Removes a channel that was left, or could not be opened, and forgets the numbers that nothing refers to any more:
   * the server announces them again if need be.
   */
  remove(channel: SessionChannel): void {
    this.#leaving.delete(channel);
    if (this.#byName.get(channel.name) === channel) this.#byName.delete(channel.name);
    this.#routes.clear();
    if (!isPattern(channel.name)) {
      if (!this.#byName.get(channel.name)?.isOpen && !this.#isCovered(channel.name)) {
        this.#forget(channel.channelId);
      }
      return;
    }
    for (const [id, name] of this.#names) {
      if (!covers(channel.name, name) || this.#byName.has(name)) continue;
      if (!this.#isCovered(name)) this.#forget(id);
    }
  }

  #forget(id: number): void {
    this.#names.delete(id);
    this.#positions.delete(id);
  }

  #isCovered(name: string): boolean {
    for (const other of this.#byName.keys()) if (isPattern(other) && covers(other, name)) return true;
    return false;
  }

  /** What receives messages has changed. */
  changed(): void {
    this.#routes.clear();
  }

  /** Call this at every OPENED. Its number is 0 for a pattern. Returns whether the epoch has changed. */
  opened({ channel: name, number: channelId, epoch }: Opened): boolean {
    if (channelId !== 0) this.#names.set(channelId, name);
    const position = this.#positions.get(channelId);
    if (epoch !== undefined && channelId !== 0 && position?.epoch !== epoch) {
      this.#positions.set(channelId, new Position(epoch));
    }
    // An announcement of one more channel changes no route but its own.
    if (this.#byName.has(name)) this.#routes.clear();
    else this.#routes.delete(channelId);
    if (this.#names.size > MAX_NAMES) this.#forgetOne();
    return position !== undefined && position.epoch !== epoch;
  }

  /** Where the next session goes on in the stored channels that are subscribed to by their names. */
  *places(): Iterable<[name: string, place: Place]> {
    for (const { name, channelId, subscriptions } of this.all()) {
      const position = this.#positions.get(channelId);
      const [first] = subscriptions;
      const isOwn = first !== undefined && first.group === undefined && first.consumption === undefined;
      if (!isOwn || position === undefined || position.next === 0 || isPattern(name)) continue;
      yield [name, { epoch: position.epoch, next: position.next }];
    }
  }

  /** Where the next session goes on in the stored channels that only `pattern` is subscribed to. */
  *coveredPlaces(pattern: string): Iterable<[name: string, place: Place]> {
    for (const [id, { epoch, next }] of this.#positions) {
      const name = this.#names.get(id);
      if (name === undefined || next === 0 || !covers(pattern, name)) continue;
      const channel = this.#byName.get(name);
      if (channel === undefined || channel.subscriptions.size === 0) yield [name, { epoch, next }];
    }
  }

  /** Where this session is in a stored channel. */
  positionOf(channelId: number): Position | undefined {
    return this.#positions.get(channelId);
  }

  /** How many channel numbers are known. */
  get known(): number {
    return this.#names.size;
  }

  /** Whether a number that the server uses may be unknown here, because there were too many. */
  get hasForgotten(): boolean {
    return this.#hasForgotten;
  }

  /**
   * Forgets a number that was not used since the last search came by it, except for channels that are open by their
   * names. A search goes on where the last one ended: one that began anew would walk over all that were deleted.
   */
  #forgetOne(): void {
    for (let left = 2 * this.#names.size; left > 0; left--) {
      const { value, done } = this.#searching.next();
      if (done) {
        this.#searching = this.#names.entries();
        continue;
      }
      const [id, name] = value;
      const route = this.#routes.get(id);
      if (!route?.isUsed && !this.#byName.has(name)) {
        this.#forget(id);
        this.#routes.delete(id);
        this.#hasForgotten = true;
        return;
      }
      if (route !== undefined) route.isUsed = false;
    }
  }

  /** The name of a channel number, if the server has announced it. */
  nameOf(channelId: number): string | undefined {
    return this.#names.get(channelId);
  }

  /** Where frames on `channelId` go; undefined if the server has not announced the number. */
  routeOf(channelId: number): Route | undefined {
    const route = this.#routes.get(channelId) ?? this.#findRoute(channelId);
    if (route !== undefined) route.isUsed = true;
    return route;
  }

  #findRoute(channelId: number): Route | undefined {
    const name = this.#names.get(channelId);
    if (name === undefined) return undefined;
    const matching = [...this.#byName.values(), ...this.#leaving].filter((channel) =>
      channel.name === name || isPattern(channel.name) && covers(channel.name, name)
    );
    const subscribers = matching.flatMap(({ subscriptions }) => [...subscriptions]);
    const responding = matching.filter(({ requests }) => requests !== undefined);
    const requests = (responding.find((channel) => channel.name === name) ?? responding[0])?.requests;
    const route = {
      name,
      channelId,
      subscribers,
      requests,
      sendReply: this.#sendReply,
      position: this.#positions.get(channelId),
      isGapless: subscribers.length > 0 && matching.every((channel) => channel.isGapless),
      isUsed: true,
    };
    this.#routes.set(channelId, route);
    return route;
  }
}
