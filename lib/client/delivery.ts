/**
 * Where what comes in goes: each message into the queues of those who receive it, or, where one is full, not yet.
 *
 * @module
 */

import { ParleyError } from "../errors.ts";
import { type Header, INBOX, Type } from "../wire/header.ts";
import { OVERFLOW_BYTES } from "./limits.ts";
import type { Channels } from "./channels.ts";
import { encodeErrorReply } from "./error_reply.ts";
import type { ChannelEvents } from "./inbound.ts";
import type { ClientConnection } from "./client_connection.ts";
import { INBOX_NAME } from "./message.ts";
import { type Backlog, MessageQueue } from "./queue.ts";

/** Delivers the messages of one session. */
export class Delivery implements ChannelEvents {
  /** The messages sent to the session itself. */
  readonly inbox: MessageQueue;
  /** Whether somebody iterates the inbox, or will; otherwise what is too much for it is dropped. */
  isInboxWanted = false;

  readonly #link: ClientConnection;
  readonly #channels: Channels;
  readonly #backlog: Backlog;

  /** `backlog` is what the queues of `channels` share. */
  constructor(link: ClientConnection, channels: Channels, backlog: Backlog) {
    this.#link = link;
    this.#channels = channels;
    this.#backlog = backlog;
    this.inbox = new MessageQueue(backlog);
  }

  /** See `ChannelEvents.run`. */
  run(bytes: Uint8Array, from: number, to: number, channel: number): boolean {
    if (channel >= INBOX) return this.#direct(bytes, from, to);
    const route = this.#channels.routeOf(channel);
    if (route === undefined) {
      this.#link.violated(
        "bad_frame",
        `broke the protocol: channel ${channel} was never opened or announced`,
      );
      return false;
    }
    const { name, receivers } = route; // none where it was left, and the server does not know yet
    for (const { queue } of receivers) {
      if (queue.isFull && this.#mustPause()) return false;
    }
    for (const { queue } of receivers) queue.push(bytes.slice(from, to), name, channel);
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
        const announced = this.#link.inbound.decode("OPENED", bytes, from, to);
        if (announced !== undefined) this.#channels.changed(announced.channel, announced.number);
        return true;
      }
      default: {
        const type = header.type === Type.JOINED ? "joined" : "parted";
        const member = this.#link.inbound.decode(type === "joined" ? "JOINED" : "PARTED", bytes, from, to);
        const name = this.#channels.nameOf(header.channel);
        if (member === undefined || name === undefined) return true;
        this.#channels.get(name)?.presence({ type, ...member });
        return true;
      }
    }
  }

  #direct(bytes: Uint8Array, from: number, to: number): boolean {
    if (this.inbox.isFull) {
      if (!this.isInboxWanted) return true; // anybody can send here; who does not listen must not be stopped by it
      if (this.#mustPause()) return false;
    }
    this.inbox.push(bytes.slice(from, to), INBOX_NAME, 0);
    return true;
  }

  /** Gives a request to a responder where there is one, otherwise to the first who iterates. */
  #request(header: Header, bytes: Uint8Array, from: number, to: number): boolean {
    const route = this.#channels.routeOf(header.channel);
    const receiver = route?.receivers.find(({ role }) => role === "responder") ?? route?.receivers[0];
    if (route === undefined || receiver === undefined) {
      const gone = new ParleyError("no_responders", "the responder has just left; ask again");
      this.#backlog.answer(header.id, header.sender, encodeErrorReply(gone));
      return true;
    }
    if (receiver.queue.isFull && this.#mustPause()) return false;
    receiver.queue.push(bytes.slice(from, to), route.name, header.channel);
    return true;
  }

  /** Whether a full queue must stop the reading, and if so, stops it. */
  #mustPause(): boolean {
    if (this.#link.mustRead && this.#backlog.bytes < OVERFLOW_BYTES) return false;
    this.#link.pause();
    return true;
  }
}
