/**
 * The messages that wait for an iterator: runs, copied once as they came, and cut into messages on demand.
 *
 * A queue is full at its limit and has room again at half of it, so that the connection pauses and resumes once for
 * many messages.
 *
 * @module
 */

import { ParleyError } from "../errors.ts";
import { HEADER_BYTES } from "../limits.ts";
import { u32 } from "../wire/header.ts";
import { QUEUE_BYTES } from "./limits.ts";
import { type Origin, type ReadMessage, readMessage, type StoredPlace } from "./message.ts";
import type { Message } from "./message_types.ts";

/** Neighbouring frames of one channel. Runs form a linked list, so that adding and removing cost the same at any length. */
interface Run {
  readonly bytes: Uint8Array;
  at: number;
  readonly origin: Origin;
  /** The messages of this session are skipped; 0 = none are. */
  readonly skippedSender: number;
  /** Of a stored channel. */
  readonly place: StoredPlace | undefined;
  next: Run | undefined;
}

interface Waiter {
  readonly took: ((message: Message) => void) | undefined;
  resolve(result: IteratorResult<Message, undefined>): void;
  reject(error: unknown): void;
}

/** What all queues of one client share, whatever sessions they receive from. */
export interface Backlog {
  /** How many bytes wait in all of them. */
  bytes: number;
  /** A full queue has room again. */
  drained(): void;
  /** Passes an error to `ConnectOptions.onError`. Returns whether there is one. */
  report(error: ParleyError): boolean;
}

const DONE: IteratorReturnResult<undefined> = { value: undefined, done: true };

/** The queue of one channel, or of the inbox. */
export class MessageQueue {
  readonly #backlog: Backlog;
  readonly #read: ReadMessage;
  #first: Run | undefined;
  #last: Run | undefined;
  #bytes = 0;
  #isFull = false;
  #waiters: Waiter[] = [];
  /** Set once no more messages will come. */
  #end: { readonly error: unknown } | undefined;

  /** An empty queue, from which messages are read by `read`. */
  constructor(backlog: Backlog, read: ReadMessage = readMessage) {
    this.#backlog = backlog;
    this.#read = read;
  }

  /** Whether the connection should pause instead of calling `push`. */
  get isFull(): boolean {
    return this.#isFull;
  }

  /** Whether no message waits. */
  get isEmpty(): boolean {
    return this.#first === undefined;
  }

  /** Adds whole frames of one channel. `bytes` must belong to the queue and not change. */
  push(bytes: Uint8Array, origin: Origin, skippedSender = 0, place?: StoredPlace): void {
    if (this.#end !== undefined) return;
    const run: Run = { bytes, at: 0, origin, skippedSender, place, next: undefined };
    if (this.#last === undefined) this.#first = run;
    else this.#last.next = run;
    this.#last = run;
    this.#count(bytes.length);
    if (this.#bytes >= QUEUE_BYTES) this.#isFull = true;
    while (this.#waiters.length > 0) {
      const taken = this.#take();
      if (taken === undefined) break;
      const waiter = this.#waiters.shift()!;
      if (taken instanceof ParleyError) {
        waiter.reject(taken);
        continue;
      }
      waiter.took?.(taken);
      waiter.resolve({ value: taken, done: false });
    }
  }

  /** The next message. Waits for one if the queue is empty. `took` is called as soon as it is taken. */
  next(took?: (message: Message) => void): Promise<IteratorResult<Message, undefined>> {
    const taken = this.#take();
    if (taken instanceof ParleyError) return Promise.reject(taken);
    if (taken !== undefined) {
      took?.(taken);
      return Promise.resolve({ value: taken, done: false });
    }
    if (this.#end === undefined) {
      return new Promise((resolve, reject) => this.#waiters.push({ resolve, reject, took }));
    }
    return this.#end.error === undefined ? Promise.resolve(DONE) : Promise.reject(this.#end.error);
  }

  /** The next message if one is there. */
  takeNow(): Message | undefined {
    const taken = this.#take();
    if (taken instanceof ParleyError) return undefined;
    return taken;
  }

  /** No more messages come: after those that wait, iterations end, with `error` if there is one. */
  end(error?: unknown): void {
    if (this.#end !== undefined) return;
    this.#end = { error };
    for (const waiter of this.#waiters.splice(0)) {
      if (error === undefined) waiter.resolve(DONE);
      else waiter.reject(error);
    }
  }

  /** Where the messages that wait are in their stored channel, neighbours together. */
  *places(): Iterable<StoredPlace> {
    for (let run = this.#first; run !== undefined; run = run.next) {
      if (run.place !== undefined) yield run.place;
    }
  }

  /** Drops the messages that wait. */
  clear(): void {
    this.#first = this.#last = undefined;
    this.#count(-this.#bytes);
  }

  /** The next message, or the error of a malformed one if `Backlog.report` does not take it. */
  #take(): Message | ParleyError | undefined {
    let run = this.#first;
    while (run !== undefined) {
      const { bytes, at, skippedSender, place } = run;
      const next = at + HEADER_BYTES + u32(bytes, at + 4);
      run.at = next;
      const isSkipped = skippedSender !== 0 && u32(bytes, at + 12) === skippedSender;
      const message = isSkipped ? undefined : this.#read(bytes, at, run.origin, place);
      if (place !== undefined) place.sequence++;
      if (next >= bytes.length) {
        this.#first = run.next;
        run.next = undefined; // or a dead run would keep those after it from the garbage collector
        if (this.#first === undefined) this.#last = undefined;
      }
      this.#count(at - next);
      const isReported = message instanceof ParleyError && this.#backlog.report(message);
      if (message !== undefined && !isReported) return message;
      run = this.#first;
    }
    return undefined;
  }

  #count(bytes: number): void {
    this.#bytes += bytes;
    this.#backlog.bytes += bytes;
    if (this.#isFull && this.#bytes <= QUEUE_BYTES / 2) {
      this.#isFull = false;
      this.#backlog.drained();
    }
  }
}
