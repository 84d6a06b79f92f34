/**
 * Delivers incoming messages and requests into queues, and pauses the connection if a queue is full.
 *
 * @module
 */

import { ParleyError } from "../errors.ts";
import { HEADER_BYTES } from "../limits.ts";
import { type Header, INBOX, MESSAGE_HEADERS, Type } from "../wire/header.ts";
import { decodeMessageHeaders } from "../wire/message_headers.ts";
import type { Channels } from "./channels.ts";
import type { ClientConnection } from "./client_connection.ts";
import { replyError } from "./error_reply.ts";
import type { ChannelEvents } from "./inbound.ts";
import { OVERFLOW_BYTES } from "./limits.ts";
import { INBOX_NAME } from "./message.ts";
import { type Backlog, MessageQueue } from "./queue.ts";

/** Delivers the messages of one session. */
export class Delivery implements ChannelEvents {
  /** The messages sent to the session itself. */
  readonly inbox: MessageQueue;
  /** Whether the program uses the inbox. If not, messages beyond its limit are dropped. */
  isInboxUsed = false;

  readonly #connection: ClientConnection;
  readonly #channels: Channels;
  readonly #backlog: Backlog;

  /** `backlog` is the one that the queues of `channels` share. */
  constructor(connection: ClientConnection, channels: Channels, backlog: Backlog) {
    this.#connection = connection;
    this.#channels = channels;
    this.#backlog = backlog;
    this.inbox = new MessageQueue(backlog);
  }

  /** See `ChannelEvents.run`. */
  run(bytes: Uint8Array, from: number, to: number, channel: number): boolean {
    if (channel >= INBOX) return this.#direct(bytes, from, to);
    const route = this.#channels.routeOf(channel);
    if (route === undefined) {
      this.#connection.violated(
        "bad_frame",
        `broke the protocol: channel ${channel} was never opened or announced`,
      );
      return false;
    }
    const { name, subscribers } = route; // empty if the channel was left and the server does not know yet
    for (const { queue } of subscribers) {
      if (queue.isFull && this.#mustPause()) return false;
    }
    for (const { queue } of subscribers) queue.push(bytes.slice(from, to), name, channel);
    return true;
  }

  /** See `ChannelEvents.frame`. */
  frame(header: Header, bytes: Uint8Array, from: number, to: number): boolean {
    switch (header.type) {
      case Type.MESSAGE:
        return this.run(bytes, from, to, header.channel);
      case Type.REQUEST:
        return this.#request(header, bytes, from, to);
      case Type.OPENED: {
        const announced = this.#connection.inbound.decode("OPENED", bytes, from, to);
        if (announced !== undefined) this.#channels.changed(announced.channel, announced.number);
        return true;
      }
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
        this.#channels.get(name)?.presence({ type, ...member });
        return true;
      }
    }
  }

  #direct(bytes: Uint8Array, from: number, to: number): boolean {
    if (this.inbox.isFull) {
      if (!this.isInboxUsed) return true; // other sessions must not be able to stop a program that has no use for them
      if (this.#mustPause()) return false;
    }
    this.inbox.push(bytes.slice(from, to), INBOX_NAME, 0);
    return true;
  }

  /** Queues a request for its responder. */
  #request(header: Header, bytes: Uint8Array, from: number, to: number): boolean {
    const route = this.#channels.routeOf(header.channel);
    if (route?.responder === undefined) {
      const error = new ParleyError("no_responders", "the responder has just left; send the request again");
      return this.#rejectRequest(header, error);
    }
    if ((header.flags & MESSAGE_HEADERS) !== 0) {
      const decoded = decodeMessageHeaders(bytes.subarray(from + HEADER_BYTES, to));
      if ("problem" in decoded) {
        const error = new ParleyError("bad_payload", `a request on ${route.name}: ${decoded.problem}`);
        this.#backlog.report(error);
        return this.#rejectRequest(header, error);
      }
    }
    const { queue } = route.responder;
    if (queue.isFull && this.#mustPause()) return false;
    queue.push(bytes.slice(from, to), route.name, header.channel);
    return true;
  }

  #rejectRequest({ id, sender }: Header, error: ParleyError): true {
    replyError(error, (payload, options) => this.#backlog.sendReply(id, sender, payload, options))
      .catch(() => {}); // fails only with the connection
    return true;
  }

  /** Pauses the connection for a full queue, unless a call waits for an answer. Returns whether it did. */
  #mustPause(): boolean {
    if (this.#connection.mustRead && this.#backlog.bytes < OVERFLOW_BYTES) return false;
    this.#connection.pause();
    return true;
  }
}
