/**
 * Delivers incoming messages and requests into queues, and pauses the connection if a queue is full.
 *
 * @module
 */

import { ParleyError } from "../errors.ts";
import { HEADER_BYTES } from "../limits.ts";
import type { Opened } from "../wire/client_control.ts";
import { type Header, INBOX, MESSAGE_HEADERS, Type, u32 } from "../wire/header.ts";
import { decodeMessageHeaders } from "../wire/message_headers.ts";
import { deliveriesBefore, firstSequence } from "../wire/sequences.ts";
import type { Channels, Route } from "./channels.ts";
import type { ClientConnection } from "./client_connection.ts";
import { replyFailed } from "./error_reply.ts";
import type { Missing } from "./events.ts";
import type { ChannelEvents } from "./inbound.ts";
import { inboxOf } from "./inbox.ts";
import { MAX_NAMES, OVERFLOW_BYTES } from "./limits.ts";
import { INBOX_NAME, type SendReply } from "./message.ts";
import type { Position } from "./position.ts";
import type { Backlog, MessageQueue } from "./queue.ts";

/** What the sessions of one client share. */
export interface SharedDelivery {
  /** What all queues share. */
  readonly backlog: Backlog;
  /** The messages sent to the client itself; only its first connection fills it. */
  readonly inbox: MessageQueue;
  /** Whether the program uses the inbox. If not, messages beyond its limit are dropped. */
  readonly isInboxUsed: boolean;
  /** The id of the session that publishes, whose messages subscriptions without echo skip. */
  readonly publisherId: number;
  /** Subscriptions to a stored channel do not get some of its messages. */
  missed(missing: Missing): void;
}

/** Sends replies by `connection`, for the requests that came by it. */
export function replySender(connection: ClientConnection): SendReply {
  return (id, requester, payload, options) => {
    const { endError } = connection;
    if (endError !== undefined && endError.code !== "closed") {
      const text = "the connection that the request came by is over, so its reply cannot be sent";
      return Promise.reject(new ParleyError("interrupted", text, { cause: endError }));
    }
    return connection.outbound.send(Type.REPLY, id, inboxOf(requester), payload, options);
  };
}

const INBOX_ORIGIN = { name: INBOX_NAME, channelId: 0 };

/** Delivers the messages of one session. */
export class Delivery implements ChannelEvents {
  readonly #connection: ClientConnection;
  readonly #channels: Channels;
  readonly #shared: SharedDelivery;
  readonly #sendReply: SendReply;

  /** Delivers what `connection` receives to what `channels` hold. */
  constructor(
    connection: ClientConnection,
    channels: Channels,
    shared: SharedDelivery,
    sendReply: SendReply,
  ) {
    this.#connection = connection;
    this.#channels = channels;
    this.#shared = shared;
    this.#sendReply = sendReply;
  }

  /** See `ChannelEvents.run`. */
  run(bytes: Uint8Array, from: number, to: number, channel: number, count: number): boolean {
    if (channel >= INBOX) return this.#direct(bytes, from, to);
    const route = this.#channels.routeOf(channel);
    if (route === undefined) {
      if (this.#channels.hasForgotten) {
        const text =
          `sent a message on channel ${channel}, whose name was forgotten behind ${MAX_NAMES} others`;
        this.#connection.violated("disconnected", text); // a new connection is told the name again
      } else {
        const text = `broke the protocol: channel ${channel} was never opened or announced`;
        this.#connection.violated("bad_frame", text);
      }
      return false;
    }
    const { subscribers } = route; // empty if the channel was left and the server does not know yet
    for (const { queue } of subscribers) {
      if (queue.isFull && this.#mustPause()) return false;
    }
    if (route.position !== undefined) {
      this.#stored(bytes, from, to, route, route.position, count);
      return true;
    }
    for (const { queue, echo } of subscribers) {
      queue.push(bytes.slice(from, to), route, echo ? 0 : this.#shared.publisherId);
    }
    return true;
  }

  /** See `ChannelEvents.frame`. */
  frame(header: Header, bytes: Uint8Array, from: number, to: number): boolean {
    switch (header.type) {
      case Type.MESSAGE:
        return this.run(bytes, from, to, header.channel, 1);
      case Type.REQUEST:
        return this.#request(header, bytes, from, to);
      case Type.OPENED: {
        const announced = this.#connection.inbound.decode("OPENED", bytes, from, to);
        if (announced !== undefined) this.#announced(announced);
        return true;
      }
      case Type.POSITION:
        this.#positioned(header.channel, bytes, from, to);
        return true;
      default: {
        const type = header.type === Type.JOINED ? "joined" : "parted";
        const member = this.#connection.inbound.decode(
          type === "joined" ? "JOINED" : "PARTED",
          bytes,
          from,
          to,
        );
        const name = this.#channels.nameOf(header.channel);
        if (member === undefined || name === undefined) return true;
        const change = { type, sessionId: member.number, name: member.name } as const;
        for (const subscription of this.#channels.get(name)?.subscriptions ?? []) {
          subscription.presenceChanged(change);
        }
        return true;
      }
    }
  }

  /** Queues messages of a stored channel, with their sequences. */
  #stored(
    bytes: Uint8Array,
    from: number,
    to: number,
    route: Route,
    position: Position,
    count: number,
  ): void {
    const before = position.deliveriesBefore;
    if (before > 0 && count > 1) { // a redelivery is one message
      const next = from + HEADER_BYTES + u32(bytes, from + 4);
      this.#stored(bytes, from, next, route, position, 1);
      return this.#stored(bytes, next, to, route, position, count - 1);
    }
    const sequence = position.next;
    if (sequence > 0) position.next += count;
    position.deliveriesBefore = 0;
    for (const { queue, echo, beginsAt, consumption } of route.subscribers) {
      let first = sequence;
      let at = from;
      for (; first < beginsAt && at < to; first++) at += HEADER_BYTES + u32(bytes, at + 4);
      if (at === to) continue;
      const consumer = consumption?.acknowledgements;
      if (before === 0) consumer?.delivered(first, count);
      queue.push(bytes.slice(at, to), route, echo ? 0 : this.#shared.publisherId, {
        sequence: first,
        last: sequence + count - 1,
        deliveries: before + 1,
        consumer,
      });
    }
  }

  /** The next message of a stored channel has another sequence than the one after the last. */
  #positioned(channelId: number, bytes: Uint8Array, from: number, to: number): void {
    const route = this.#channels.routeOf(channelId);
    const position = route?.position;
    if (route === undefined || position === undefined) return; // it was left
    const sequence = firstSequence(bytes, from);
    if (route.isGapless && position.next > 0 && sequence > position.next) {
      this.#shared.missed({ channel: route.name, from: position.next, to: sequence - 1 });
    }
    position.next = sequence;
    position.deliveriesBefore = deliveriesBefore(bytes, from, to);
  }

  /** The server has told the number of a channel, or that a stored channel begins anew. */
  #announced(opened: Opened): void {
    const { channel, number } = opened;
    const before = this.#channels.positionOf(number)?.next ?? 0;
    if (!this.#channels.opened(opened)) return;
    const subscribers = this.#channels.routeOf(number)?.subscribers ?? [];
    if (subscribers.length > 0) this.#shared.missed({ channel, from: before, to: undefined });
    for (const subscription of subscribers) subscription.restarted();
  }

  #direct(bytes: Uint8Array, from: number, to: number): boolean {
    const { inbox, isInboxUsed } = this.#shared;
    if (inbox.isFull) {
      if (!isInboxUsed) return true; // other sessions must not be able to stop a program that has no use for them
      if (this.#mustPause()) return false;
    }
    inbox.push(bytes.slice(from, to), INBOX_ORIGIN);
    return true;
  }

  /** Queues a request for its responder. */
  #request(header: Header, bytes: Uint8Array, from: number, to: number): boolean {
    const route = this.#channels.routeOf(header.channel);
    if (route?.requests === undefined) {
      return this.#rejectRequest(header, "the responder has just stopped; send the request again");
    }
    if ((header.flags & MESSAGE_HEADERS) !== 0) {
      const decoded = decodeMessageHeaders(bytes.subarray(from + HEADER_BYTES, to));
      if ("problem" in decoded) {
        const error = new ParleyError("bad_payload", `a request on ${route.name}: ${decoded.problem}`);
        this.#shared.backlog.report(error);
        return this.#rejectRequest(header, error.message);
      }
    }
    if (route.requests.isFull && this.#mustPause()) return false;
    route.requests.push(bytes.slice(from, to), route);
    return true;
  }

  #rejectRequest({ id, sender }: Header, message: string): true {
    replyFailed(message, (payload, options) => this.#sendReply(id, sender, payload, options))
      .catch(() => {}); // fails only with the connection
    return true;
  }

  /** Pauses the connection for a full queue, unless a call waits for an answer. Returns whether it did. */
  #mustPause(): boolean {
    if (this.#connection.mustRead && this.#shared.backlog.bytes < OVERFLOW_BYTES) return false;
    this.#connection.pause();
    return true;
  }
}
