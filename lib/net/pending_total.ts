/**
 * Bounds what waits for all connections of a server together: pending output, and frames that have not come whole.
 *
 * Counted are the buffers that the pool has lent, so a buffer that many outboxes share counts once, and sending costs
 * nothing more.
 *
 * @module
 */

import { setImmediate } from "node:timers";
import { BufferPool } from "./buffers.ts";

/** A connection, as far as it takes memory. */
interface Holder {
  /** Whether it can be shed. */
  readonly isOpen: boolean;
  readonly heldBytes: number;
  /** Ends it, and drops what waits for it. */
  shed(): void;
}

/** The bound of one server. */
export class PendingTotal {
  /** Lends the buffers of all connections. */
  readonly pool: BufferPool;
  readonly #maxBytes: number;
  readonly #holders: Iterable<Holder>;
  #isScheduled = false;

  /** Beyond `maxBytes`, the connections that hold most are shed, in a later turn of the event loop. */
  constructor(maxBytes: number, holders: Iterable<Holder>) {
    this.#maxBytes = maxBytes;
    this.#holders = holders;
    this.pool = new BufferPool(maxBytes, () => this.#schedule());
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(this.#shed);
  }

  readonly #shed = () => {
    this.#isScheduled = false;
    // What is being shed still holds a little, until the reason is written.
    let closing = 0;
    const open: Holder[] = [];
    for (const holder of this.#holders) {
      if (holder.isOpen) open.push(holder);
      else closing += holder.heldBytes;
    }
    const isOver = () => this.pool.lentBytes - closing > this.#maxBytes;
    if (!isOver()) return;
    open.sort((one, other) => other.heldBytes - one.heldBytes);
    for (let i = 0; i < open.length && isOver(); i++) {
      open[i].shed();
      closing += open[i].heldBytes;
    }
  };
}
