/**
 * A session with a server: its channels, requests, direct messages and refusals, on top of one link.
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
import { RequestChannels } from "./request_channels.ts";
import { MAX_REJECTIONS, PING_MS, REQUEST_MS } from "./limits.ts";
import { callSafely } from "./callback.ts";
import { type ChannelOwner, OpenChannel, type Role } from "./channel.ts";
import { Channels } from "./channels.ts";
import { checkName, checkOpen, checkPositive, wrong } from "./checks.ts";
import { Delivery } from "./delivery.ts";
import { decodeErrorReply } from "./error_reply.ts";
import type { ClientConnection, ClientConnectionEvents } from "./client_connection.ts";
import { takeMessage } from "./message.ts";
import type { Backlog } from "./queue.ts";
import { ChannelResponder } from "./responder.ts";

/** The client behind `connect`. */
export class ConnectedClient implements Client, ChannelOwner, ClientConnectionEvents {
  readonly number: number;
  readonly session: string;
  readonly name: string;
  readonly message: string;
  readonly server: Welcome["server"];
  readonly limits: Welcome["limits"];
  readonly closed: Promise<ParleyError | undefined>;
  readonly link: ClientConnection;
  readonly backlog: Backlog;
  readonly delivery: Delivery;

  readonly #onError: ConnectOptions["onError"];
  readonly #channels = new Channels();
  readonly #asking: RequestChannels;
  /** Refusals nobody was told of, by the channel field of the message. */
  readonly #refusals = new Map<number, ParleyError>();
  #closing: Promise<void> | undefined;

  /** A client for the session that `welcome` greets. */
  constructor(link: ClientConnection, welcome: Welcome, onError: ConnectOptions["onError"]) {
    this.link = link;
    this.closed = link.closed;
    this.#onError = onError;
    ({
      number: this.number,
      session: this.session,
      name: this.name,
      message: this.message,
      server: this.server,
      limits: this.limits,
    } = welcome);
    this.#asking = new RequestChannels(this.limits.channels);
    this.backlog = {
      bytes: 0,
      drained: () => link.resume(),
      answer: (id, asker, payload, options) =>
        link.outbound.post(Type.REPLY, id, inboxOf(asker), payload, options?.kind),
    };
    this.delivery = new Delivery(link, this.#channels, this.backlog);
  }

  get inbox(): AsyncIterable<Message> {
    this.delivery.isInboxWanted = true;
    return { [Symbol.asyncIterator]: () => ({ next: () => this.delivery.inbox.next() }) };
  }

  async open(name: string, options: OpenOptions = {}): Promise<Channel> {
    checkOpen(name, options);
    return await this.#open(name, options, "program");
  }

  async request(name: string, payload: Payload, options: RequestOptions = {}): Promise<Message> {
    const { timeoutMs = REQUEST_MS, kind } = options;
    checkPositive("timeoutMs", timeoutMs);
    checkName(name);
    const start = performance.now();
    // Not to wait where the channel is open keeps requests in order with what is published.
    let channel = this.#channels.get(name);
    if (!channel?.isOpen || channel.isLeft) channel = await this.#openToAsk(name);
    if (channel.role === "asking") this.#asking.used(channel);
    const { number } = channel;
    const reply = await this.link.ask(
      Type.REPLY,
      (writer, id) => writer.write(Type.REQUEST, id, number, payload, kind),
      (_header, bytes, from, to) => takeMessage(bytes.slice(from, to), 0, name, number),
      {
        ms: Math.max(1, timeoutMs - (performance.now() - start)),
        error: () => new ParleyError("no_reply", `no reply on ${name} within ${timeoutMs / 1000} s`),
      },
    );
    const failure = decodeErrorReply(reply);
    if (failure !== undefined) throw failure;
    return reply;
  }

  async respond(name: string, handler: Handler, options: RespondOptions = {}): Promise<Responder> {
    const { group, concurrency } = options;
    checkOpen(name, { group });
    if (concurrency !== undefined) checkPositive("concurrency", concurrency);
    return new ChannelResponder(await this.#open(name, { group }, "responder"), handler, options);
  }

  direct(number: number, payload: Payload, options?: PublishOptions): Promise<void> {
    if (!Number.isInteger(number) || number < 1 || number > MAX_NUMBER) {
      const text = `a session's number is a whole number from 1 to ${MAX_NUMBER}, not ${number}`;
      return Promise.reject(new ParleyError("bad_argument", text));
    }
    const rejection = this.takeRefusal(inboxOf(number));
    if (rejection !== undefined) return Promise.reject(rejection);
    return this.link.outbound.post(Type.MESSAGE, 0, inboxOf(number), payload, options?.kind);
  }

  async ping(timeoutMs: number = PING_MS): Promise<number> {
    checkPositive("timeoutMs", timeoutMs);
    return await this.link.ping(timeoutMs);
  }

  close(reason: string = "done"): Promise<void> {
    return this.#closing ??= this.#close(reason);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(reason: string): Promise<void> {
    if (this.link.over === undefined) {
      for (const { queue } of [...this.#channels.all(), { queue: this.delivery.inbox }]) {
        queue.clear();
        queue.end();
      }
    }
    await this.link.close(reason);
    for (const rejection of this.#refusals.values()) {
      this.#refusals.clear();
      throw rejection;
    }
  }

  async #open(name: string, options: OpenOptions, role: Role): Promise<OpenChannel> {
    let channel = this.#channels.get(name);
    while (channel?.isLeft) {
      await channel.leave();
      channel = this.#channels.get(name);
    }
    // No waiting from here to `add`: who opens the same name meanwhile must find this one.
    if (channel !== undefined && (role === "responder" || channel.role === "responder")) {
      if (channel.role !== "asking") throw taken(name);
    }
    channel ??= new OpenChannel(name, this, role);
    channel.role = role;
    this.#asking.forget(channel);
    this.#channels.add(channel);
    const opening = this.#sendOpen(channel, options);
    channel.ready = opening;
    try {
      await opening;
    } catch (error) {
      if (!channel.isOpen) this.#channels.remove(channel);
      throw error;
    }
    return channel;
  }

  #sendOpen(channel: OpenChannel, options: OpenOptions): Promise<void> {
    const { subscribe = true, group, echo, presence } = options;
    const asked = { channel: channel.name, subscribe, group, echo, presence: presence ? true : undefined };
    return this.link.ask(
      Type.OPENED,
      (writer, id) => writer.control(Type.OPEN, id, asked),
      (_header, bytes, from, to) => {
        const answer = this.link.inbound.decode("OPENED", bytes, from, to);
        if (answer === undefined) throw this.link.over!;
        channel.opened(answer, options);
        this.#channels.add(channel);
        this.#channels.changed(channel.name, answer.number);
      },
    );
  }

  /** A channel to ask on: one that others are opening, or else one opened without subscribing, and remembered. */
  async #openToAsk(name: string): Promise<OpenChannel> {
    let channel = this.#channels.get(name);
    while (channel !== undefined && !channel.isOpen) {
      await channel.ready.catch(() => {}); // somebody else's failure
      channel = this.#channels.get(name);
    }
    if (channel !== undefined && !channel.isLeft) return channel;
    return await this.#open(name, { subscribe: false }, "asking");
  }

  async leave(channel: OpenChannel): Promise<void> {
    try {
      await this.link.ask(
        Type.LEFT,
        (writer, id) => writer.control(Type.LEAVE, id, { channel: channel.name }),
        () => this.#channels.remove(channel),
      );
    } catch (error) {
      this.#channels.remove(channel);
      throw error;
    }
  }

  takeRefusal(number: number): ParleyError | undefined {
    if (this.#refusals.size === 0) return undefined;
    const rejection = this.#refusals.get(number);
    this.#refusals.delete(number);
    return rejection;
  }

  // What the link tells.

  refused(error: ParleyError, channel: number, id: number): void {
    const onError = this.#onError;
    if (onError !== undefined) return callSafely(() => onError(error));
    if (id !== 0) return; // of a reply
    const name = this.#channels.nameOf(channel);
    const isTold = name !== undefined && this.#channels.get(name)?.queue.fail(error);
    if (!isTold && this.#refusals.size < MAX_REJECTIONS) this.#refusals.set(channel, error);
  }

  ended(error: ParleyError | undefined): void {
    for (const { queue } of this.#channels.all()) queue.end(error);
    this.delivery.inbox.end(error);
  }
}

function inboxOf(session: number): number {
  return (INBOX | session) >>> 0;
}

function taken(name: string): ParleyError {
  return wrong(
    `${name} is open on this client already, and a session has one subscription to a channel; leave it first, or ` +
      "answer its requests with reply() where it is iterated",
  );
}
