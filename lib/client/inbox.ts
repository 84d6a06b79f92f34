/**
 * The messages sent to the client itself.
 *
 * @module
 */

import { INBOX } from "../wire/header.ts";
import { INBOX_NAME } from "./message.ts";
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

/** The channel field of messages to a session. */
export function inboxOf(session: number): number {
  return (INBOX | session) >>> 0;
}

/** A name for an inbox that no channel has. */
export function inboxKey(channel: number): string {
  return `${INBOX_NAME}.${channel}`;
}
