/**
 * A call that waits for an answer, and a request.
 *
 * @module
 */

import { ParleyError } from "../errors.ts";
import { type Header, Type } from "../wire/header.ts";
import { errorOf } from "./error_reply.ts";
import { type Origin, readMessage } from "./message.ts";
import type { Message } from "./message_types.ts";

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

/** A request, which allocates as little as it can. */
export class RequestCall extends PendingCall {
  readonly #origin: Origin;
  readonly #timeoutMs: number;
  readonly #resolve: (reply: Message) => void;
  readonly #reject: (error: unknown) => void;
  readonly #explain: (error: unknown) => unknown;

  /**
   * A request on the channel of `origin`.
   *
   * @param leftMs how long it may still take
   * @param timeoutMs how long the whole call may take, for the error
   * @param explain says what an error means for a request
   */
  constructor(
    origin: Origin,
    leftMs: number,
    timeoutMs: number,
    resolve: (reply: Message) => void,
    reject: (error: unknown) => void,
    explain: (error: unknown) => unknown,
  ) {
    super(Type.REPLY, leftMs);
    this.#origin = origin;
    this.#timeoutMs = timeoutMs;
    this.#resolve = resolve;
    this.#reject = reject;
    this.#explain = explain;
  }

  accept(_header: Header, bytes: Uint8Array, from: number, to: number): void {
    const reply = readMessage(bytes.slice(from, to), 0, this.#origin);
    const error = reply instanceof ParleyError ? reply : errorOf(reply);
    if (error === undefined) this.#resolve(reply as Message);
    else this.#reject(error);
  }

  reject(error: unknown): void {
    this.#reject(this.#explain(error));
  }

  late(): ParleyError {
    return new ParleyError(
      "timed_out",
      `no reply on ${this.#origin.name} within ${this.#timeoutMs / 1000} s`,
    );
  }
}
