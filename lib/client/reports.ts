/**
 * What no call has reported yet: rejections of the server, and messages that a broken connection may have lost.
 *
 * @module
 */

import type { ParleyError } from "../errors.ts";
import { callSafely } from "./callback.ts";
import { MAX_REJECTIONS } from "./limits.ts";

/** The reports of one client. */
export class Reports {
  readonly #onError: ((error: ParleyError) => void) | undefined;
  /** By channel or inbox, for the next call on it. */
  readonly #rejections = new Map<string, ParleyError>();
  /** Why messages were lost, until `flush` or `close` has said so. */
  #lost: ParleyError | undefined;

  /** @param onError see `ConnectOptions.onError` */
  constructor(onError: ((error: ParleyError) => void) | undefined) {
    this.#onError = onError;
  }

  /** Whether there are no rejections to report. */
  get isEmpty(): boolean {
    return this.#rejections.size === 0;
  }

  /** Whether messages were lost. */
  get hasLost(): boolean {
    return this.#lost !== undefined;
  }

  /** Messages were lost; the first such error counts. */
  lost(error: ParleyError): void {
    this.#lost ??= error;
  }

  /** A message on `name` was rejected, and no call says so: `onError` does, or the next call on that channel. */
  rejected(error: ParleyError, name: string): void {
    if (this.pass(error)) return;
    if (this.#rejections.size < MAX_REJECTIONS) this.#rejections.set(name, error);
  }

  /** Passes an error to the program's `onError`. Returns whether there is one. */
  pass(error: ParleyError): boolean {
    const onError = this.#onError;
    if (onError === undefined) return false;
    callSafely(() => onError(error));
    return true;
  }

  /** The rejection that the next call on a channel reports. */
  take(name: string): ParleyError | undefined {
    if (this.#rejections.size === 0) return undefined;
    const rejection = this.#rejections.get(name);
    this.#rejections.delete(name);
    return rejection;
  }

  /** Throws what no call has reported yet. */
  throwAll(): void {
    const [rejection] = this.#rejections.values();
    const report = this.#lost ?? rejection;
    this.#lost = undefined;
    this.#rejections.clear();
    if (report !== undefined) throw report;
  }
}
