/**
 * A subscription of a program: its queue and its members. It outlives the sessions that it receives from.
 *
 * @module
 */

import type { Member } from "../wire/control.ts";
import { overlaps } from "../wire/names.ts";
import type { Subscription } from "./api.ts";
import { callSafely } from "./callback.ts";
import type { Message } from "./message_types.ts";
import type { PresenceChange, SubscribeOptions } from "./options.ts";
import { type Backlog, MessageQueue } from "./queue.ts";

const DONE: IteratorReturnResult<undefined> = { value: undefined, done: true };

/** The subscription behind `Client.subscribe`. */
export class ClientSubscription implements Subscription {
  readonly channel: string;
  readonly group: string | undefined;
  readonly echo: boolean;
  readonly presence: boolean;
  readonly queue: MessageQueue;
  readonly members = new Map<number, string>();
  memberCount = 0;

  readonly #segments: readonly string[];
  readonly #onPresence: ((change: PresenceChange) => void) | undefined;
  readonly #signal: AbortSignal | undefined;
  readonly #aborted = () => void this.end(this.#signal!.reason).catch(() => {});
  readonly #leave: (subscription: ClientSubscription) => Promise<void>;
  #ending: Promise<void> | undefined;

  /** `leave` ends it at the server. */
  constructor(
    channel: string,
    { group, echo = true, presence = false, signal }: SubscribeOptions,
    backlog: Backlog,
    leave: (subscription: ClientSubscription) => Promise<void>,
  ) {
    this.channel = channel;
    this.group = group;
    this.echo = echo;
    this.presence = presence !== false;
    this.queue = new MessageQueue(backlog);
    this.#segments = channel.split(".");
    this.#onPresence = typeof presence === "function" ? presence : undefined;
    this.#signal = signal;
    this.#leave = leave;
    signal?.addEventListener("abort", this.#aborted);
  }

  /** Whether both can be subscriptions of one session. */
  fits(other: ClientSubscription): boolean {
    if (this.group === undefined && other.group === undefined) return true;
    if (this.channel === other.channel && this.group === other.group) return true;
    return !overlaps(this.#segments, other.#segments);
  }

  /** Whether it was ended. */
  get isEnded(): boolean {
    return this.#ending !== undefined;
  }

  /** Ends it: no more messages come, and iterations end, with `error` if there is one. */
  end(error?: unknown): Promise<void> {
    if (this.#ending !== undefined) return this.#ending;
    this.queue.clear();
    this.over(error);
    return this.#ending = this.#leave(this);
  }

  /** The connection is over for good. What was received before can still be iterated. */
  over(error: unknown): void {
    this.#signal?.removeEventListener("abort", this.#aborted);
    this.queue.end(error);
  }

  /** The server listed the members. */
  setMembers(members: readonly Member[], count: number | undefined): void {
    if (!this.presence) return;
    const known = new Map(this.members);
    this.members.clear();
    for (const { number, name } of members) this.members.set(number, name);
    this.memberCount = count ?? members.length;
    if (this.#onPresence === undefined || known.size === 0) return;
    for (const [sessionId, name] of known) {
      if (!this.members.has(sessionId)) this.#changed({ type: "parted", sessionId, name });
    }
    for (const [sessionId, name] of this.members) {
      if (!known.has(sessionId)) this.#changed({ type: "joined", sessionId, name });
    }
  }

  /** A session joined or parted. */
  presenceChanged(change: PresenceChange): void {
    if (!this.presence) return;
    if (change.type === "joined") {
      this.members.set(change.sessionId, change.name);
      this.memberCount++;
    } else {
      this.members.delete(change.sessionId);
      this.memberCount--;
    }
    this.#changed(change);
  }

  #changed(change: PresenceChange): void {
    const onPresence = this.#onPresence;
    if (onPresence !== undefined) callSafely(() => onPresence(change));
  }

  next(): Promise<IteratorResult<Message, undefined>> {
    return this.queue.next();
  }

  return(): Promise<IteratorReturnResult<undefined>> {
    this.end().catch(() => {}); // fails only with the connection
    return Promise.resolve(DONE);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end();
  }
}
