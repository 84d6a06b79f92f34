/**
 * The authenticator of one server, kept up to date with the state folder.
 *
 * @module
 */

import { TokenAuthenticator } from "./token_authenticator.ts";
import { Keys } from "./keys.ts";
import { Registry } from "./registry.ts";
import type { Storage } from "../state/storage.ts";
import { Tokens } from "./tokens.ts";

/** Verifies the tokens of one server's clients. */
export class AuthService {
  readonly authenticator: TokenAuthenticator;
  readonly #tokens: Tokens;
  readonly #onError: (error: unknown) => void;
  #running: Promise<void> = Promise.resolve();
  /** The refresh that begins when the running one is done. All calls until then share it. */
  #next: Promise<void> | undefined;
  #isFailing = false;
  /** The delayed rejections: each timer, with the function that ends the delay. */
  readonly #delays = new Map<ReturnType<typeof setTimeout>, () => void>();

  /**
   * `onError` is called when refreshing begins to fail, not for each failure in a row, and when the last uses cannot be
   * written at the end. `maxDelayMs` bounds how long a rejection is delayed, see {@linkcode TokenAuthenticator}.
   */
  constructor(storage: Storage, onError: (error: unknown) => void, maxDelayMs?: number) {
    const keys = new Keys(storage, Date.now);
    const registry = new Registry(storage, Date.now);
    this.#tokens = new Tokens({ keys, registry, now: Date.now, uuid: () => crypto.randomUUID() });
    this.#onError = onError;
    // The time since a failed attempt must not depend on the time of day, which can be set.
    this.authenticator = new TokenAuthenticator(
      this.#tokens,
      () => performance.now(),
      (ms) => this.#delay(ms),
      maxDelayMs,
    );
  }

  /** Reads keys and tokens for the first time. Rejects if that fails. */
  async open(): Promise<void> {
    await this.#tokens.refresh();
  }

  /**
   * Reads what other processes changed before this call. Call it about once a second. Never rejects, and never runs
   * twice at once.
   */
  refresh(): Promise<void> {
    this.#next ??= this.#running.then(() => {
      this.#next = undefined;
      return this.#running = this.#refresh();
    });
    return this.#next;
  }

  /** Writes the last uses of tokens and ends all delays. */
  async close(): Promise<void> {
    for (const [timer, end] of this.#delays) {
      clearTimeout(timer);
      end();
    }
    this.#delays.clear();
    await (this.#next ?? this.#running);
    try {
      await this.#tokens.close();
    } catch (error) {
      this.#onError(error);
    }
  }

  async #refresh(): Promise<void> {
    try {
      await this.#tokens.refresh();
      this.#isFailing = false;
    } catch (error) {
      if (!this.#isFailing) this.#onError(error);
      this.#isFailing = true;
    }
  }

  #delay(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.#delays.delete(timer);
        resolve();
      }, ms);
      this.#delays.set(timer, resolve);
    });
  }
}
