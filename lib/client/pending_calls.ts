/**
 * Who waits for which answer: ids are given out, and each answer finds the call it belongs to.
 *
 * @module
 */

import { ParleyError } from "../errors.ts";
import type { Header } from "../wire/header.ts";
import { MAX_ID } from "./limits.ts";

/** Reads the answering frame `bytes[from, to)` at once, before the next frame is looked at; what it throws rejects. */
export type Accept<T> = (header: Header, bytes: Uint8Array, from: number, to: number) => T;

/** How long to wait, and the error if that was not enough. */
export interface Late {
  /** In milliseconds. */
  readonly ms: number;
  /** Makes the error. */
  readonly error: () => ParleyError;
}

interface Waiting {
  /** The frame type that answers. */
  readonly type: number;
  accept(header: Header, bytes: Uint8Array, from: number, to: number): void;
  reject(error: ParleyError): void;
  timer: ReturnType<typeof setTimeout> | undefined;
  /** The caller has given up; the id stays taken until the server has answered, or it would answer the wrong call. */
  isAbandoned: boolean;
}

/** The answers one session waits for. */
export class PendingCalls {
  readonly #waiting = new Map<number, Waiting>();
  #live = 0;
  #last = 0;

  /** How many calls wait. */
  get count(): number {
    return this.#live;
  }

  /**
   * Waits for a frame of `type`, or an ERROR, under the id that `send` is called with.
   */
  wait<T>(
    type: number,
    send: (id: number) => void,
    accept: Accept<T>,
    late?: Late,
  ): Promise<T> {
    return new Promise((resolve, reject) => {
      const id = this.#freeId();
      const waiting: Waiting = {
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
        isAbandoned: false,
      };
      send(id);
      this.#waiting.set(id, waiting);
      this.#live++;
      if (late !== undefined) waiting.timer = setTimeout(() => this.#abandon(waiting, late.error()), late.ms);
    });
  }

  /** Hands an answer to the call that waits for it. Returns whether the id was waiting for one of that type. */
  answer(header: Header, bytes: Uint8Array, from: number, to: number): boolean {
    const waiting = this.#waiting.get(header.id);
    if (waiting === undefined || waiting.type !== header.type) return false;
    if (this.#remove(header.id, waiting)) waiting.accept(header, bytes, from, to);
    return true;
  }

  /** Makes the call that waits under `id` fail. Returns whether there is one. */
  refuse(id: number, error: ParleyError): boolean {
    const waiting = this.#waiting.get(id);
    if (waiting === undefined) return false;
    if (this.#remove(id, waiting)) waiting.reject(error);
    return true;
  }

  /** Makes every call that waits fail. */
  failAll(error: ParleyError): void {
    for (const [id, waiting] of this.#waiting) {
      if (this.#remove(id, waiting)) waiting.reject(error);
    }
  }

  /** Frees the id; returns whether the caller still waits. */
  #remove(id: number, waiting: Waiting): boolean {
    this.#waiting.delete(id);
    if (waiting.isAbandoned) return false;
    clearTimeout(waiting.timer);
    this.#live--;
    return true;
  }

  #abandon(waiting: Waiting, error: ParleyError): void {
    waiting.isAbandoned = true;
    this.#live--;
    waiting.reject(error);
  }

  /** The next id that nobody uses; going round keeps a late answer from meeting a new call. */
  #freeId(): number {
    if (this.#waiting.size >= MAX_ID) {
      throw new ParleyError("limit", `${MAX_ID} answers are outstanding; await some before asking for more`);
    }
    do {
      this.#last = this.#last % MAX_ID + 1;
    } while (this.#waiting.has(this.#last));
    return this.#last;
  }
}
