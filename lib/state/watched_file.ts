/**
 * A file as it was last read, and whether it has changed since.
 *
 * @module
 */

import type { Storage } from "./storage.ts";

/** Keeps what `parse` made of a file, and reads it again only once it has changed. */
export class WatchedFile<T> {
  readonly #storage: Storage;
  readonly #name: string;
  readonly #parse: (text: string | undefined) => T | Promise<T>;
  #stamp: string | undefined;
  #value: T;
  #last: Promise<unknown> = Promise.resolve();

  /** @param initial what stands for the file until it is first read */
  constructor(
    storage: Storage,
    name: string,
    initial: T,
    parse: (text: string | undefined) => T | Promise<T>,
  ) {
    this.#storage = storage;
    this.#name = name;
    this.#value = initial;
    this.#parse = parse;
  }

  /** As last read. */
  get value(): T {
    return this.#value;
  }

  /**
   * Reads the file if it has changed, and tells whether it had. One look at a time, so that an older state never
   * follows a newer. Rejects where the file cannot be read or parsed; then the value stays, and the next look tries
   * again.
   */
  refresh(): Promise<boolean> {
    const done = this.#last.then(() => this.#look());
    this.#last = done.catch(() => {});
    return done;
  }

  async #look(): Promise<boolean> {
    // Taken before reading: what is written in between shows at the next look.
    const stamp = await this.#storage.stamp(this.#name);
    if (stamp === this.#stamp) return false;
    this.#value = await this.#parse(await this.#storage.read(this.#name));
    this.#stamp = stamp;
    return true;
  }
}
