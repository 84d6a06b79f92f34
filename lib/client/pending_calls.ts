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
  /** The frame type that answers it. */
  readonly type: number;
  accept(header: Header, bytes: Uint8Array, from: number, to: number): void;
  reject(error: unknown): void;
  timer: Timer | undefined;
  /** Stops listening to the signal. */
  detach: (() => void) | undefined;
  /**
   * The call has timed out. Its id stays in use until the server has answered: a late answer must not be taken for
   * that of another call.
   */
  isAbandoned: boolean;
}

/** The calls of one session that wait for an answer. */
export class PendingCalls {
  readonly #calls = new Map<number, PendingCall>();
  #count = 0;
  #lastId = 0;

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
        type,
        accept: (header, bytes, from, to) => {
          try {
            resolve(accept(header, bytes, from, to));
          } catch (error) {
            reject(error);
          }
        },
        reject,
        timer: undefined,
        detach: undefined,
        isAbandoned: false,
      };
      send(id);
      this.#calls.set(id, call);
      this.#count++;
      if (timeout !== undefined) {
        const { signal } = timeout;
        call.timer = new Timer(timeout.ms, () => this.#abandon(call, timeout.error()));
        if (signal !== undefined) {
          const aborted = () => this.#abandon(call, signal.reason);
          call.detach = () => signal.removeEventListener("abort", aborted);
          signal.addEventListener("abort", aborted);
        }
      }
    });
  }

  /** Passes an answer to its call. Returns whether a call under that id waits for this type. */
  answer(header: Header, bytes: Uint8Array, from: number, to: number): boolean {
    const call = this.#calls.get(header.id);
    if (call === undefined || call.type !== header.type) return false;
    if (this.#remove(header.id, call)) call.accept(header, bytes, from, to);
    return true;
  }

  /** Rejects the call under `id`. Returns whether there is one. */
  reject(id: number, error: ParleyError): boolean {
    const call = this.#calls.get(id);
    if (call === undefined) return false;
    if (this.#remove(id, call)) call.reject(error);
    return true;
  }

  /** Rejects all calls. */
  rejectAll(error: ParleyError): void {
    for (const [id, call] of this.#calls) {
      if (this.#remove(id, call)) call.reject(error);
    }
  }

  /** Frees the id. Returns whether the caller still waits. */
  #remove(id: number, call: PendingCall): boolean {
    this.#calls.delete(id);
    if (call.isAbandoned) return false;
    call.timer?.stop();
    call.detach?.();
    this.#count--;
    return true;
  }

  #abandon(call: PendingCall, error: unknown): void {
    call.timer?.stop();
    call.detach?.();
    call.isAbandoned = true;
    this.#count--;
    call.reject(error);
  }

  /** The next free id. An id is used again as late as possible, so that a stray answer does not meet a new call. */
  #freeId(): number {
    if (this.#calls.size >= MAX_ID) {
      throw new ParleyError(
        "backlog_full",
        `${MAX_ID} calls wait for an answer; await some before making more`,
      );
    }
    do {
      this.#lastId = this.#lastId % MAX_ID + 1;
    } while (this.#calls.has(this.#lastId));
    return this.#lastId;
  }
}
