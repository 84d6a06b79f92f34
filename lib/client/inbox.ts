/**
 * The messages sent to the client itself.
 *
 * @module
 */

import type { Message } from "./message_types.ts";
import { type Backlog, MessageQueue } from "./queue.ts";

/** The inbox. Leaving a loop over it does not end it. */
export class Inbox extends MessageQueue implements AsyncIterable<Message> {
  readonly #used: () => void;

  /** Calls `used` when a program iterates over it. */
  constructor(backlog: Backlog, used: () => void) {
    super(backlog);
    this.#used = used;
  }

  [Symbol.asyncIterator](): AsyncIterator<Message, undefined> {
    this.#used();
    return { next: () => this.next() };
  }
}
