/**
 * One channel or pattern that a session has open: what it is used for, and what the server said of it.
 *
 * @module
 */

import type { Opened } from "../wire/client_control.ts";
import type { Origin } from "./message.ts";
import type { MessageQueue } from "./queue.ts";
import type { ClientSubscription } from "./subscription.ts";

/** What one OPEN asks for besides what its channel is used for. */
export interface Opening {
  readonly fields: Record<string, unknown>;
  /** Called before the next frame is read. */
  readonly opened?: (answer: Opened) => void;
}

/** A channel that is open, or being opened. */
export class SessionChannel implements Origin {
  readonly name: string;
  /** Its number on the wire; 0 for a pattern, and before it is open. */
  channelId = 0;
  /** Whether the server has opened it. */
  isOpen = false;
  mayPublish = false;
  /** Whether messages can be sent at once: it is open to publish, and not durable. */
  isPlain = false;
  /** Whether this session is a producer there, so that it must stay open. */
  isProducer = false;
  /** Whether it is subscribed to for a pattern that is being renewed. */
  isCovered = false;
  /** Whether an OPEN has said where to begin, so that another one must not. */
  isPlaced = false;
  /** The last OPENED. */
  answer: Opened | undefined;
  /** The subscriptions that share the one on the wire. */
  readonly subscriptions = new Set<ClientSubscription>();
  /** Where its requests go, if this session responds. */
  requests: MessageQueue | undefined;
  /** When it was last used for sending, as a count of uses. */
  lastUsed = 0;
  /** Settles with the last OPEN. */
  ready: Promise<unknown> = Promise.resolve();
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
    return this.subscriptions.size === 0 && this.requests === undefined && !this.isProducer &&
      !this.isCovered;
  }

  /** Whether all messages of the channel come, so that a jump of the sequence means that some were missed. */
  get isGapless(): boolean {
    for (const { group, consumption, echo } of this.subscriptions) {
      if (group !== undefined || consumption !== undefined) return false;
      if (echo) return true;
    }
    return this.subscriptions.size === 0;
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
      ...subscriptions[0]?.consumption?.open,
    };
  }

  /** Applies the server's answer to an OPEN. */
  opened(answer: Opened): void {
    this.isOpen = true;
    this.channelId = answer.number;
    this.mayPublish = answer.publish;
    this.isPlain = answer.publish && !answer.durable;
    this.answer = answer;
    const { members } = answer;
    for (const subscription of this.subscriptions) subscription.opened(answer);
    if (members === undefined) return;
    for (const subscription of this.subscriptions) subscription.setMembers(members, answer.count);
  }
}
