/**
 * A file that is read again only after it has changed.
 *
 * @module
 */

import type { Storage } from "./storage.ts";

/** Keeps the parsed content of a file, and reads it again only after it has changed. */
export class WatchedFile<T> {
  readonly #storage: Pick<Storage, "read" | "stamp">;
  readonly #name: string;
  readonly #parse: (text: string | undefined) => T | Promise<T>;
  #stamp: string | undefined;
  #value: T;
  #last: Promise<unknown> = Promise.resolve();

  /** @param initial the value until the file is first read */
  constructor(
    storage: Pick<Storage, "read" | "stamp">,
    name: string,
    initial: T,
    parse: (text: string | undefined) => T | Promise<T>,
  ) {
    this.#storage = storage;
    this.#name = name;
    this.#value = initial;
    this.#parse = parse;
  }

  /** The content as of the last successful read. */
  get value(): T {
    return this.#value;
  }

  /**
   * Reads the file if it has changed; resolves to whether it had. Refreshes run one at a time, so an older content
   * never replaces a newer one. Rejects if the file cannot be read or parsed; then the value stays, and the next
   * refresh tries again.
   */
  refresh(): Promise<boolean> {
    const done = this.#last.then(() => this.#refresh());
    this.#last = done.catch(() => {});
    return done;
  }

  async #refresh(): Promise<boolean> {
    // Taken before reading, so that the next refresh sees a write in between.
    const stamp = await this.#storage.stamp(this.#name);
    if (stamp === this.#stamp) return false;
    this.#value = await this.#parse(await this.#storage.read(this.#name));
    this.#stamp = stamp;
    return true;
  }
}
