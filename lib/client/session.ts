/**
 * One session with a server: its connection, and the channels it has open.
 *
 * @module
 */

import { ParleyError } from "../errors.ts";
import type { Opened, Welcome } from "../wire/control.ts";
import { INBOX, Type } from "../wire/header.ts";
import { isPattern } from "../wire/names.ts";
import { Channels } from "./channels.ts";
import type { ClientConnection } from "./client_connection.ts";
import type { ClientConnectionEvents } from "./connection_types.ts";
import { Delivery, type SharedDelivery } from "./delivery.ts";
import type { Missing } from "./events.ts";
import { inboxKey, inboxOf } from "./inbox.ts";
import type { MessageQueue } from "./queue.ts";
import type { StartingPoint } from "./options.ts";
import { encodeFrom, expectedFirst } from "./position.ts";
import { SessionChannel } from "./session_channel.ts";
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

/** What one OPEN asks for besides. */
interface Opening {
  readonly fields: Record<string, unknown>;
  /** Called before the next frame is read. */
  readonly opened?: (answer: Opened) => void;
}

/** One session; see the module's comment. */
export class Session implements ClientConnectionEvents {
  readonly connection: ClientConnection;
  readonly welcome: Welcome;
  readonly delivery: Delivery;
  readonly channels: Channels;

  readonly #events: SessionEvents;
  #uses = 0;
  /** How many channels count towards the server's limit. */
  #counted = 0;
  /** Channels that could not be opened yet because of the limit. */
  readonly #waiting: { readonly channel: SessionChannel; open(): void }[] = [];

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
    const sendReply: ConstructorParameters<typeof Channels>[0] = (id, requester, payload, options) => {
      const { endError } = connection;
      if (endError !== undefined && endError.code !== "closed") {
        const text = "the connection that the request came by is over, so its reply cannot be sent";
        return Promise.reject(new ParleyError("interrupted", text, { cause: endError }));
      }
      return connection.outbound.send(Type.REPLY, id, inboxOf(requester), payload, options);
    };
    this.channels = new Channels(sendReply);
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

  /** Opens a channel to publish on as a producer, or once more after messages were not stored. */
  async openToStore(
    name: string,
    options: { readonly producer: string | undefined; readonly retry: true | undefined },
  ): Promise<Opened> {
    if (options.producer !== undefined || options.retry !== undefined) {
      const channel = this.channels.get(name) ?? this.#add(name);
      return await this.#open(channel, { fields: options });
    }
    const channel = this.openToSend(name);
    await channel.ready;
    return channel.answer!;
  }

  /** A call needs the channel no longer. */
  release(channel: SessionChannel): void {
    channel.holds--;
    if (this.#waiting.length > 0) this.#openWaiting();
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
      if (typeof resume === "object" && "sequence" in resume && position.next > resume.sequence) {
        missing = { channel: name, from: resume.sequence, to: position.next - 1 };
      }
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
    if (channel.subscriptions.size === 0) return await this.#unlessOver(this.#leave(channel));
    channel.requests = undefined;
    const opened = this.#open(channel);
    channel.requests = requests;
    await this.#unlessOver(opened);
    channel.requests = undefined;
    this.channels.changed();
  }

  /** Waits for the end of something, which a session that is over has ended too. */
  async #unlessOver(ending: Promise<unknown>): Promise<void> {
    await ending.catch((error) => {
      if (this.connection.endError === undefined) throw error;
    });
  }

  #add(name: string): SessionChannel {
    const channel = new SessionChannel(name);
    this.channels.add(channel);
    return channel;
  }

  /**
   * Makes room for one more channel below the server's limit: leaves the one that was not sent on for the longest time.
   * Returns false if there is none to leave now, but will be soon.
   */
  #makeRoom(): boolean {
    if (this.#counted < this.welcome.limits.channels) return true;
    let oldest: SessionChannel | undefined;
    let isSoon = false;
    for (const channel of this.channels.all()) {
      if (!channel.isCounted || !channel.isForSending) continue;
      if (channel.holds > 0) isSoon = true;
      else if (channel.lastUsed < (oldest?.lastUsed ?? Infinity)) oldest = channel;
    }
    if (oldest !== undefined) this.#leave(oldest).catch(() => {}); // fails only with the connection
    return oldest !== undefined || !isSoon; // if all are subscribed to, the server refuses one more
  }

  /** Opens the channels that wait, as far as there is room. */
  #openWaiting(): void {
    while (this.#waiting.length > 0) {
      if (!this.#waiting[0].channel.isCounted && !this.#makeRoom()) return;
      this.#waiting.shift()!.open();
    }
  }

  #open(channel: SessionChannel, opening?: Opening): Promise<Opened> {
    channel.holds++;
    const mustWait = !channel.isCounted && (this.#waiting.length > 0 || !this.#makeRoom());
    const opened = (mustWait ? this.#openLater(channel, opening) : this.#openNow(channel, opening))
      .finally(() => this.release(channel));
    channel.ready = opened;
    return opened.catch((error) => {
      if (!channel.isOpen) this.channels.remove(channel);
      throw error;
    });
  }

  #openLater(channel: SessionChannel, opening: Opening | undefined): Promise<Opened> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ channel, open: () => this.#openNow(channel, opening).then(resolve, reject) });
    });
  }

  #openNow(channel: SessionChannel, opening: Opening | undefined): Promise<Opened> {
    this.#count(channel, true);
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
      if (!channel.isOpen) this.#count(channel, false);
      throw error;
    });
  }

  async #leave(channel: SessionChannel): Promise<void> {
    if (this.connection.endError !== undefined) return;
    this.#count(channel, false);
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
      this.#openWaiting();
    }
  }

  #count(channel: SessionChannel, isCounted: boolean): void {
    if (channel.isCounted === isCounted) return;
    channel.isCounted = isCounted;
    this.#counted += isCounted ? 1 : -1;
  }

  // From the connection.

  rejected(error: ParleyError, channel: number, id: number): void {
    const name = channel >= INBOX ? inboxKey(channel) : this.channels.nameOf(channel) ?? "";
    this.#events.rejected(error, name, id);
  }

  ended(error: ParleyError | undefined): void {
    this.#events.sessionEnded(this, error);
    for (const { open } of this.#waiting.splice(0)) open(); // fails with the connection
  }
}
