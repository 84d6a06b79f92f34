/**
 * A consumer in the hands of a program: its loops, and the renewal of the messages they work on.
 *
 * A loop that is at its body holds one message, and the messages in the queue wait for it. All of them are renewed, so
 * that a slow body does not have them delivered again. A message that the loop has left behind without `ack` is not.
 *
 * @module
 */

import { DEFAULT_ACK_SECONDS, DEFAULT_WINDOW } from "../limits.ts";
import { Acknowledgements, type Pace, type Range } from "./acknowledgements.ts";
import type { ClientConnection } from "./client_connection.ts";
import { ACK_PARTS, RENEWALS } from "./limits.ts";
import { ConsumerMessage, readConsumerMessage } from "./consumer_message.ts";
import type { Message } from "./message_types.ts";
import type { SubscribeOptions } from "./options.ts";
import { type Backlog, MessageQueue } from "./queue.ts";

/** What a subscription as a consumer has besides. */
export class Consumption implements Pace {
  /** The part of OPEN that asks for it. */
  readonly open: Pick<
    SubscribeOptions,
    "consumer" | "window" | "exclusive" | "ackSeconds" | "deliveries"
  >;
  /** See `Pace`. */
  readonly mostAcks: number;
  /** For the messages of the current session. */
  acknowledgements: Acknowledgements | undefined;

  /** The messages that wait. */
  readonly queue: MessageQueue;

  /** The loops whose body works on a message. */
  readonly #loops = new Set<ConsumerLoop>();
  readonly #timer: ReturnType<typeof setInterval>;

  /** Renews until `stop`. */
  constructor(
    { consumer, window, exclusive, ackSeconds, deliveries }: SubscribeOptions,
    backlog: Backlog,
  ) {
    this.open = { consumer, window, exclusive, ackSeconds, deliveries };
    this.mostAcks = Math.ceil((window ?? DEFAULT_WINDOW) / ACK_PARTS);
    this.queue = new MessageQueue(backlog, readConsumerMessage);
    this.#timer = setInterval(
      () => this.#renew(),
      (ackSeconds ?? DEFAULT_ACK_SECONDS) * 1000 / RENEWALS,
    );
  }

  /** A session is the consumer from now on. */
  begin(connection: ClientConnection, channelId: number, sender: number): void {
    this.acknowledgements = new Acknowledgements(connection, channelId, sender, this);
  }

  /** See `Pace`. */
  get isIdle(): boolean {
    return this.queue.isEmpty;
  }

  /** A loop over the messages. */
  loop(end: () => Promise<IteratorReturnResult<undefined>>): ConsumerLoop {
    return new ConsumerLoop(this.queue, this.#loops, () => this.flush(), end);
  }

  /** The connection broke: what was not settled is delivered again, by the next one. */
  interrupted(): void {
    this.acknowledgements?.stop();
    this.acknowledgements = undefined;
    this.queue.clear();
  }

  /** Sends what was acknowledged. */
  flush(): void {
    this.acknowledgements?.flush();
  }

  /** Sends what was acknowledged, and nothing after that. */
  stop(): void {
    clearInterval(this.#timer);
    this.acknowledgements?.stop();
  }

  #renew(): void {
    const { acknowledgements } = this;
    if (acknowledgements === undefined) return;
    let isAtWork = false;
    for (const { current } of this.#loops) {
      if (current === undefined || current.consumer !== acknowledgements) continue;
      isAtWork = true;
      current.renew();
    }
    if (!isAtWork) return;
    for (const range of waitingRanges(this.queue)) acknowledgements.renewAll(range);
  }
}

/** The sequences of the messages that wait. A range may span some that were delivered to another session. */
function waitingRanges(queue: MessageQueue): Range[] {
  const ranges: Range[] = [];
  let isAgain = false;
  for (const { sequence, last, deliveries } of queue.places()) {
    const before = ranges.at(-1);
    // What is delivered again comes in any order.
    if (before !== undefined && !isAgain && deliveries === 1) before.last = last;
    else ranges.push({ first: sequence, last });
    isAgain = deliveries > 1;
  }
  return ranges;
}

/** One loop. Several loops over a consumer share its messages. */
export class ConsumerLoop implements AsyncIterableIterator<Message, undefined> {
  /** The message that the body works on. */
  current: ConsumerMessage | undefined;
  readonly #queue: MessageQueue;
  readonly #atWork: Set<ConsumerLoop>;
  readonly #waits: () => void;
  readonly #end: () => Promise<IteratorReturnResult<undefined>>;

  /**
   * @param atWork has the loop in it while its body works on a message
   * @param waits is called when the loop begins to wait for a message
   * @param end ends the subscription
   */
  constructor(
    queue: MessageQueue,
    atWork: Set<ConsumerLoop>,
    waits: () => void,
    end: () => Promise<IteratorReturnResult<undefined>>,
  ) {
    this.#queue = queue;
    this.#atWork = atWork;
    this.#waits = waits;
    this.#end = end;
  }

  next(): Promise<IteratorResult<Message, undefined>> {
    const before = this.current;
    this.current = undefined;
    const message = this.#queue.next(this.#took);
    if (this.current === undefined) {
      if (before !== undefined) this.#atWork.delete(this);
      this.#waits();
    }
    return message;
  }

  readonly #took = (message: Message) => {
    if (!(message instanceof ConsumerMessage)) return;
    this.current = message;
    this.#atWork.add(this);
  };

  return(): Promise<IteratorReturnResult<undefined>> {
    this.current = undefined;
    this.#atWork.delete(this);
    return this.#end();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}
