/**
 * One stored channel: what is stored of it, and the sessions, groups and consumers that read it.
 *
 * @module
 */

import { encodeControl } from "../../wire/control.ts";
import { Type } from "../../wire/header.ts";
import { ChannelCounts } from "../counters.ts";
import type { Peer } from "../peer.ts";
import type { Member } from "../rotation.ts";
import type { Announcement, Route } from "../route.ts";
import { Work, type WorkBudget } from "../work_budget.ts";
import type { Consumer } from "./consumer.ts";
import type { Cursor } from "./cursor.ts";
import { GroupReader, type GroupSource } from "./group_reader.ts";
import type { ChannelState, StoredRun } from "./log.ts";
import type { StoragePolicy } from "./policy.ts";
import { SessionReader } from "./session_reader.ts";
import type { Producer, Tail } from "./tail.ts";

/** The channel as the router knows it. */
export interface RoutedChannel {
  readonly route: Route;
  readonly announcements: readonly Announcement[];
  /** All of `announcements` are taken care of. */
  announced(): void;
  introduce(peer: Peer, wants: Member["wants"]): void;
  /** The sessions that are subscribed by name. */
  subscribers(): Iterable<Peer>;
}

/** What a stored channel needs of its server. */
export interface StoredContext {
  readonly budget: WorkBudget;
  /** Keeps the channel of that name open until `release`, so that its route and its number stay. */
  hold(name: string): RoutedChannel;
  release(name: string): void;
  /** The established session of that number, if it is still there. */
  session(number: number): Peer | undefined;
  /** See `ChannelLog.read`. */
  read(channel: StoredChannel, from: number, maxBytes: number): Promise<readonly StoredRun[]>;
  /** Reading failed. The cursor is woken again after a while. */
  readFailed(channel: StoredChannel, reader: Pick<Cursor, "wake">, error: unknown): void;
}

/** What OPENED says of a stored channel. */
export interface StoredDescription {
  readonly durable?: true;
  readonly history?: true;
  readonly epoch: string;
  readonly first: number;
  readonly last: number;
}

/** The size of all channels of a log. */
export interface StoredTotal {
  bytes: number;
  messages: number;
}

/** See the module's comment. */
export class StoredChannel implements GroupSource {
  readonly name: string;
  readonly number: number;
  readonly policy: StoragePolicy;
  epoch: string;
  first: number;
  last: number;
  /** The size of what is stored, in bytes. */
  bytes: number;
  /** Whether the log does not know it yet: nothing was ever stored. */
  isNew: boolean;
  /** What was stored and delivered since the server started. */
  readonly counts: ChannelCounts = new ChannelCounts();
  readonly live = new Set<Cursor>();
  readonly producers = new Map<string, Producer>();
  readonly consumers = new Map<string, Consumer>();
  /** What waits for the next commit, and what the one under way has: in bytes and messages. */
  tail: Tail | undefined;
  unstoredBytes = 0;
  unstoredCount = 0;

  readonly #context: StoredContext;
  readonly #total: StoredTotal;
  readonly #readers = new Map<Peer, SessionReader>();
  readonly #groups = new Map<string, GroupReader>();
  /** There while a session or group reads, or something waits to be stored. */
  #routed: RoutedChannel | undefined;
  #route: Route | undefined;

  constructor(
    state: ChannelState,
    policy: StoragePolicy,
    isNew: boolean,
    context: StoredContext,
    total: StoredTotal,
  ) {
    this.name = state.name;
    this.number = state.number;
    this.epoch = state.epoch;
    this.first = state.first;
    this.last = state.last;
    this.bytes = state.bytes;
    this.policy = policy;
    this.isNew = isNew;
    this.#context = context;
    this.#total = total;
  }

  /** Whether it is on disk. */
  get isDurable(): boolean {
    return this.policy.storage === "durable";
  }

  /** How many messages are stored. */
  get messages(): number {
    return this.last - this.first + 1;
  }

  /** What OPENED says of it. */
  get description(): StoredDescription {
    const { epoch, first, last } = this;
    return { [this.isDurable ? "durable" : "history"]: true, epoch, first, last };
  }

  /** Whether it is of no more use: nothing was stored, and nothing reads or waits. */
  get isIdle(): boolean {
    return this.#routed === undefined && this.tail === undefined && this.consumers.size === 0;
  }

  /** Something waits to be stored: the channel stays open until it is. */
  hold(): void {
    this.#routed ??= this.#context.hold(this.name);
  }

  /** `run` is stored: live cursors are sent it. The channel's state says so already, but for its `last` and `bytes`. */
  stored(run: StoredRun): void {
    this.sync();
    this.#context.budget.spend(Work.RUN + this.live.size * Work.SEND);
    for (const cursor of this.live) cursor.offer(run);
    this.last = run.first + run.count - 1;
    this.bytes += run.bytes.length;
    this.#total.bytes += run.bytes.length;
    this.#total.messages += run.count;
    this.counts.messagesIn += run.count;
    this.counts.bytesIn += run.bytes.length;
    // A cursor that took only a part waits for room; it reads on by itself.
  }

  /** The oldest messages were dropped. */
  trimmed(first: number, bytes: number): void {
    this.#total.messages -= first - this.first;
    this.first = first;
    this.#total.bytes += bytes - this.bytes;
    this.bytes = bytes;
    for (const consumer of this.consumers.values()) consumer.trimmed(first);
  }

  /**
   * An operator has deleted the channel: its sequences begin anew under `epoch`. Its subscribers are told, its consumers
   * end, and its producers must open it again.
   */
  restart(epoch: string): void {
    this.epoch = epoch;
    this.#total.bytes -= this.bytes;
    this.#total.messages -= this.messages;
    this.first = 1;
    this.last = this.bytes = 0;
    this.isNew = true;
    for (const consumer of this.consumers.values()) consumer.end();
    this.consumers.clear();
    for (const producer of this.producers.values()) producer.owner = undefined;
    this.producers.clear();
    this.sync();
    const opened = {
      channel: this.name,
      number: this.number,
      publish: false,
      subscribe: true,
      respond: false,
    };
    const frame = encodeControl({ type: Type.OPENED, channel: this.number }, {
      ...opened,
      ...this.description,
    });
    const told = new Set([...this.#routed?.subscribers() ?? [], ...this.#readers.keys()]);
    for (const peer of told) peer.outbox.send(frame, 0, frame.length);
    for (const { cursor } of [...this.#readers.values(), ...this.#groups.values()]) cursor.seek(1);
  }

  /** Whether a commit that is under way has messages of it. */
  get isBeingStored(): boolean {
    return this.unstoredCount > (this.tail?.count ?? 0);
  }

  /** The reader of a session that is subscribed, by name or pattern. */
  reader(peer: Peer): SessionReader | undefined {
    this.hold();
    this.sync();
    return this.#readers.get(peer);
  }

  /** The sessions that have yet to read what is stored, and how many messages. */
  *behind(): Iterable<{ readonly peer: Peer; readonly behind: number }> {
    for (const { peer, cursor } of this.#readers.values()) {
      const behind = this.last + 1 - Math.max(cursor.next, this.first);
      if (behind > 0 && !peer.isEnded) yield { peer, behind };
    }
  }

  /** Makes the readers those of the route, and closes the channel if there are none. */
  sync(): void {
    if (this.#routed === undefined) return;
    const { route } = this.#routed;
    if (route !== this.#route) this.#follow(route);
    const { announcements } = this.#routed;
    if (announcements.length > 0) {
      for (const { peer, frame } of announcements) {
        const reader = this.#readers.get(peer);
        if (reader !== undefined) reader.announcement = frame;
      }
      this.#routed.announced();
    }
  }

  /** Lets go of the channel if nothing needs it. To be called once in a while. */
  rest(): void {
    this.sync();
    if (
      this.#readers.size > 0 || this.#groups.size > 0 || this.tail !== undefined || this.unstoredCount > 0
    ) {
      return;
    }
    if (this.#routed === undefined) return;
    this.#routed = this.#route = undefined;
    this.#context.release(this.name);
  }

  #follow(route: Route): void {
    this.#route = route;
    this.#context.budget.spend(route.all.length * Work.SUBSCRIPTION);
    const peers = new Set<Peer>();
    for (const { peer, echo } of route.all) {
      peers.add(peer);
      let reader = this.#readers.get(peer);
      if (reader === undefined) {
        reader = new SessionReader(this, peer, this.last + 1);
        this.#readers.set(peer, reader);
        reader.cursor.wake();
      }
      reader.echo = echo;
    }
    stopOthers(this.#readers, peers);
    const names = new Set<string>();
    for (const rotation of route.groups) {
      names.add(rotation.name);
      const known = this.#groups.get(rotation.name);
      if (known !== undefined) {
        known.changeMembers(rotation);
        continue;
      }
      const group = new GroupReader(this, rotation, this.last + 1);
      this.#groups.set(rotation.name, group);
      group.cursor.wake();
    }
    stopOthers(this.#groups, names);
  }

  read(from: number, maxBytes: number): Promise<readonly StoredRun[]> {
    this.sync();
    return this.#context.read(this, from, maxBytes);
  }

  readFailed(error: unknown, reader: Pick<Cursor, "wake">): void {
    this.#context.readFailed(this, reader, error);
  }

  session(number: number): Peer | undefined {
    return this.#context.session(number);
  }

  introduce({ peer, wants }: Member): void {
    if (wants !== undefined) this.#routed?.introduce(peer, wants);
  }
}

/** Stops and removes the readers that are not among `kept`. */
function stopOthers<K>(readers: Map<K, { readonly cursor: Cursor }>, kept: ReadonlySet<K>): void {
  for (const [key, { cursor }] of readers) {
    if (kept.has(key)) continue;
    cursor.stop();
    readers.delete(key);
  }
}
