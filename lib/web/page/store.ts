/**
 * What the page knows, in one place. Views read it with `useStore`, and are drawn again when what they read changes.
 *
 * @module
 */

import { useEffect, useRef, useState } from "preact/hooks";
import type { ServerStats } from "../../wire/stats.ts";
import type { Samples } from "./samples.ts";

/** How it stands with the connection. */
export type ConnectionState =
  | { readonly phase: "connecting" }
  /** The server asks for a token; `problem` says what was wrong with the last one. */
  | { readonly phase: "token"; readonly problem: string | undefined }
  | { readonly phase: "connected"; readonly sessionId: number; readonly name: string }
  | { readonly phase: "interrupted"; readonly reason: string; readonly since: Date };

/** A question that is to be answered before something is done. */
export interface Question {
  readonly title: string;
  readonly text: string;
  /** What the button says that does it. */
  readonly button: string;
  readonly answer: (isYes: boolean) => void;
}

/** What became of something that was done. */
export interface Notice {
  readonly id: number;
  readonly text: string;
  readonly isProblem: boolean;
}

/** All that the page knows besides what a single view has asked for. */
export interface State {
  readonly connection: ConnectionState;
  /** Whether a token was given. */
  readonly hasToken: boolean;
  /** Why the session may not look at the server; undefined if it may. */
  readonly lookProblem: string | undefined;
  /** Whether it may change things; undefined until that is known. */
  readonly mayChange: boolean | undefined;
  readonly stats: ServerStats | undefined;
  readonly samples: Samples;
  readonly question: Question | undefined;
  readonly notices: readonly Notice[];
}

/** Holds the state, and tells who listens when it changes. */
export class Store {
  #state: State;
  readonly #listeners = new Set<() => void>();

  constructor(state: State) {
    this.#state = state;
  }

  /** The state as it is now. */
  get state(): State {
    return this.#state;
  }

  /** Changes some of the state. */
  set(change: Partial<State>): void {
    this.#state = { ...this.#state, ...change };
    for (const listener of [...this.#listeners]) listener();
  }

  /** Calls `listener` after each change, until the function that is returned is called. */
  listen(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}

/** What `select` takes of the state; the component is drawn again when that is another value. */
export function useStore<T>(store: Store, select: (state: State) => T): T {
  const [, draw] = useState(0);
  const value = select(store.state);
  const last = useRef(value);
  last.current = value;
  useEffect(() => {
    const listener = () => {
      if (!Object.is(select(store.state), last.current)) draw((count) => count + 1);
    };
    listener(); // it may have changed before this effect ran
    return store.listen(listener);
  }, [store]);
  return value;
}
