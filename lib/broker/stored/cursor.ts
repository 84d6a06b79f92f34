/**
 * A place in a stored channel, which reads what is stored and then joins what is new, without a seam.
 *
 * While its receiver takes everything, a cursor is live: it is offered each run as it is stored. As soon as the receiver
 * does not take all of a run, the cursor falls back to reading from the log, at the receiver's own pace, until it has
 * caught up. There is no moment between the two, because the channel's last sequence changes only while live cursors
 * are offered the run that changes it.
 *
 * @module
 */

import { HEADER_BYTES, READ_AHEAD_BYTES } from "../../limits.ts";
import { u32 } from "../../wire/header.ts";
import type { StoredRun } from "./log.ts";

/** Takes the messages of a cursor. */
export interface CursorReceiver {
  /**
   * Takes messages of `run`, the first of which is at `offset` and has sequence `sequence`.
   *
   * @returns how many were taken. If not all, `Cursor.wake` must be called once there is room for more
   */
  take(run: StoredRun, offset: number, sequence: number): number;
}

/** What a cursor reads from. */
export interface CursorSource {
  /** The lowest and highest sequence that is stored. */
  readonly first: number;
  readonly last: number;
  /** Cursors that have had everything. */
  readonly live: Set<Cursor>;
  /** Stops the cursors of sessions that do not read any more, if there may be such. */
  sync?(): void;
  /** See `ChannelLog.read`. */
  read(from: number, maxBytes: number): Promise<readonly StoredRun[]>;
  /** Reading failed. `reader` must be woken again after a while. */
  readFailed(error: unknown, reader: Pick<Cursor, "wake">): void;
}

/** A place in a stored channel. */
export class Cursor {
  /** The sequence of the message that comes next, at the least. */
  next: number;
  readonly #source: CursorSource;
  readonly #receiver: CursorReceiver;
  #isReading = false;
  /** Whether the receiver has room, as far as is known. */
  #hasRoom = true;
  #isStopped = false;

  /** Begins at sequence `next`, once `wake` is called. */
  constructor(source: CursorSource, next: number, receiver: CursorReceiver) {
    this.#source = source;
    this.next = next;
    this.#receiver = receiver;
  }

  /** There is room again: goes on. */
  wake(): void {
    this.#hasRoom = true;
    if (this.#isStopped || this.#isReading) return;
    if (this.next > this.#source.last) this.#source.live.add(this);
    else this.#catchUp();
  }

  /** Goes on at another place. */
  seek(next: number): void {
    this.next = next;
    this.#source.live.delete(this);
    this.wake();
  }

  /** Ends it. */
  stop(): void {
    this.#isStopped = true;
    this.#source.live.delete(this);
  }

  /** Of a live cursor: `run` has just been stored. */
  offer(run: StoredRun): void {
    if (!this.#take(run)) this.#source.live.delete(this);
  }

  /** Gives the receiver what it has not had of `run`. Returns whether it took all. */
  #take(run: StoredRun): boolean {
    const { first, count, bytes } = run;
    const end = first + count;
    if (end <= this.next) return true;
    const skipped = Math.max(0, this.next - first);
    const sequence = first + skipped;
    this.next = sequence + this.#receiver.take(run, skipMessages(bytes, 0, skipped), sequence);
    if (this.next === end) return true;
    this.#hasRoom = false;
    return false;
  }

  async #catchUp(): Promise<void> {
    this.#isReading = true;
    try {
      while (this.#hasRoom && !this.#isStopped && this.next <= this.#source.last) {
        // What was dropped is not sent, even if the row that it was in is still there.
        const at = this.next = Math.max(this.next, this.#source.first);
        const { last } = this.#source;
        const runs = await this.#source.read(at, READ_AHEAD_BYTES);
        this.#source.sync?.(); // a session may have left during the read
        if (this.next !== at || this.#isStopped) continue; // it was moved meanwhile
        // What is missing was dropped, or is damaged. What was stored during the read is read next.
        if (runs.length === 0) this.next = last + 1;
        for (const run of runs) if (!this.#hasRoom || !this.#take(run)) break;
      }
    } catch (error) {
      this.#isReading = false;
      return this.#source.readFailed(error, this);
    }
    this.#isReading = false;
    if (this.#hasRoom) this.wake();
  }
}

/** The offset of the message `count` messages after the one at `at`. */
export function skipMessages(bytes: Uint8Array, at: number, count: number): number {
  for (; count > 0; count--) at += HEADER_BYTES + u32(bytes, at + 4);
  return at;
}
