/**
 * The door of one server together with what it is made of, kept up to date with the state folder.
 *
 * @module
 */

import { TokenDoor } from "./door.ts";
import { Keys } from "./keys.ts";
import { Registry } from "./registry.ts";
import type { Storage } from "./storage.ts";
import { Tokens } from "./tokens.ts";

/** Guards one server. */
export class Guard {
  /** Judges tokens. */
  readonly door: TokenDoor;
  readonly #tokens: Tokens;
  readonly #failed: (error: unknown) => void;
  #refreshing = false;
  #hasFailed = false;
  /** Those who are made to wait, each with how to let it go. */
  readonly #waiting = new Map<ReturnType<typeof setTimeout>, () => void>();

  /** `failed` hears once of each time the state folder begins to be unreadable. */
  constructor(storage: Storage, failed: (error: unknown) => void) {
    const keys = new Keys(storage, Date.now);
    const registry = new Registry(storage, Date.now);
    this.#tokens = new Tokens({ keys, registry, now: Date.now, uuid: () => crypto.randomUUID() });
    this.#failed = failed;
    this.door = new TokenDoor(this.#tokens, Date.now, (ms) => this.#pause(ms));
  }

  /** Reads keys and tokens for the first time. Rejects where that cannot be. */
  async open(): Promise<void> {
    await this.#tokens.refresh();
  }

  /** Takes over what other processes did; for about once a second. Never rejects, and never runs twice at once. */
  async refresh(): Promise<void> {
    if (this.#refreshing) return;
    this.#refreshing = true;
    try {
      await this.#tokens.refresh();
      this.#hasFailed = false;
    } catch (error) {
      if (!this.#hasFailed) this.#failed(error);
      this.#hasFailed = true;
    } finally {
      this.#refreshing = false;
    }
  }

  /** Writes down what is only known here, the last uses of tokens, and makes nobody wait any more. */
  async close(): Promise<void> {
    for (const [timer, go] of this.#waiting) {
      clearTimeout(timer);
      go();
    }
    this.#waiting.clear();
    try {
      await this.#tokens.close();
    } catch (error) {
      this.#failed(error);
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
