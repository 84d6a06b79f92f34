/**
 * Decides whether the next commit waits for publishers that are about to send again.
 *
 * A publisher that waits for each receipt sends again as soon as it has one. If the next commit began with the first of
 * many, the others would wait for the one behind it, and two halves would take turns from then on: each message would
 * wait for two commits. So behind a commit that took long, the next one waits until as many receipts are asked for as
 * were given, for a part of that time at most. Behind a quick one nothing is gained: while one half is written, the
 * messages of the other are read.
 *
 * @module
 */

import {
  COMMIT_GATHER_BYTES,
  COMMIT_GATHER_FROM_MS,
  COMMIT_GATHER_SHARE,
  MAX_COMMIT_GATHER_MS,
  MAX_COMMITS_UNGATHERED,
} from "../../limits.ts";
import type { Timers } from "./timers.ts";

/** See the module's comment. */
export class Gathering {
  readonly #timers: Timers;
  readonly #begin: () => void;
  /** Receipts asked for since the last commit began. */
  #asked = 0;
  /** Receipts that the last commit gave, and how many were asked for by then. */
  #given = 0;
  #askedBefore = 0;
  /** Until when the next commit may wait. */
  #until = 0;
  /** Set while it waits. */
  #cancel: (() => void) | undefined;
  /** Commits that do not wait, because publishers that were waited for did not come back: now, and the next time. */
  #skipped = 0;
  #skippedNext = 1;

  /** @param begin begins a commit that has waited */
  constructor(timers: Timers, begin: () => void) {
    this.#timers = timers;
    this.#begin = begin;
  }

  /** Messages go into the next commit, which has `bytes` now. One of them wants a receipt, or none. */
  added(wantsReceipt: boolean, bytes: number): void {
    if (wantsReceipt) this.#asked++;
    if (this.#cancel === undefined || !this.#isEnough(bytes)) return;
    this.#cancel();
    this.#cancel = undefined;
    this.#skippedNext = 1;
    queueMicrotask(this.#begin); // with all of the chunk
  }

  /** Whether the next commit, of `bytes`, is to wait. If so, it is begun later. */
  waits(bytes: number): boolean {
    if (this.#until === 0 || this.#isEnough(bytes)) return false;
    const leftMs = this.#until - this.#timers.now();
    if (leftMs <= 0) return false;
    this.#cancel ??= this.#timers.after(leftMs, this.#late);
    return true;
  }

  /** A commit begins. */
  began(): void {
    this.#until = 0;
    this.#given = this.#asked;
    this.#asked = 0;
  }

  /** It is on disk, after `tookMs`, and its receipts are given. */
  settled(tookMs: number): void {
    this.#askedBefore = this.#asked;
    if (tookMs < COMMIT_GATHER_FROM_MS) return;
    if (this.#skipped > 0) this.#skipped--;
    else this.#until = this.#timers.now() + Math.min(tookMs * COMMIT_GATHER_SHARE, MAX_COMMIT_GATHER_MS);
  }

  /** It failed, and what waited for the next one is refused with it. */
  failed(): void {
    this.#asked = 0;
  }

  #isEnough(bytes: number): boolean {
    return this.#asked >= this.#askedBefore + this.#given || bytes >= COMMIT_GATHER_BYTES;
  }

  readonly #late = () => {
    this.#cancel = undefined;
    // Of publishers that come anyhow, up to half as many do in this time as for the commit before.
    if (this.#asked - this.#askedBefore < this.#given * 0.6) {
      this.#skipped = this.#skippedNext;
      this.#skippedNext = Math.min(2 * this.#skippedNext, MAX_COMMITS_UNGATHERED);
    }
    this.#begin();
  };
}
