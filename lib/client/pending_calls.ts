/**
 * The calls that wait for an answer of the server. Each has an id, by which the answer finds it.
 *
 * One timer serves all of them, set to the earliest deadline: a timer for each costs a tenth of a request.
 *
 * @module
 */

import { ParleyError } from "../errors.ts";
import { type Header, Type } from "../wire/header.ts";
import { type Accept, AnyCall, type PendingCall, type Timeout } from "./call.ts";
import type { FrameWriter } from "./frame_writer.ts";
import { MAX_ID } from "./limits.ts";
import type { Payload } from "./message_types.ts";
import type { RequestOptions } from "./options.ts";
import { Timer } from "./waiting.ts";

/** What the calls need of their connection. */
export interface CallEvents {
  /** Why nothing can be sent any more; undefined while it can. */
  readonly endError: ParleyError | undefined;
  /** Reads on, because the answer may come behind messages that wait. */
  resume(): void;
}

/** The slots of a session that makes few calls at once. */
const FEWEST_SLOTS = 16;

/** The calls of one session that wait for an answer. */
export class PendingCalls {
  readonly #writer: FrameWriter;
  readonly #events: CallEvents;
  /**
   * Each call by the last bits of its id; at least half of the slots are free. Not a `Map`: entries that come and go
   * make it replace its table again and again, and each old table refers to the next one, so that the garbage collector
   * takes all they ever held for alive until its next full run.
   */
  #slots: (PendingCall | undefined)[] = emptySlots(FEWEST_SLOTS);
  /** Slots in use. */
  #used = 0;
  #count = 0;
  #lastId = 0;
  #timer: Timer | undefined;
  /** When the timer fires. It may then have nothing to do. */
  #timerAt = Infinity;

  /** Sends with `writer`. */
  constructor(writer: FrameWriter, events: CallEvents) {
    this.#writer = writer;
    this.#events = events;
  }

  /** How many calls wait, those not counted that have timed out. */
  get count(): number {
    return this.#count;
  }

  /**
   * Sends a frame and waits for its answer of type `answer`, which `accept` reads before the next frame is read.
   *
   * @throws {ParleyError} the server's ERROR, or the error that ended the connection
   */
  call<T>(
    answer: number,
    send: (writer: FrameWriter, id: number) => void,
    accept: Accept<T>,
    timeout?: Timeout,
  ): Promise<T> {
    const { endError } = this.#events;
    if (endError !== undefined) return Promise.reject(endError);
    return new Promise((resolve, reject) => {
      const call = new AnyCall(answer, accept, resolve, reject, timeout);
      call.id = this.#freeId();
      send(this.#writer, call.id);
      this.#add(call, timeout?.signal);
    });
  }

  /**
   * Sends a request, which becomes `call`.
   *
   * @throws {ParleyError} `too_large`, `bad_argument`, `backlog_full`; or the error that ended the connection
   */
  request(call: PendingCall, channelId: number, payload: Payload, options: RequestOptions | undefined): void {
    const { endError } = this.#events;
    if (endError !== undefined) return call.reject(endError);
    call.id = this.#freeId();
    this.#writer.message(Type.REQUEST, call.id, channelId, payload, options);
    this.#add(call, options?.signal);
  }

  /**
   * Gives `call` an id, under which its frame must be sent next.
   *
   * @throws {ParleyError} `backlog_full`
   */
  expect(call: PendingCall): void {
    call.id = this.#freeId();
    this.#add(call, undefined);
  }

  #add(call: PendingCall, signal: AbortSignal | undefined): void {
    this.#slots[this.#slotOf(call.id)] = call;
    this.#used++;
    this.#count++;
    if (call.deadline < this.#timerAt) this.#setTimer(call.deadline);
    if (signal !== undefined) {
      const aborted = () => this.#abandon(call, signal.reason);
      call.detach = () => signal.removeEventListener("abort", aborted);
      signal.addEventListener("abort", aborted);
    }
    this.#events.resume();
  }

  /** Passes an answer to its call. Returns whether a call under that id waits for this type. */
  answer(header: Header, bytes: Uint8Array, from: number, to: number): boolean {
    const call = this.#find(header.id);
    if (call === undefined || call.type !== header.type) return false;
    if (!this.#remove(call)) return true;
    try {
      call.accept(header, bytes, from, to);
    } catch (error) {
      call.reject(error);
    }
    return true;
  }

  /** Rejects the call under `id`. Returns whether there is one. */
  reject(id: number, error: ParleyError): boolean {
    const call = this.#find(id);
    if (call === undefined) return false;
    if (this.#remove(call)) call.reject(error);
    return true;
  }

  /** Rejects all calls. */
  rejectAll(error: ParleyError): void {
    this.#timer?.stop();
    this.#timerAt = Infinity;
    for (const call of this.#slots) {
      if (call !== undefined && this.#remove(call)) call.reject(error);
    }
  }

  /**
   * The next free id. An id is used again as late as possible, so that a stray answer does not meet a new call.
   *
   * @throws {ParleyError} `backlog_full` if there is none
   */
  #freeId(): number {
    if (this.#used >= MAX_ID) {
      throw new ParleyError(
        "backlog_full",
        `${MAX_ID} calls wait for an answer; await some before making more`,
      );
    }
    if (this.#used * 2 >= this.#slots.length && this.#slots.length <= MAX_ID) this.#grow();
    do {
      this.#lastId = this.#lastId % MAX_ID + 1;
    } while (this.#slots[this.#slotOf(this.#lastId)] !== undefined);
    return this.#lastId;
  }

  /** Ids that differ in their last bits differ in one bit more of them, too. */
  #grow(): void {
    const slots = emptySlots(this.#slots.length * 2);
    for (const call of this.#slots) if (call !== undefined) slots[call.id & (slots.length - 1)] = call;
    this.#slots = slots;
  }

  #slotOf(id: number): number {
    return id & (this.#slots.length - 1);
  }

  #find(id: number): PendingCall | undefined {
    const call = this.#slots[this.#slotOf(id)];
    return call?.id === id ? call : undefined;
  }

  /** Frees the id. Returns whether the caller still waits. */
  #remove(call: PendingCall): boolean {
    this.#slots[this.#slotOf(call.id)] = undefined;
    this.#used--;
    if (call.isAbandoned) return false;
    call.detach?.();
    this.#count--;
    return true;
  }

  #abandon(call: PendingCall, error: unknown): void {
    call.detach?.();
    call.isAbandoned = true;
    this.#count--;
    call.reject(error);
  }

  #setTimer(at: number): void {
    this.#timer?.stop();
    this.#timerAt = at;
    this.#timer = new Timer(Math.max(1, at - performance.now()), this.#expire);
  }

  readonly #expire = () => {
    this.#timerAt = Infinity;
    const now = performance.now();
    let next = Infinity;
    for (const call of this.#slots) {
      if (call === undefined || call.isAbandoned) continue;
      if (call.deadline <= now) this.#abandon(call, call.late());
      else next = Math.min(next, call.deadline);
    }
    if (next < this.#timerAt) this.#setTimer(next);
  };
}

function emptySlots(count: number): (PendingCall | undefined)[] {
  return new Array<PendingCall | undefined>(count).fill(undefined);
}
