/**
 * Announces the sessions that join and leave, in few lines also if a thousand come back to a restarted server.
 *
 * @module
 */

import { visible } from "../../terminal.ts";

/** The shortest time between two announcements, in milliseconds. The first of a burst is not delayed. */
const PAUSE_MS = 200;

/** Names that one line lists. */
const NAMES_SHOWN = 10;

/** A session joined or left; `where` is empty or the channel. */
export interface Announcement {
  readonly name: string;
  readonly verb: "joined" | "left";
  readonly where: string;
}

/** Collects announcements, and shows those that come close together in one line. */
export class Announcements implements Disposable {
  readonly #show: (text: string) => void;
  #pending: Announcement[] = [];
  #lastMs = -PAUSE_MS;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** Lines are safe to show. */
  constructor(show: (text: string) => void) {
    this.#show = show;
  }

  /** Announces later, at the soonest in the next turn of the event loop: a session's last messages come before. */
  add(announcement: Announcement): void {
    this.#pending.push(announcement);
    const waitMs = this.#lastMs + PAUSE_MS - performance.now();
    this.#timer ??= setTimeout(() => this.#flush(), Math.max(0, waitMs));
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }

  #flush(): void {
    this.#timer = undefined;
    this.#lastMs = performance.now();
    const pending = this.#pending;
    this.#pending = [];
    for (let from = 0, to = 0; from < pending.length; from = to) {
      const { verb, where } = pending[from];
      while (to < pending.length && pending[to].verb === verb && pending[to].where === where) to++;
      const names = pending.slice(from, to).map(({ name }) => visible(name));
      this.#show(
        [listNames(names, names.length, NAMES_SHOWN), verb, where].filter((part) => part !== "").join(" "),
      );
    }
  }
}

/**
 * Lists names: `Ada`, `Ada and Grace`, `Ada, Grace and 28 more`.
 *
 * @param count how many there are, also if `names` does not have all of them
 * @param most how many are shown
 */
export function listNames(names: readonly string[], count: number, most: number): string {
  const shown = names.slice(0, most);
  if (count > shown.length) shown.push(`${count - shown.length} more`);
  return shown.length === 1 ? shown[0] : `${shown.slice(0, -1).join(", ")} and ${shown.at(-1)}`;
}
