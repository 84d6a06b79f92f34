/**
 * Who is who: messages carry a session's number, people have names.
 *
 * @module
 */

import { visible } from "../terminal.ts";

/** Names remembered; somebody's last words may come after they have left, but not thousands of others later. */
const MAX_NAMES = 10_000;

/** The names of sessions, those that left a while ago included. */
export class Names {
  readonly #names = new Map<number, string>();

  /** Remembers the name of session `number`. */
  set(number: number, name: string): void {
    this.#names.delete(number); // so that the oldest stands first
    this.#names.set(number, name);
    if (this.#names.size > MAX_NAMES) this.#names.delete(this.#names.keys().next().value!);
  }

  /** The name of session `number`, safe to show. */
  of(number: number): string {
    return visible(this.#names.get(number) ?? (number === 0 ? "the server" : `session ${number}`));
  }
}
