/**
 * The door of one server together with what it is made of, kept up to date with the state folder.
 *
 * @module
 */

import { TokenAuthenticator } from "./token_authenticator.ts";
import { Keys } from "./keys.ts";
import { Registry } from "./registry.ts";
import type { Storage } from "../state/storage.ts";
import { Tokens } from "./tokens.ts";

/** Guards one server. */
export class AuthService {
  /** Judges tokens. */
  readonly authenticator: TokenAuthenticator;
  readonly #tokens: Tokens;
  readonly #failed: (error: unknown) => void;
  #running: Promise<void> = Promise.resolve();
  /** The look that begins when the one that is running is done; whoever asks meanwhile shares it. */
  #next: Promise<void> | undefined;
  #hasFailed = false;
  /** Those who are made to wait, each with how to let it go. */
  readonly #waiting = new Map<ReturnType<typeof setTimeout>, () => void>();

  /**
   * `failed` hears once of each time the state folder begins to be unreadable; `longestPauseMs` is how long a refusal
   * may be held back, see {@linkcode TokenAuthenticator}.
   */
  constructor(storage: Storage, failed: (error: unknown) => void, longestPauseMs?: number) {
    const keys = new Keys(storage, Date.now);
    const registry = new Registry(storage, Date.now);
    this.#tokens = new Tokens({ keys, registry, now: Date.now, uuid: () => crypto.randomUUID() });
    this.#failed = failed;
    // How long ago somebody failed must not depend on the time of day, which may be set.
    this.authenticator = new TokenAuthenticator(
      this.#tokens,
      () => performance.now(),
      (ms) => this.#pause(ms),
      longestPauseMs,
    );
  }

  /** Reads keys and tokens for the first time. Rejects where that cannot be. */
  async open(): Promise<void> {
    await this.#tokens.refresh();
  }

  /**
   * Takes over what other processes did before this was called; for about once a second. Never rejects, and never
   * looks twice at once.
   */
  refresh(): Promise<void> {
    this.#next ??= this.#running.then(() => {
      this.#next = undefined;
      return this.#running = this.#look();
    });
    return this.#next;
  }

  /** Writes down what is only known here, the last uses of tokens, and makes nobody wait any more. */
  async close(): Promise<void> {
    for (const [timer, go] of this.#waiting) {
      clearTimeout(timer);
      go();
    }
    this.#waiting.clear();
    await (this.#next ?? this.#running);
    try {
      await this.#tokens.close();
    } catch (error) {
      this.#failed(error);
    }
  }

  async #look(): Promise<void> {
    try {
      await this.#tokens.refresh();
      this.#hasFailed = false;
    } catch (error) {
      if (!this.#hasFailed) this.#failed(error);
      this.#hasFailed = true;
    }
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(timer);
        resolve();
      }, ms);
      this.#waiting.set(timer, resolve);
    });
  }
}
