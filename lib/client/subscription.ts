/**
 * A subscription of a program: its queue and its members. It outlives the sessions that it receives from.
 *
 * @module
 */

import { ParleyError } from "../errors.ts";
import type { Member, Opened } from "../wire/client_control.ts";
import { overlaps } from "../wire/names.ts";
import type { StoredChannel, Subscription } from "./api.ts";
import { callSafely } from "./callback.ts";
import type { ConsumerLoop, Consumption } from "./consumption.ts";
import type { Message } from "./message_types.ts";
import type { PresenceChange, StartingPoint, SubscribeOptions } from "./options.ts";
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
  stored: StoredChannel | undefined;
  lastCount: number | undefined;
  /** Where it begins in a stored channel. */
  readonly from: StartingPoint | undefined;
  /** What it has besides if it is a consumer's. */
  readonly consumption: Consumption | undefined;
  /**
   * The first sequence it gets. It shares one subscription on the wire with others, and if those are behind, what they
   * get is not new to it.
   */
  beginsAt = 0;

  readonly #segments: readonly string[];
  readonly #onPresence: ((change: PresenceChange) => void) | undefined;
  readonly #signal: AbortSignal | undefined;
  readonly #aborted = () => void this.end(this.#signal!.reason).catch(() => {});
  readonly #leave: (subscription: ClientSubscription) => Promise<void>;
  readonly #loop: ConsumerLoop | undefined;
  /** Whether the server has opened its channel for it. */
  #isOpened = false;
  #ending: Promise<void> | undefined;

  /**
   * @param leave ends it at the server
   * @param consumption what it has besides if it is a consumer's
   */
  constructor(
    channel: string,
    options: SubscribeOptions,
    backlog: Backlog,
    leave: (subscription: ClientSubscription) => Promise<void>,
    consumption: Consumption | undefined,
  ) {
    const { group, echo = true, presence = false, signal, from, consumer } = options;
    this.channel = channel;
    this.group = group;
    this.echo = echo;
    this.presence = presence !== false;
    this.queue = consumption?.queue ?? new MessageQueue(backlog);
    this.from = from === "new" && consumer === undefined ? undefined : from;
    this.consumption = consumption;
    this.#loop = consumption?.loop(() => this.return());
    this.#segments = channel.split(".");
    this.#onPresence = typeof presence === "function" ? presence : undefined;
    this.#signal = signal;
    this.#leave = leave;
    signal?.addEventListener("abort", this.#aborted);
  }

  /** Whether `added` can be a subscription of the same session. */
  fits(added: ClientSubscription): boolean {
    const isSameChannel = this.channel === added.channel;
    const isShared = this.#isShared || added.#isShared;
    const isSameGroup = this.group !== undefined && this.group === added.group;
    if (isShared ? isSameChannel && isSameGroup : added.from === undefined && (isSameChannel || !this.from)) {
      return true;
    }
    return !overlaps(this.#segments, added.#segments);
  }

  /** Whether each message goes to it or to another subscription of its group or consumer. */
  get #isShared(): boolean {
    return this.group !== undefined || this.consumption !== undefined;
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
    this.consumption?.stop();
    this.queue.end(error);
  }

  /** A session is about to open its channel. If it is not the one that says from where, only what is new is for it. */
  joins(isFirst: boolean): void {
    if (!this.#isOpened) this.beginsAt = isFirst ? 0 : Infinity;
  }

  /** The connection broke. */
  interrupted(): void {
    this.consumption?.interrupted();
  }

  /** The server has opened the channel. */
  opened({ durable, epoch, first = 1, last = 0, count }: Opened): void {
    if (this.beginsAt === Infinity) this.beginsAt = last + 1;
    this.#isOpened = true;
    if (this.from === "last") this.lastCount = count;
    if (epoch !== undefined) this.stored = { storage: durable ? "durable" : "history", epoch, first, last };
  }

  /** An operator has deleted the channel; its sequences begin anew. */
  restarted(): void {
    this.beginsAt = 0;
    if (this.consumption === undefined) return;
    const text =
      `the consumer on ${this.channel} has ended, because the channel was deleted; subscribe again`;
    this.end(new ParleyError("epoch_changed", text)).catch(() => {});
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
    return this.#loop === undefined ? this.queue.next() : this.#loop.next();
  }

  return(): Promise<IteratorReturnResult<undefined>> {
    this.end().catch(() => {}); // fails only with the connection
    return Promise.resolve(DONE);
  }

  [Symbol.asyncIterator](): AsyncIterableIterator<Message, undefined> {
    return this.consumption?.loop(() => this.return()) ?? this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end();
  }
}
