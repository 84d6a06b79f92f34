/**
 * The calls that wait for an answer of the server. Each has an id, by which the answer finds it.
 *
 * @module
 */

import { ParleyError } from "../errors.ts";
import type { Header } from "../wire/header.ts";
import { MAX_ID } from "./limits.ts";
import { Timer } from "./waiting.ts";

/** Reads the answer `bytes[from, to)` at once, before the next frame is read. An error that it throws rejects the call. */
export type Accept<T> = (header: Header, bytes: Uint8Array, from: number, to: number) => T;

/** How long a call waits, and the error if that was not enough. */
export interface Timeout {
  /** In milliseconds; Infinity for no limit. */
  readonly ms: number;
  /** Makes the error. */
  readonly error: () => ParleyError;
  /** Ends the wait earlier, with its reason. */
  readonly signal?: AbortSignal;
}

interface PendingCall {
  readonly id: number;
  /** The frame type that answers it. */
  readonly type: number;
  accept(header: Header, bytes: Uint8Array, from: number, to: number): void;
  reject(error: unknown): void;
  /** When it is given up, in milliseconds of `performance.now`. */
  readonly deadline: number;
  readonly timeout: Timeout | undefined;
  /** Stops listening to the signal. */
  detach: (() => void) | undefined;
  /**
   * The call has timed out. Its id stays in use until the server has answered: a late answer must not be taken for
   * that of another call.
   */
  isAbandoned: boolean;
}

/** The slots of a session that makes few calls at once. */
const FEWEST_SLOTS = 16;

/** The calls of one session that wait for an answer. */
export class PendingCalls {
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
  /** One timer for all calls, because each costs as much as a call. It fires at the earliest deadline, or before. */
  #timer: Timer | undefined;
  #timerAt = Infinity;

  /** How many calls wait, those not counted that have timed out. */
  get count(): number {
    return this.#count;
  }

  /** Calls `send` with a free id, and waits for a frame of `type` or an ERROR under that id. */
  add<T>(
    type: number,
    send: (id: number) => void,
    accept: Accept<T>,
    timeout?: Timeout,
  ): Promise<T> {
    return new Promise((resolve, reject) => {
      const id = this.#freeId();
      const call: PendingCall = {
        id,
        type,
        accept: (header, bytes, from, to) => {
          try {
            resolve(accept(header, bytes, from, to));
          } catch (error) {
            reject(error);
          }
        },
        reject,
        deadline: timeout === undefined ? Infinity : performance.now() + timeout.ms,
        timeout,
        detach: undefined,
        isAbandoned: false,
      };
      send(id);
      this.#slots[this.#slotOf(id)] = call;
      this.#used++;
      this.#count++;
      if (call.deadline < this.#timerAt) this.#setTimer(call.deadline);
      const signal = timeout?.signal;
      if (signal !== undefined) {
        const aborted = () => this.#abandon(call, signal.reason);
        call.detach = () => signal.removeEventListener("abort", aborted);
        signal.addEventListener("abort", aborted);
      }
    });
  }

  /** Passes an answer to its call. Returns whether a call under that id waits for this type. */
  answer(header: Header, bytes: Uint8Array, from: number, to: number): boolean {
    const call = this.#find(header.id);
    if (call === undefined || call.type !== header.type) return false;
    if (this.#remove(call)) call.accept(header, bytes, from, to);
    return true;
  }

  /** Rejects the call under `id`. Returns whether there is one. */
  reject(id: number, error: ParleyError): boolean {
    const call = this.#find(id);
    if (call === undefined) return false;
    if (this.#remove(call)) call.reject(error);
    return true;
  }

  /** Rejects all calls: the connection is over. */
  rejectAll(error: ParleyError): void {
    this.#timer?.stop();
    this.#timerAt = Infinity;
    for (const call of this.#slots) {
      if (call !== undefined && this.#remove(call)) call.reject(error);
    }
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
    this.#timer = at === Infinity ? undefined : new Timer(at - performance.now(), this.#expire);
  }

  /** Abandons the calls that are due, and sets the timer for those that will be next. */
  readonly #expire = () => {
    const now = performance.now();
    let next = Infinity;
    for (const call of this.#slots) {
      if (call === undefined || call.isAbandoned) continue;
      if (call.deadline <= now) this.#abandon(call, call.timeout!.error());
      else next = Math.min(next, call.deadline);
    }
    this.#setTimer(next);
  };

  /** The next free id. An id is used again as late as possible, so that a stray answer does not meet a new call. */
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
}

function emptySlots(count: number): (PendingCall | undefined)[] {
  return new Array<PendingCall | undefined>(count).fill(undefined);
}
