/**
 * The channels and patterns one session has open, and the numbers it knows.
 *
 * @module
 */

import { MAX_LISTED_MEMBERS } from "../limits.ts";
import { encodeControl, type Open } from "../wire/control.ts";
import { Type } from "../wire/header.ts";
import { channelProblem, ECHO, isPattern, isServerOwn } from "../wire/names.ts";
import type { Channel, Channels } from "./channels.ts";
import type { Permissions } from "./authenticator.ts";
import type { Peer, Subscription } from "./peer.ts";

/** A channel the session has open by name. */
export interface OpenChannel {
  readonly channel: Channel;
  /** Whether it is `$echo`, which the server answers itself. */
  readonly isEcho: boolean;
  readonly mayPublish: boolean;
}

/** Opens and leaves channels for one session, and answers it. */
export class Subscriptions {
  readonly #peer: Peer;
  readonly #channels: Channels;
  readonly #limit: number;
  readonly #permissions: Permissions;
  readonly #opened = new Map<number, OpenChannel>();
  readonly #patterns = new Map<string, Subscription>();
  /** Numbers the session was told of without asking, because a pattern of its covers them. */
  readonly #announced = new Set<number>();

  /** @param limit how many channels and patterns together may be open */
  constructor(peer: Peer, channels: Channels, limit: number, permissions: Permissions) {
    this.#peer = peer;
    this.#channels = channels;
    this.#limit = limit;
    this.#permissions = permissions;
  }

  /** The channel the session has open under `number`. */
  get(number: number): OpenChannel | undefined {
    return this.#opened.get(number);
  }

  /** Deals with an OPEN. */
  open(open: Open, id: number): void {
    if (!this.#isName(open.channel, id)) return;
    if (isServerOwn(open.channel) && open.channel !== ECHO) {
      const message = `${open.channel} is the server's own; only ${ECHO} is open to sessions`;
      this.#peer.refuse("forbidden", message, id, 0);
    } else if (open.presence && !open.subscribe) {
      this.#peer.refuse("bad_payload", 'OPEN "presence" goes together with "subscribe"', id, 0);
    } else if (isPattern(open.channel)) {
      this.#openPattern(open, id);
    } else {
      this.#openName(open, id);
    }
  }

  /** Deals with a LEAVE. */
  leave(name: string, id: number): void {
    if (!this.#isName(name, id)) return;
    const subscription = this.#patterns.get(name);
    const number = this.#channels.find(name)?.number ?? 0;
    const open = this.#opened.get(number);
    if (subscription !== undefined) {
      this.#patterns.delete(name);
      this.#channels.patterns.remove(name, subscription);
      // Which of these another pattern still covers would take long to find out; saying them again is cheap.
      this.#announced.clear();
    } else if (open !== undefined) {
      this.#opened.delete(number);
      this.#release(open.channel);
    } else {
      this.#peer.refuse("not_open", `${name} is not open; nothing to leave`, id, 0);
      return;
    }
    this.#send(encodeControl({ type: Type.LEFT, id, channel: number }, { channel: name }));
  }

  /** The session ended: leaves everything, without a word to it. */
  leaveAll(): void {
    for (const { channel } of this.#opened.values()) this.#release(channel);
    this.#opened.clear();
    for (const [pattern, subscription] of this.#patterns) {
      this.#channels.patterns.remove(pattern, subscription);
    }
    this.#patterns.clear();
  }

  /** Tells the session which number a channel has that only a pattern of its covers; see `Peer.announce`. */
  announce(name: string, number: number): void {
    if (this.#opened.has(number) || this.#announced.has(number)) return;
    this.#announced.add(number);
    const payload = { channel: name, number, publish: false, subscribe: true };
    this.#send(encodeControl({ type: Type.OPENED, channel: number }, payload));
  }

  /** The channel of that number has been given up; see `Peer.forget`. */
  forget(number: number): void {
    this.#announced.delete(number);
  }

  #openPattern(open: Open, id: number): void {
    if (!open.subscribe || open.presence) {
      const message = `${open.channel} is a pattern, which is only for subscribing; name one channel`;
      this.#peer.refuse("bad_channel", message, id, 0);
      return;
    }
    if (!this.#permissions.maySubscribe(open.channel)) {
      return this.#forbid("subscribe to all of", open.channel, id);
    }
    const { patterns } = this.#channels;
    const before = this.#patterns.get(open.channel);
    if (before === undefined && !this.#mayOpenMore(id)) return;
    if (before !== undefined) patterns.remove(open.channel, before);
    const subscription: Subscription = { peer: this.#peer, group: open.group, echo: open.echo };
    this.#patterns.set(open.channel, subscription);
    patterns.add(open.channel, subscription);
    const opened = { channel: open.channel, number: 0, publish: false, subscribe: true };
    this.#send(encodeControl({ type: Type.OPENED, id }, opened));
  }

  #openName(open: Open, id: number): void {
    const isEcho = open.channel === ECHO;
    const mayPublish = isEcho || this.#permissions.mayPublish(open.channel);
    // What is asked for and not granted is refused, and never half done: that would look like success.
    if (open.subscribe && !isEcho && !this.#permissions.maySubscribe(open.channel)) {
      return this.#forbid("subscribe to", open.channel, id);
    }
    if (!open.subscribe && !mayPublish) return this.#forbid("publish on", open.channel, id);
    const known = this.#channels.find(open.channel);
    const before = known === undefined ? undefined : this.#opened.get(known.number);
    if (before === undefined && !this.#mayOpenMore(id)) return;
    const channel = before?.channel ?? this.#channels.open(open.channel);
    if (before === undefined) this.#opened.set(channel.number, { channel, isEcho, mayPublish });
    // Everybody is alone on $echo: nobody to receive from there, and nobody to see.
    if (!isEcho) this.#subscribe(channel, open);
    const presence = open.presence
      ? { members: listMembers(channel, MAX_LISTED_MEMBERS), count: channel.subscribers.size }
      : {};
    const opened = {
      channel: channel.name,
      number: channel.number,
      publish: mayPublish,
      subscribe: open.subscribe,
      ...presence,
    };
    this.#send(encodeControl({ type: Type.OPENED, id, channel: channel.number }, opened));
  }

  /** Makes the subscription by name what `open` asks for, and tells the watchers if that is news. */
  #subscribe(channel: Channel, open: Open): void {
    const was = channel.subscribers.has(this.#peer);
    if (open.subscribe) channel.subscribe({ peer: this.#peer, group: open.group, echo: open.echo });
    else channel.unsubscribe(this.#peer);
    if (open.presence) channel.watchers.add(this.#peer);
    else channel.watchers.delete(this.#peer);
    if (open.subscribe !== was) this.#tellWatchers(channel, open.subscribe ? Type.JOINED : Type.PARTED);
  }

  #release(channel: Channel): void {
    const was = channel.subscribers.has(this.#peer);
    channel.unsubscribe(this.#peer);
    channel.watchers.delete(this.#peer);
    // A pattern of this session may still cover it, and must then say its number anew.
    this.#announced.delete(channel.number);
    channel.changed();
    if (was) this.#tellWatchers(channel, Type.PARTED);
    this.#channels.release(channel);
  }

  #tellWatchers(channel: Channel, type: typeof Type.JOINED | typeof Type.PARTED): void {
    if (channel.watchers.size === 0) return;
    const { number, name } = this.#peer;
    const frame = encodeControl({ type, channel: channel.number }, { number, name });
    for (const watcher of channel.watchers) {
      if (watcher !== this.#peer) watcher.outbox.send(frame, 0, frame.length);
    }
  }

  #forbid(what: string, channel: string, id: number): void {
    this.#peer.refuse("forbidden", `this session's token does not allow to ${what} ${channel}`, id, 0);
  }

  #isName(channel: string, id: number): boolean {
    const problem = channelProblem(channel);
    if (problem !== undefined) this.#peer.refuse("bad_channel", problem, id, 0);
    return problem === undefined;
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

function listMembers(channel: Channel, atMost: number): { number: number; name: string }[] {
  const members: { number: number; name: string }[] = [];
  for (const { number, name } of channel.subscribers.keys()) {
    if (members.length === atMost) break;
    members.push({ number, name });
  }
  return members;
}
