/**
 * One session with a server: its connection, and the channels it has open.
 *
 * @module
 */

import type { ParleyError } from "../errors.ts";
import type { Opened, Welcome } from "../wire/client_control.ts";
import { INBOX, Type } from "../wire/header.ts";
import { isPattern } from "../wire/names.ts";
import { ChannelLimit } from "./channel_limit.ts";
import { Channels } from "./channels.ts";
import type { ClientConnection } from "./client_connection.ts";
import type { ClientConnectionEvents } from "./connection_types.ts";
import { Delivery, replySender, type SharedDelivery } from "./delivery.ts";
import type { Missing } from "./events.ts";
import { inboxKey } from "./inbox.ts";
import type { MessageQueue } from "./queue.ts";
import type { StartingPoint } from "./options.ts";
import { encodeFrom, expectedFirst, missingAfter, type Place } from "./position.ts";
import { type Opening, SessionChannel } from "./session_channel.ts";
import type { ClientSubscription } from "./subscription.ts";

/** Uses a session. */
export interface SessionEvents {
  /** The server opened a channel by its name; it can be sent to. */
  channelOpened(channel: SessionChannel): void;
  /** The server rejected a message to a channel, or to the inbox that `inboxKey` names; no id if it was a reply. */
  rejected(error: ParleyError, name: string, id: number): void;
  /** The session is over; no error if this client closed it. */
  sessionEnded(session: Session, error: ParleyError | undefined): void;
}

/** One session; see the module's comment. */
export class Session implements ClientConnectionEvents {
  readonly connection: ClientConnection;
  readonly welcome: Welcome;
  readonly delivery: Delivery;
  readonly channels: Channels;

  readonly #events: SessionEvents;
  #uses = 0;
  readonly #limit: ChannelLimit;

  /** The session that `welcome` describes. */
  constructor(
    connection: ClientConnection,
    welcome: Welcome,
    shared: SharedDelivery,
    events: SessionEvents,
  ) {
    this.connection = connection;
    this.welcome = welcome;
    this.#events = events;
    const sendReply = replySender(connection);
    this.channels = new Channels(sendReply);
    this.#limit = new ChannelLimit(welcome.limits.channels, this.channels, (channel) => {
      this.#leave(channel).catch(() => {}); // fails only with the connection
    });
    this.delivery = new Delivery(connection, this.channels, shared, sendReply);
  }

  /** The session's id. */
  get id(): number {
    return this.welcome.number;
  }

  /** Marks a channel as the most recently used for sending. */
  used(channel: SessionChannel): void {
    channel.lastUsed = ++this.#uses;
  }

  /** The channel to send on; it is being opened if it was not open. */
  openToSend(name: string): SessionChannel {
    let channel = this.channels.get(name);
    if (channel === undefined) {
      channel = this.#add(name);
      this.#open(channel).catch(() => {}); // those who wait for `ready` are told
    }
    this.used(channel);
    return channel;
  }

  /** Opens a channel, or opens it once more, and asks for `fields` besides what it is used for. */
  openWith(name: string, fields: Opening["fields"]): Promise<Opened> {
    return this.#open(this.channels.get(name) ?? this.#add(name), { fields });
  }

  /** A call needs the channel no longer. */
  release(channel: SessionChannel): void {
    channel.holds--;
    this.#limit.changed();
  }

  /**
   * Receives the messages of a channel or pattern, for all of `added`. `resume` says where to go on in a stored channel.
   *
   * @returns what is stored no longer from there on
   */
  async subscribe(
    name: string,
    added: readonly ClientSubscription[],
    resume?: StartingPoint,
  ): Promise<Missing | undefined> {
    const channel = this.channels.get(name) ?? this.#add(name);
    const isPlacing = !channel.isPlaced;
    const from = resume ?? added.find(({ from }) => from !== undefined)?.from;
    for (const subscription of added) {
      const isFirst = isPlacing && resume === undefined && subscription.from === from;
      if (!channel.subscriptions.has(subscription)) subscription.joins(isFirst);
      channel.subscriptions.add(subscription);
    }
    channel.isPlaced = true;
    this.channels.changed();
    let missing: Missing | undefined;
    const opened = (answer: Opened) => {
      const position = isPlacing ? this.channels.positionOf(answer.number) : undefined;
      if (position === undefined) return;
      position.next = expectedFirst(from, answer);
      for (const { consumption } of added) {
        consumption?.begin(this.connection, answer.number, this.id);
      }
      missing = missingAfter(resume, name, position.next);
    };
    try {
      await this.#open(channel, { fields: { from: isPlacing ? encodeFrom(from) : undefined }, opened });
      return missing;
    } catch (error) {
      for (const subscription of added) channel.subscriptions.delete(subscription);
      if (isPlacing) channel.isPlaced = false;
      this.channels.changed();
      throw error;
    }
  }

  /**
   * Subscribes to a pattern, and goes on at `places` in channels that it covers: each is subscribed to by its name until
   * the pattern is, which then goes on there.
   *
   * @returns what is missing of them
   */
  async subscribeCovering(
    pattern: string,
    added: readonly ClientSubscription[],
    places: ReadonlyMap<string, Place>,
  ): Promise<Missing[]> {
    const goingOn = [...places].map(([name, place]) => this.#goOn(name, place));
    const ended = Promise.all(goingOn).then((all) => all.filter((missing) => missing !== undefined));
    try {
      await this.subscribe(pattern, added);
      return await ended;
    } finally {
      await ended.catch(() => {});
      for (const name of places.keys()) this.#leaveCovered(name);
    }
  }

  async #goOn(name: string, { next, epoch }: Place): Promise<Missing | undefined> {
    let missing: Missing | undefined;
    const openAt = (from: StartingPoint) => {
      const channel = this.channels.get(name) ?? this.#add(name);
      const opened = (answer: Opened) => {
        const position = this.channels.positionOf(answer.number);
        if (position === undefined) return;
        position.next = expectedFirst(from, answer);
        missing = missingAfter(from, name, position.next);
        channel.isCovered = true;
      };
      return this.#open(channel, { fields: { subscribe: true, from: encodeFrom(from) }, opened });
    };
    try {
      await openAt({ sequence: next, epoch });
      return missing;
    } catch (error) {
      if ((error as ParleyError).code === "epoch_changed") await openAt("all").catch(() => {});
      return { channel: name, from: next, to: undefined };
    }
  }

  #leaveCovered(name: string): void {
    const channel = this.channels.get(name);
    if (!channel?.isCovered) return;
    channel.isCovered = false;
    if (channel.isForSending && channel.holds === 0) this.#leave(channel).catch(() => {});
  }

  /** Receives them no longer. */
  async unsubscribe(subscription: ClientSubscription): Promise<void> {
    const channel = this.channels.get(subscription.channel);
    if (channel === undefined || !channel.subscriptions.delete(subscription)) return;
    this.channels.changed();
    // The others go on with what is open. An echo or presence that none of them wants is dropped in passing.
    if (channel.subscriptions.size > 0) return;
    channel.isPlaced = false;
    await this.#unlessOver(channel.requests !== undefined ? this.#open(channel) : this.#leave(channel));
  }

  /** Receives the requests of a channel or pattern. */
  async respond(name: string, requests: MessageQueue): Promise<void> {
    const channel = this.channels.get(name) ?? this.#add(name);
    channel.requests = requests;
    this.channels.changed();
    try {
      await this.#open(channel);
    } catch (error) {
      channel.requests = undefined;
      this.channels.changed();
      throw error;
    }
  }

  /** Receives them no longer. Those that come before the server confirms are still taken. */
  async stopResponding(name: string): Promise<void> {
    const channel = this.channels.get(name);
    if (channel?.requests === undefined) return;
    const { requests } = channel;
    if (channel.subscriptions.size === 0) return void await this.#unlessOver(this.#leave(channel));
    channel.requests = undefined;
    const opened = this.#open(channel);
    channel.requests = requests;
    await this.#unlessOver(opened);
    channel.requests = undefined;
    this.channels.changed();
  }

  /** Waits for the end of something, which a session that is over has ended too. */
  #unlessOver(ending: Promise<unknown>): Promise<unknown> {
    return ending.catch((error) => {
      if (this.connection.endError === undefined) throw error;
    });
  }

  #add(name: string): SessionChannel {
    const channel = new SessionChannel(name);
    this.channels.add(channel);
    return channel;
  }

  #open(channel: SessionChannel, opening?: Opening): Promise<Opened> {
    channel.holds++;
    const open = () => this.#openNow(channel, opening);
    const isOpen = this.#limit.mustWait(channel)
      ? new Promise<Opened>((resolve, reject) => {
        this.#limit.whenRoom(channel, () => open().then(resolve, reject));
      })
      : open();
    const opened = isOpen.finally(() => this.release(channel));
    channel.ready = opened;
    return opened.catch((error) => {
      if (!channel.isOpen) this.channels.remove(channel);
      throw error;
    });
  }

  #openNow(channel: SessionChannel, opening: Opening | undefined): Promise<Opened> {
    this.#limit.count(channel, true);
    return this.connection.calls.call(
      Type.OPENED,
      (writer, id) => writer.control(Type.OPEN, id, { ...channel.open, ...opening?.fields }),
      (_header, bytes, from, to) => {
        const answer = this.connection.inbound.decode("OPENED", bytes, from, to);
        if (answer === undefined) throw this.connection.endError!;
        channel.opened(answer);
        this.channels.opened(answer);
        opening?.opened?.(answer);
        if (!isPattern(channel.name)) this.#events.channelOpened(channel);
        return answer;
      },
    ).catch((error) => {
      if (!channel.isOpen) this.#limit.count(channel, false);
      throw error;
    });
  }

  async #leave(channel: SessionChannel): Promise<void> {
    if (this.connection.endError !== undefined) return;
    this.#limit.count(channel, false);
    channel.isOpen = false;
    this.channels.leaving(channel);
    try {
      await this.connection.calls.call(
        Type.LEFT,
        (writer, id) => writer.control(Type.LEAVE, id, { channel: channel.name }),
        () => this.channels.remove(channel),
      );
    } catch (error) {
      this.channels.remove(channel);
      throw error;
    } finally {
      this.#limit.changed();
    }
  }

  // From the connection.

  rejected(error: ParleyError, channel: number, id: number): void {
    const name = channel >= INBOX ? inboxKey(channel) : this.channels.nameOf(channel) ?? "";
    this.#events.rejected(error, name, id);
  }

  ended(error: ParleyError | undefined): void {
    this.#events.sessionEnded(this, error);
    this.#limit.end();
  }
}
