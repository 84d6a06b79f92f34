/**
 * Tells the sessions that watch a channel which others come and go.
 *
 * JOINED and PARTED are caused by sessions that cannot be made to wait, least of all by one that ends. So a watcher
 * without room is told later, and only what has changed by then: a session that came and went meanwhile is never
 * mentioned. What waits for a watcher is never more than the sessions of the channel.
 *
 * @module
 */

import { encodeControl } from "../wire/control.ts";
import type { Type } from "../wire/header.ts";
import type { Peer } from "./peer.ts";
import { Work, type WorkBudget } from "./work_budget.ts";

type Change = typeof Type.JOINED | typeof Type.PARTED;

/** What a watcher has not been told yet, by session number. */
type Backlog = Map<number, { readonly change: Change; readonly name: string }>;

/** The watchers of one channel. */
export class Presence {
  readonly #channel: number;
  readonly #budget: WorkBudget;
  readonly #watchers = new Map<Peer, Backlog | undefined>();

  /** @param channel the number of the channel */
  constructor(channel: number, budget: WorkBudget) {
    this.#channel = channel;
    this.#budget = budget;
  }

  /** Whether no session watches. */
  get isEmpty(): boolean {
    return this.#watchers.size === 0;
  }

  /** Tells `watcher` of every change from now on. It has just been sent the members there are. */
  add(watcher: Peer): void {
    this.#watchers.set(watcher, undefined);
  }

  /** Tells `watcher` nothing more. */
  delete(watcher: Peer): void {
    this.#watchers.delete(watcher);
  }

  /** Tells every watcher but `peer` itself that it came or went. */
  tell(change: Change, peer: Peer): void {
    if (this.#watchers.size === 0) return;
    this.#budget.spend(Work.CONTROL + this.#watchers.size * Work.SEND);
    const { number, name } = peer;
    const frame = this.#encode(change, number, name);
    for (const [watcher, backlog] of this.#watchers) {
      if (watcher === peer) continue;
      if (backlog === undefined && watcher.outbox.hasRoom(frame.length)) {
        watcher.outbox.send(frame, 0, frame.length);
      } else {
        this.#postpone(watcher, backlog, change, number, name);
      }
    }
  }

  #postpone(watcher: Peer, known: Backlog | undefined, change: Change, number: number, name: string): void {
    let backlog = known;
    if (backlog === undefined) {
      this.#watchers.set(watcher, backlog = new Map());
      watcher.outbox.whenRoom(() => this.#catchUp(watcher));
    }
    const before = backlog.get(number);
    // Came and went, or the other way round: as the watcher knows it, nothing has changed.
    if (before !== undefined && before.change !== change) backlog.delete(number);
    else backlog.set(number, { change, name });
  }

  /** Tells `watcher` what it has missed, as far as there is room. */
  #catchUp(watcher: Peer): void {
    const backlog = this.#watchers.get(watcher);
    if (backlog === undefined) return;
    for (const [number, { change, name }] of backlog) {
      const frame = this.#encode(change, number, name);
      if (!watcher.outbox.hasRoom(frame.length)) {
        watcher.outbox.whenRoom(() => this.#catchUp(watcher));
        return;
      }
      watcher.outbox.send(frame, 0, frame.length);
      backlog.delete(number);
    }
    this.#watchers.set(watcher, undefined);
  }

  #encode(change: Change, number: number, name: string): Uint8Array {
    return encodeControl({ type: change, channel: this.#channel }, { number, name });
  }
}
