/**
 * One channel or pattern that a session has open: what it is used for, and what the server said of it.
 *
 * @module
 */

import type { Opened } from "../wire/control.ts";
import type { Origin } from "./message.ts";
import type { MessageQueue } from "./queue.ts";
import type { ClientSubscription } from "./subscription.ts";

/** A channel that is open, or being opened. */
export class SessionChannel implements Origin {
  readonly name: string;
  /** Its number on the wire; 0 for a pattern, and before it is open. */
  channelId = 0;
  /** Whether the server has opened it. */
  isOpen = false;
  mayPublish = false;
  /** The subscriptions that share the one on the wire. */
  readonly subscriptions = new Set<ClientSubscription>();
  /** Where its requests go, if this session responds. */
  requests: MessageQueue | undefined;
  /** When it was last used for sending, as a count of uses. */
  lastUsed = 0;
  /** Settles with the last OPEN. */
  ready: Promise<void> = Promise.resolve();
  /** How many calls need it to stay open. */
  holds = 0;
  /** Whether an OPEN was sent, so that it counts towards the server's limit. */
  isCounted = false;

  /** A channel that is not open yet. */
  constructor(name: string) {
    this.name = name;
  }

  /** Whether it is only sent on, so that it can be left as soon as no call needs it. */
  get isForSending(): boolean {
    return this.subscriptions.size === 0 && this.requests === undefined;
  }

  /** The payload of the OPEN that asks for all of its uses. */
  get open(): Record<string, unknown> {
    const subscriptions = [...this.subscriptions];
    return {
      channel: this.name,
      subscribe: subscriptions.length > 0,
      respond: this.requests !== undefined,
      group: subscriptions[0]?.group,
      echo: subscriptions.length === 0 || subscriptions.some(({ echo }) => echo),
      presence: subscriptions.some(({ presence }) => presence) || undefined,
    };
  }

  /** Applies the server's answer to an OPEN. */
  opened(answer: Opened): void {
    this.isOpen = true;
    this.channelId = answer.number;
    this.mayPublish = answer.publish;
    const { members } = answer;
    if (members === undefined) return;
    for (const subscription of this.subscriptions) subscription.setMembers(members, answer.count);
  }
}
