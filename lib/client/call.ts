/**
 * A call that waits for an answer.
 *
 * @module
 */

import type { ParleyError } from "../errors.ts";
import type { Header } from "../wire/header.ts";

/** Reads the answer `bytes[from, to)` at once, before the next frame is read. An error that it throws rejects the call. */
export type Accept<T> = (header: Header, bytes: Uint8Array, from: number, to: number) => T;

/** How long a call waits. */
export interface Timeout {
  /** In milliseconds; Infinity for no limit. */
  readonly ms: number;
  /** Makes the error for a call that took longer. */
  readonly error: () => ParleyError;
  /** Ends the wait earlier, with its reason. */
  readonly signal?: AbortSignal;
}

/** A call that waits. */
export abstract class PendingCall {
  /** By which its answer finds it. */
  id = 0;
  /** The frame type that answers it. */
  readonly type: number;
  /** When it has timed out, by `performance.now()`. */
  readonly deadline: number;
  /** Stops listening to the signal. */
  detach: (() => void) | undefined = undefined;
  /**
   * The call has timed out or was given up. Its id stays in use until the server has answered: a late answer must not
   * be taken for that of another call.
   */
  isAbandoned = false;

  /** Waits for a frame of `type`. */
  constructor(type: number, timeoutMs: number) {
    this.type = type;
    this.deadline = timeoutMs === Infinity ? Infinity : performance.now() + timeoutMs;
  }

  /** Takes the answer. */
  abstract accept(header: Header, bytes: Uint8Array, from: number, to: number): void;
  /** It has failed. */
  abstract reject(error: unknown): void;
  /** The error for a call that took too long. */
  abstract late(): ParleyError;
}

/** A call of any kind. */
export class AnyCall<T> extends PendingCall {
  readonly #accept: Accept<T>;
  readonly #resolve: (value: T) => void;
  readonly #reject: (error: unknown) => void;
  readonly #timeout: Timeout | undefined;

  /** Waits for a frame of `type`, which `accept` reads. */
  constructor(
    type: number,
    accept: Accept<T>,
    resolve: (value: T) => void,
    reject: (error: unknown) => void,
    timeout: Timeout | undefined,
  ) {
    super(type, timeout?.ms ?? Infinity);
    this.#accept = accept;
    this.#resolve = resolve;
    this.#reject = reject;
    this.#timeout = timeout;
  }

  accept(header: Header, bytes: Uint8Array, from: number, to: number): void {
    this.#resolve(this.#accept(header, bytes, from, to));
  }

  reject(error: unknown): void {
    this.#reject(error);
  }

  late(): ParleyError {
    return this.#timeout!.error();
  }
}
