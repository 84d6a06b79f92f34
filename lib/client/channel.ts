/**
 * An open channel: its queue, its members, publishing and leaving.
 *
 * @module
 */

import { ParleyError } from "../errors.ts";
import type { Opened } from "../wire/control.ts";
import { Type } from "../wire/header.ts";
import type { Channel, Message, OpenOptions, Payload, PresenceChange, PublishOptions } from "./api.ts";
import { callSafely } from "./callback.ts";
import type { ClientConnection } from "./client_connection.ts";
import { type Backlog, MessageQueue } from "./queue.ts";

/** What a channel needs of its client. */
export interface ChannelOwner {
  /** The connection. */
  readonly connection: ClientConnection;
  /** What all queues of the client share. */
  readonly backlog: Backlog;
  /** The session's number. */
  readonly number: number;
  /** Removes and returns the server's rejection of an earlier message on channel `number`, if there was one. */
  takeRejection(number: number): ParleyError | undefined;
  /** Sends LEAVE, and removes the channel once the server confirms. */
  leave(channel: OpenChannel): Promise<void>;
}

/**
 * Why a channel is open. "program": the program publishes on it or iterates it. "respond": a responder answers its
 * requests. "request": only to send requests on it; it is left again after requests on many others.
 */
export type Purpose = "program" | "respond" | "request";

/** A channel that is open, or being opened. */
export class OpenChannel implements Channel {
  readonly name: string;
  /** The messages and requests that wait for the iterator. */
  readonly queue: MessageQueue;
  /** See {@linkcode Purpose}. */
  purpose: Purpose;
  /** Settles with the last OPEN sent for it. */
  ready: Promise<void> = Promise.resolve();
  /** Whether the server has opened it. */
  isOpen = false;
  number = 0;
  mayPublish = false;
  subscribed = false;
  /** Whether requests are received. */
  responding = false;
  memberCount = 0;
  readonly members = new Map<number, string>();

  readonly #owner: ChannelOwner;
  #onPresence: ((change: PresenceChange) => void) | undefined;
  #leaving: Promise<void> | undefined;

  /** A channel that is not open yet. */
  constructor(name: string, owner: ChannelOwner, purpose: Purpose) {
    this.name = name;
    this.purpose = purpose;
    this.#owner = owner;
    this.queue = new MessageQueue(owner.backlog);
  }

  /** Whether `leave` was called. The server may not have confirmed yet. */
  get isLeft(): boolean {
    return this.#leaving !== undefined;
  }

  /** Whether the connection can still be used. */
  get isConnected(): boolean {
    return this.#owner.connection.endError === undefined;
  }

  /** Applies the server's answer to an OPEN with `options`. */
  opened(answer: Opened, options: OpenOptions): void {
    this.isOpen = true;
    this.number = answer.number;
    this.mayPublish = answer.publish;
    this.subscribed = answer.subscribe;
    this.responding = answer.respond ?? false;
    this.queue.skippedSender = options.echo === false ? this.#owner.number : 0;
    this.members.clear();
    for (const { number, name } of answer.members ?? []) this.members.set(number, name);
    this.memberCount = answer.count ?? this.members.size;
    this.#onPresence = typeof options.presence === "function" ? options.presence : undefined;
  }

  /** A session joined or parted. */
  presence(change: PresenceChange): void {
    if (change.type === "joined") {
      this.members.set(change.number, change.name);
      this.memberCount++;
    } else {
      this.members.delete(change.number);
      this.memberCount--;
    }
    const onPresence = this.#onPresence;
    if (onPresence !== undefined) callSafely(() => onPresence(change));
  }

  publish(payload: Payload, options?: PublishOptions): Promise<void> {
    if (this.#leaving !== undefined) return Promise.reject(alreadyLeft(this.name));
    const rejection = this.#owner.takeRejection(this.number);
    if (rejection !== undefined) return Promise.reject(rejection);
    if (!this.mayPublish && this.isConnected) {
      return Promise.reject(new ParleyError("forbidden", whyNoPublishing(this)));
    }
    return this.#owner.connection.outbound.send(Type.MESSAGE, 0, this.number, payload, options);
  }

  leave(): Promise<void> {
    return this.#leaving ??= this.#leave();
  }

  async #leave(): Promise<void> {
    if (this.purpose === "program") {
      // A program that leaves wants no more messages. A responder goes on until the server confirms.
      this.queue.clear();
      this.queue.end();
    }
    try {
      if (this.isConnected) await this.#owner.leave(this);
    } finally {
      this.queue.end();
      this.subscribed = this.responding = false;
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.leave();
  }

  [Symbol.asyncIterator](): AsyncIterator<Message, undefined> {
    return {
      next: () => {
        const rejection = this.#owner.takeRejection(this.number);
        return rejection === undefined ? this.queue.next() : Promise.reject(rejection);
      },
    };
  }
}

function alreadyLeft(name: string): ParleyError {
  return new ParleyError("closed", `${name} was left; open it again to publish`);
}

function whyNoPublishing({ name, number }: OpenChannel): string {
  if (number === 0) return `${name} is a pattern; publish on a channel by its own name`;
  return `the server does not let this session publish on ${name}`;
}
