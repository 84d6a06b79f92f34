/**
 * An open channel: its queue, its members, and what may be done with it.
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
  readonly link: ClientConnection;
  /** What its queue shares with others. */
  readonly backlog: Backlog;
  /** The session's number. */
  readonly number: number;
  /** Takes the server's refusal of an earlier message to that number, if there was one. */
  takeRefusal(number: number): ParleyError | undefined;
  /** Sends LEAVE, and forgets the channel once it is confirmed. */
  leave(channel: OpenChannel): Promise<void>;
}

/**
 * Whose channel it is: a program's, which iterates it; a responder's; or one that was opened only to ask on it, and is
 * left again when many others have been asked since.
 */
export type Role = "program" | "responder" | "asking";

/** An open channel, or one that is being opened. */
export class OpenChannel implements Channel {
  readonly name: string;
  /** What waits for its iterator. */
  readonly queue: MessageQueue;
  /** See {@linkcode Role}. */
  role: Role;
  /** Settles with the last OPEN sent for it. */
  ready: Promise<void> = Promise.resolve();
  /** Whether the server has opened it. */
  isOpen = false;
  number = 0;
  mayPublish = false;
  subscribed = false;
  memberCount = 0;
  readonly members = new Map<number, string>();

  readonly #owner: ChannelOwner;
  #listener: ((change: PresenceChange) => void) | undefined;
  #left: Promise<void> | undefined;

  /** A channel not opened yet. */
  constructor(name: string, owner: ChannelOwner, role: Role) {
    this.name = name;
    this.role = role;
    this.#owner = owner;
    this.queue = new MessageQueue(owner.backlog);
  }

  /** Whether `leave` was called; it may still be under way. */
  get isLeft(): boolean {
    return this.#left !== undefined;
  }

  /** Whether the connection is there. */
  get isConnected(): boolean {
    return this.#owner.link.over === undefined;
  }

  /** Takes over what the server answered to an OPEN with `options`. */
  opened(answer: Opened, options: OpenOptions): void {
    this.isOpen = true;
    this.number = answer.number;
    this.mayPublish = answer.publish;
    this.subscribed = answer.subscribe;
    this.queue.skipped = options.echo === false ? this.#owner.number : 0;
    this.members.clear();
    for (const { number, name } of answer.members ?? []) this.members.set(number, name);
    this.memberCount = answer.count ?? this.members.size;
    this.#listener = typeof options.presence === "function" ? options.presence : undefined;
  }

  /** Somebody came or went. */
  presence(change: PresenceChange): void {
    if (change.type === "joined") {
      this.members.set(change.number, change.name);
      this.memberCount++;
    } else {
      this.members.delete(change.number);
      this.memberCount--;
    }
    const listener = this.#listener;
    if (listener !== undefined) callSafely(() => listener(change));
  }

  publish(payload: Payload, options?: PublishOptions): Promise<void> {
    if (this.#left !== undefined) return Promise.reject(leftAlready(this.name));
    const rejection = this.#owner.takeRefusal(this.number);
    if (rejection !== undefined) return Promise.reject(rejection);
    if (!this.mayPublish && this.isConnected) {
      return Promise.reject(new ParleyError("forbidden", whyNoPublishing(this)));
    }
    return this.#owner.link.outbound.post(Type.MESSAGE, 0, this.number, payload, options?.kind);
  }

  leave(): Promise<void> {
    return this.#left ??= this.#leave();
  }

  async #leave(): Promise<void> {
    if (this.role === "program") {
      // Whoever leaves wants no more of it. A responder answers what it is asked until the server confirms.
      this.queue.clear();
      this.queue.end();
    }
    try {
      if (this.isConnected) await this.#owner.leave(this);
    } finally {
      this.queue.end();
      this.subscribed = false;
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.leave();
  }

  [Symbol.asyncIterator](): AsyncIterator<Message, undefined> {
    return {
      next: () => {
        const rejection = this.#owner.takeRefusal(this.number);
        return rejection === undefined ? this.queue.next() : Promise.reject(rejection);
      },
    };
  }
}

function leftAlready(name: string): ParleyError {
  return new ParleyError("closed", `${name} was left; open it again to go on`);
}

function whyNoPublishing({ name, number }: OpenChannel): string {
  if (number === 0) return `${name} is a pattern; publish on a channel by its own name`;
  return `the server does not let this session publish on ${name}`;
}
