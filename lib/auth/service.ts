/**
 * The authenticator of one server, kept up to date with the state folder.
 *
 * @module
 */

import { TokenAuthenticator, type TokenVerifier } from "./token_authenticator.ts";
import { Keys } from "./keys.ts";
import { Registry } from "./registry.ts";
import type { Storage } from "../state/storage.ts";
import { Tokens } from "./tokens.ts";

/** What an {@linkcode AuthService} reports. Each failure is reported when it begins, not as long as it lasts. */
export interface AuthServiceEvents {
  /** Keys and tokens cannot be read. What was known before stays in force. */
  readFailed(error: unknown): void;
  /** Keys and tokens can be read again. */
  readAgain(): void;
  /** The last uses of tokens cannot be written. They are kept in memory, and tried again. */
  writeFailed(error: unknown): void;
  /** The last uses of tokens could be written again. */
  writtenAgain(): void;
  /** The service closed before it could write the last uses of `tokens` tokens. */
  notWritten(tokens: number, error: unknown): void;
}

/** What an {@linkcode AuthService} needs of tokens of another issuer; see `ExternalTokens`. */
export interface ExternalVerifier {
  /** Verifies these tokens, and by `own` those of this server. */
  beside(own: TokenVerifier): TokenVerifier;
  /** Reads what it needs for the first time. */
  open(): Promise<void>;
  /** Reads what has changed. Called about once a second. */
  refresh(): Promise<void>;
  /** Reads and fetches all keys now. Never rejects. */
  fetchKeys(): Promise<void>;
  /** Ends what is under way. */
  close(): Promise<void>;
}

/** Verifies the tokens of one server's clients. */
export class AuthService {
  readonly authenticator: TokenAuthenticator;
  readonly #tokens: Tokens;
  readonly #external: ExternalVerifier | undefined;
  readonly #events: AuthServiceEvents;
  readonly #abort = new AbortController();
  #running: Promise<void> = Promise.resolve();
  /** The refresh that begins when the running one is done. All calls until then share it. */
  #next: Promise<void> | undefined;
  /** Not part of a refresh: a lock that another process holds must not delay the end of a revoked token. */
  #writing: Promise<void> | undefined;
  #isReadFailing = false;
  #isWriteFailing = false;
  /** The delayed rejections: each timer, with the function that ends the delay. */
  readonly #delays = new Map<ReturnType<typeof setTimeout>, () => void>();

  /**
   * `maxDelayMs` bounds how long a rejection is delayed, see {@linkcode TokenAuthenticator}. `external` verifies tokens of
   * another issuer.
   */
  constructor(storage: Storage, events: AuthServiceEvents, maxDelayMs?: number, external?: ExternalVerifier) {
    const keys = new Keys(storage, Date.now);
    const registry = new Registry(storage, Date.now);
    this.#tokens = new Tokens({ keys, registry, now: Date.now, uuid: () => crypto.randomUUID() });
    this.#external = external;
    this.#events = events;
    // The time since a failed attempt must not depend on the time of day, which can be set.
    this.authenticator = new TokenAuthenticator(
      external?.beside(this.#tokens) ?? this.#tokens,
      () => performance.now(),
      (ms) => this.#delay(ms),
      maxDelayMs,
    );
  }

  /** Reads keys and tokens for the first time. Rejects if that fails. */
  async open(): Promise<void> {
    await Promise.all([this.#tokens.refresh(), this.#external?.open()]);
  }

  /** As {@linkcode AuthService.refresh}, and fetches the keys of another issuer now. Never rejects. */
  async reload(): Promise<void> {
    await Promise.all([this.refresh(), this.#external?.fetchKeys()]);
  }

  /**
   * Reads what other processes changed before this call, and begins to write the last uses if that is due. Call it about
   * once a second. Never rejects, and never runs twice at once.
   */
  refresh(): Promise<void> {
    this.#next ??= this.#running.then(() => {
      this.#next = undefined;
      return this.#running = this.#refresh();
    });
    return this.#next;
  }

  /**
   * Ends all delays, and writes the last uses of tokens. Gives up after `withinMs` milliseconds if another process holds
   * the lock of the folder.
   */
  async close(withinMs: number): Promise<void> {
    for (const [timer, end] of this.#delays) {
      clearTimeout(timer);
      end();
    }
    this.#delays.clear();
    const timer = setTimeout(() => this.#abort.abort(), withinMs);
    await this.#external?.close();
    try {
      await (this.#next ?? this.#running);
      await this.#writing;
      await this.#tokens.close(this.#abort.signal);
    } catch (error) {
      this.#events.notWritten(this.#tokens.unwrittenUses, error);
    } finally {
      clearTimeout(timer);
    }
  }

  async #refresh(): Promise<void> {
    try {
      await allDone([this.#tokens.refresh(), this.#external?.refresh()]);
      if (this.#isReadFailing) this.#events.readAgain();
      this.#isReadFailing = false;
    } catch (error) {
      if (!this.#isReadFailing) this.#events.readFailed(error);
      this.#isReadFailing = true;
      return; // writing would fail, too, and be reported as a second failure
    }
    this.#writing ??= this.#writeUses().finally(() => this.#writing = undefined);
  }

  async #writeUses(): Promise<void> {
    try {
      if (!await this.#tokens.writeUses(this.#abort.signal)) return;
      if (this.#isWriteFailing) this.#events.writtenAgain();
      this.#isWriteFailing = false;
    } catch (error) {
      // Once closing has begun, the last attempt follows and is reported.
      if (!this.#isWriteFailing && !this.#abort.signal.aborted) this.#events.writeFailed(error);
      this.#isWriteFailing = true;
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

/** Waits for all; rejects with the first reason if any of them has rejected. */
async function allDone(promises: readonly (Promise<unknown> | undefined)[]): Promise<void> {
  for (const result of await Promise.allSettled(promises)) {
    if (result.status === "rejected") throw result.reason;
  }
}
