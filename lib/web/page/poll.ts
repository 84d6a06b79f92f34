/**
 * Asks the server again and again, while the page is visible.
 *
 * @module
 */

import { useEffect, useRef, useState } from "preact/hooks";
import type { StatsRequests } from "../../wire/stats.ts";
import type { App } from "./app.ts";
import { problemOf } from "./connection.ts";
import { useStore } from "./store.ts";

/** What came of asking. */
export interface Asked<K extends keyof StatsRequests> {
  /** The last reply; undefined until there is one. */
  readonly reply: StatsRequests[K]["reply"] | undefined;
  /** What it answers. */
  readonly ask: StatsRequests[K]["ask"] | undefined;
  /** Why the last attempt failed; undefined if it did not. */
  readonly problem: string | undefined;
  /** Asks now. */
  refresh(): void;
}

/**
 * Asks on `channel`, at once and then every `everyMs` milliseconds, while the page is visible and connected. The reply
 * to an earlier question is dropped when `ask` changes; until the next one comes, the last reply stays.
 *
 * @param ask undefined to ask nothing
 */
export function usePoll<K extends keyof StatsRequests>(
  app: App,
  channel: K,
  ask: StatsRequests[K]["ask"] | undefined,
  everyMs: number,
): Asked<K> {
  const isConnected = useStore(app.store, (state) => state.connection.phase === "connected");
  const [asked, setAsked] = useState<Partial<Pick<Asked<K>, "reply" | "ask" | "problem">>>({});
  const refresh = useRef(() => {});
  const key = JSON.stringify(ask);
  useEffect(() => {
    if (ask === undefined || !isConnected) return;
    let isOver = false;
    let isAsking = false;
    let isAskedAgain = false;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const now = async () => {
      clearTimeout(timer);
      if (isOver || document.visibilityState === "hidden") return;
      if (isAsking) {
        isAskedAgain = true; // what is on its way may be older than what made this necessary
        return;
      }
      isAsking = true;
      try {
        const reply = await app.connection.ask(channel, ask) as StatsRequests[K]["reply"];
        if (!isOver) setAsked({ reply, ask });
      } catch (error) {
        if (!isOver) setAsked((last) => ({ ...last, problem: problemOf(error) }));
      }
      isAsking = false;
      timer = setTimeout(now, isAskedAgain ? 0 : everyMs);
      isAskedAgain = false;
    };
    refresh.current = now;
    document.addEventListener("visibilitychange", now);
    now();
    return () => {
      isOver = true;
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", now);
    };
  }, [channel, key, everyMs, isConnected]);
  const { reply, ask: answered, problem } = asked;
  return { reply, ask: answered, problem, refresh: () => refresh.current() };
}
