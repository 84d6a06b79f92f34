/**
 * What every view is given: the store, the connection, and ways to ask the user and to tell what became of it.
 *
 * @module
 */

import { ParleyError } from "../../errors.ts";
import type { AdminRequests } from "../../wire/stats.ts";
import { type Connection, problemOf } from "./connection.ts";
import type { Store } from "./store.ts";

/** How long a notice stays, in milliseconds; a problem stays until it is closed. */
const NOTICE_MS = 6_000;

/** How many notices are shown at once. */
const SHOWN_NOTICES = 3;

/** The page as its views see it. */
export class App {
  /** What the page knows. */
  readonly store: Store;
  /** The connection to the server. */
  readonly connection: Connection;
  #lastNotice = 0;

  constructor(store: Store, connection: Connection) {
    this.store = store;
    this.connection = connection;
  }

  /** Asks before something is done that cannot be undone. */
  confirm(title: string, text: string, button: string): Promise<boolean> {
    return new Promise((resolve) => {
      this.store.set({
        question: {
          title,
          text,
          button,
          answer: (isYes) => {
            this.store.set({ question: undefined });
            resolve(isYes);
          },
        },
      });
    });
  }

  /** Tells the user something. */
  tell(text: string, isProblem = false): void {
    const id = ++this.#lastNotice;
    const { notices } = this.store.state;
    this.store.set({ notices: [...notices, { id, text, isProblem }].slice(-SHOWN_NOTICES) });
    if (!isProblem) setTimeout(() => this.dismiss(id), NOTICE_MS);
  }

  /** Takes a notice away. */
  dismiss(id: number): void {
    this.store.set({ notices: this.store.state.notices.filter((notice) => notice.id !== id) });
  }

  /** Changes something at the server, and tells what became of it. Returns the reply, if there is one. */
  async change<K extends keyof AdminRequests>(
    channel: K,
    ask: AdminRequests[K]["ask"],
    done: string | ((reply: AdminRequests[K]["reply"]) => string),
  ): Promise<AdminRequests[K]["reply"] | undefined> {
    try {
      const reply = await this.connection.ask(channel, ask) as AdminRequests[K]["reply"];
      this.tell(typeof done === "function" ? done(reply) : done);
      return reply;
    } catch (error) {
      this.tell(`Not done: ${problemOf(error)}`, true);
      if (error instanceof ParleyError && error.code === "forbidden") this.store.set({ mayChange: false });
      return undefined;
    }
  }
}
