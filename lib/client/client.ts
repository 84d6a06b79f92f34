/**
 * A session with a server: its channels, requests, direct messages and rejections, on top of one connection.
 *
 * @module
 */

import { ParleyError } from "../errors.ts";
import { MAX_NUMBER } from "../limits.ts";
import type { Welcome } from "../wire/control.ts";
import { INBOX, Type } from "../wire/header.ts";
import type {
  Channel,
  Client,
  ConnectOptions,
  Handler,
  Message,
  OpenOptions,
  Payload,
  PublishOptions,
  RequestOptions,
  Responder,
  RespondOptions,
} from "./api.ts";
import { callSafely } from "./callback.ts";
import { type ChannelOwner, OpenChannel, type Purpose } from "./channel.ts";
import { Channels } from "./channels.ts";
import { badArgument, checkName, checkNameOrPattern, checkOpen, checkPositive } from "./checks.ts";
import type { ClientConnection, ClientConnectionEvents } from "./client_connection.ts";
import { Delivery } from "./delivery.ts";
import { errorOf } from "./error_reply.ts";
import { MAX_REJECTIONS, PING_MS, REQUEST_MS } from "./limits.ts";
import { readMessage } from "./message.ts";
import type { Backlog } from "./queue.ts";
import { RequestChannels } from "./request_channels.ts";
import { ChannelResponder } from "./responder.ts";

/** The client behind `connect`. */
export class ConnectedClient implements Client, ChannelOwner, ClientConnectionEvents {
  readonly number: number;
  readonly session: string;
  readonly name: string;
  readonly message: string;
  readonly server: Welcome["server"];
  readonly limits: Welcome["limits"];
  readonly serverTime: Date | undefined;
  readonly closed: Promise<ParleyError | undefined>;
  readonly connection: ClientConnection;
  readonly backlog: Backlog;
  readonly delivery: Delivery;

  readonly #onError: ConnectOptions["onError"];
  readonly #channels = new Channels();
  readonly #requestChannels: RequestChannels;
  /** Rejections that are not reported yet, by the channel field of the message. */
  readonly #rejections = new Map<number, ParleyError>();
  #closing: Promise<void> | undefined;

  /** The client of the session that `welcome` describes. */
  constructor(connection: ClientConnection, welcome: Welcome, onError: ConnectOptions["onError"]) {
    this.connection = connection;
    this.closed = connection.closed;
    this.#onError = onError;
    ({
      number: this.number,
      session: this.session,
      name: this.name,
      message: this.message,
      server: this.server,
      limits: this.limits,
    } = welcome);
    const time = Date.parse(welcome.time ?? "");
    this.serverTime = Number.isNaN(time) ? undefined : new Date(time);
    this.#requestChannels = new RequestChannels(this.limits.channels);
    this.backlog = {
      bytes: 0,
      drained: () => connection.resume(),
      report: (error) => this.#report(error),
      sendReply: (id, requester, payload, options) =>
        connection.outbound.send(Type.REPLY, id, inboxOf(requester), payload, options),
    };
    this.delivery = new Delivery(connection, this.#channels, this.backlog);
  }

  get inbox(): AsyncIterable<Message> {
    this.delivery.isInboxUsed = true;
    return { [Symbol.asyncIterator]: () => ({ next: () => this.delivery.inbox.next() }) };
  }

  async open(name: string, options: OpenOptions = {}): Promise<Channel> {
    checkOpen(name, options);
    return await this.#open(name, options, "program");
  }

  async request(name: string, payload: Payload, options: RequestOptions = {}): Promise<Message> {
    const { timeoutMs = REQUEST_MS } = options;
    checkPositive("timeoutMs", timeoutMs);
    checkName(name);
    const start = performance.now();
    // No await if the channel is open: a request must not be overtaken by what is published after it.
    let channel = this.#channels.get(name);
    if (!channel?.isOpen || channel.isLeft) channel = await this.#openForRequests(name);
    if (channel.purpose === "request") this.#requestChannels.used(channel);
    const { number } = channel;
    return await this.connection.call(
      Type.REPLY,
      (writer, id) => writer.message(Type.REQUEST, id, number, payload, options),
      (_header, bytes, from, to) => {
        const reply = readMessage(bytes.slice(from, to), 0, name, number);
        const error = reply instanceof ParleyError ? reply : errorOf(reply);
        if (error !== undefined) throw error;
        return reply as Message;
      },
      {
        ms: Math.max(1, timeoutMs - (performance.now() - start)),
        error: () => new ParleyError("no_reply", `no reply on ${name} within ${timeoutMs / 1000} s`),
      },
    );
  }

  async respond(name: string, handler: Handler, options: RespondOptions = {}): Promise<Responder> {
    const { concurrency } = options;
    checkNameOrPattern(name);
    if (concurrency !== undefined) checkPositive("concurrency", concurrency);
    return new ChannelResponder(await this.#open(name, {}, "respond"), handler, options);
  }

  direct(number: number, payload: Payload, options?: PublishOptions): Promise<void> {
    if (!Number.isInteger(number) || number < 1 || number > MAX_NUMBER) {
      const text = `a session's number is a whole number from 1 to ${MAX_NUMBER}, not ${number}`;
      return Promise.reject(badArgument(text));
    }
    const rejection = this.takeRejection(inboxOf(number));
    if (rejection !== undefined) return Promise.reject(rejection);
    return this.connection.outbound.send(Type.MESSAGE, 0, inboxOf(number), payload, options);
  }

  async ping(timeoutMs: number = PING_MS): Promise<number> {
    checkPositive("timeoutMs", timeoutMs);
    return await this.connection.ping(timeoutMs);
  }

  close(reason: string = "done"): Promise<void> {
    return this.#closing ??= this.#close(reason);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(reason: string): Promise<void> {
    if (this.connection.endError === undefined) {
      for (const { queue } of [...this.#channels.all(), { queue: this.delivery.inbox }]) {
        queue.clear();
        queue.end();
      }
    }
    await this.connection.close(reason);
    for (const rejection of this.#rejections.values()) {
      this.#rejections.clear();
      throw rejection;
    }
  }

  async #open(name: string, options: OpenOptions, purpose: Purpose): Promise<OpenChannel> {
    let channel = this.#channels.get(name);
    while (channel?.isLeft) {
      await channel.leave();
      channel = this.#channels.get(name);
    }
    // No await from here to `add`: another call that opens the same name must find this channel.
    if (channel !== undefined && (purpose === "respond" || channel.purpose === "respond")) {
      if (channel.purpose !== "request") throw alreadyOpen(name);
    }
    channel ??= new OpenChannel(name, this, purpose);
    const previous = channel.purpose;
    channel.purpose = purpose;
    this.#requestChannels.remove(channel);
    this.#channels.add(channel);
    const opening = this.#sendOpen(channel, options);
    channel.ready = opening;
    try {
      await opening;
      channel.purpose = purpose;
    } catch (error) {
      // A channel that was open before stays open, for its earlier purpose.
      channel.purpose = previous;
      if (!channel.isOpen) this.#channels.remove(channel);
      throw error;
    }
    return channel;
  }

  #sendOpen(channel: OpenChannel, options: OpenOptions): Promise<void> {
    const { group, echo } = options;
    const subscribe = channel.purpose === "program" && (options.subscribe ?? true);
    const respond = channel.purpose === "respond";
    const presence = options.presence ? true : undefined;
    const open = { channel: channel.name, subscribe, respond, group, echo, presence };
    return this.connection.call(
      Type.OPENED,
      (writer, id) => writer.control(Type.OPEN, id, open),
      (_header, bytes, from, to) => {
        const answer = this.connection.inbound.decode("OPENED", bytes, from, to);
        if (answer === undefined) throw this.connection.endError!;
        channel.opened(answer, options);
        this.#channels.add(channel);
        this.#channels.changed(channel.name, answer.number);
      },
    );
  }

  /** A channel to send requests on: one that another call is opening, or else one opened for this purpose. */
  async #openForRequests(name: string): Promise<OpenChannel> {
    let channel = this.#channels.get(name);
    while (channel !== undefined && !channel.isOpen) {
      await channel.ready.catch(() => {}); // reported to the call that opens it
      channel = this.#channels.get(name);
    }
    if (channel !== undefined && !channel.isLeft) return channel;
    return await this.#open(name, {}, "request");
  }

  async leave(channel: OpenChannel): Promise<void> {
    try {
      await this.connection.call(
        Type.LEFT,
        (writer, id) => writer.control(Type.LEAVE, id, { channel: channel.name }),
        () => this.#channels.remove(channel),
      );
    } catch (error) {
      this.#channels.remove(channel);
      throw error;
    }
  }

  takeRejection(number: number): ParleyError | undefined {
    if (this.#rejections.size === 0) return undefined;
    const rejection = this.#rejections.get(number);
    this.#rejections.delete(number);
    return rejection;
  }

  // From the connection.

  rejected(error: ParleyError, channel: number, id: number): void {
    if (this.#report(error)) return;
    if (id !== 0) return; // for a REPLY: the requester has gone
    const name = this.#channels.nameOf(channel);
    const isReported = name !== undefined && this.#channels.get(name)?.queue.fail(error);
    if (!isReported && this.#rejections.size < MAX_REJECTIONS) this.#rejections.set(channel, error);
  }

  #report(error: ParleyError): boolean {
    const onError = this.#onError;
    if (onError === undefined) return false;
    callSafely(() => onError(error));
    return true;
  }

  ended(error: ParleyError | undefined): void {
    for (const { queue } of this.#channels.all()) queue.end(error);
    this.delivery.inbox.end(error);
  }
}

function inboxOf(session: number): number {
  return (INBOX | session) >>> 0;
}

function alreadyOpen(name: string): ParleyError {
  return badArgument(
    `${name} is open on this client already, and a client either subscribes to a channel or responds on it; ` +
      "leave it first, or use a second client",
  );
}
