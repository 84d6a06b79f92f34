/**
 * What a schedule notes: the history of every channel, which writer each producer is, and what broke a rule.
 *
 * @module
 */

import { check, type Outcome, total } from "../../../crash/checker.ts";
import { History, type Reader } from "../../../crash/history.ts";
import type { DiskEvents } from "./faulty_log.ts";

/** A group or consumer. */
export interface Shared {
  readonly key: string;
  /** The sequence from which a group reads. */
  readonly from: number;
  reader: Reader | undefined;
  sessions: number;
  /** Whether none of its sessions has ended. */
  isComplete: boolean;
}

/** See the module's comment. */
export class Records implements DiskEvents {
  readonly problems: string[] = [];
  readonly #histories = new Map<string, History>();
  readonly #producers = new Map<string, number>();
  readonly #shared = new Map<string, Shared>();
  /** The writer of the message under each key, and its last attempt. */
  readonly #keys = new Map<string, { readonly writer: number; readonly attempt: number }>();
  #lastWriter = 0;
  #lastOrder = 0;

  readonly violated = (what: string): void => void this.problems.push(what);

  historyOf(channel: string, epoch: string): History {
    const key = `${channel} ${epoch}`;
    let history = this.#histories.get(key);
    if (history === undefined) this.#histories.set(key, history = new History());
    return history;
  }

  /** A number that no other writer has. */
  newWriter(): number {
    return ++this.#lastWriter;
  }

  /** A number higher than every one before. */
  nextOrder(): number {
    return ++this.#lastOrder;
  }

  /** The writer that the producer `name` of a channel is, of clients without a token, whichever session that is. */
  producer(channel: string, name: string): number {
    const key = `${channel} /${name}`;
    let writer = this.#producers.get(key);
    if (writer === undefined) this.#producers.set(key, writer = this.newWriter());
    return writer;
  }

  writerOf(channel: string, producer: string): number | undefined {
    return this.#producers.get(`${channel} ${producer}`);
  }

  /**
   * A new attempt at a message that is not published by frames: the one under `key` on a channel, or one of its own without
   * a key.
   */
  attempt(channel: string, key: string | undefined): { readonly writer: number; readonly attempt: number } {
    const name = `${channel} ${key}`;
    const before = key === undefined ? undefined : this.#keys.get(name);
    const next = { writer: before?.writer ?? this.newWriter(), attempt: (before?.attempt ?? 0) + 1 };
    if (key !== undefined) this.#keys.set(name, next);
    return next;
  }

  /** A session is in the group, or is the consumer, of that key; the group begins at `from` if it is the first. */
  join(key: string, from: number): Shared {
    let shared = this.#shared.get(key);
    if (shared === undefined) {
      this.#shared.set(key, shared = { key, from, reader: undefined, sessions: 0, isComplete: true });
    }
    shared.sessions++;
    return shared;
  }

  /** The readers that sessions share which are consumers, with their channel and name. */
  get consumers(): { readonly channel: string; readonly name: string; readonly reader: Reader }[] {
    return [...this.#shared.values()].flatMap(({ key, reader }) => {
      const [kind, channel, name] = key.split(" ");
      return kind === "consumer" && reader !== undefined ? [{ channel, name, reader }] : [];
    });
  }

  /** A session is no longer. What it was sent of a group is gone with it, and with the last member the group. */
  leave(shared: Shared): void {
    shared.isComplete = false;
    if (--shared.sessions === 0 && shared.key.startsWith("group")) this.#shared.delete(shared.key);
  }

  /** What became of all messages. */
  outcome(): Outcome {
    return total([...this.#histories.values()].map(check));
  }
}
