/**
 * The state of a list that is searched, sorted and turned over page by page.
 *
 * @module
 */

import { useEffect, useState } from "preact/hooks";
import type { App } from "./app.ts";
import { MOST_ROWS, PAGE_ROWS } from "./parts/parts.ts";
import { type Asked, usePoll } from "./poll.ts";

type ListChannel = "$stats.sessions" | "$stats.channels";

/** A list, and what it shows. */
export interface ListState<K extends ListChannel> extends Asked<K> {
  readonly search: string;
  /** What is searched for: `search`, once it has not changed for a moment. */
  readonly settled: string;
  readonly sort: string;
  /** The page that the reply has: until the one that was turned to comes, the last one stays. */
  readonly page: number;
  readonly setSearch: (search: string) => void;
  readonly setSort: (sort: string) => void;
  readonly setPage: (page: number) => void;
}

/** Asks for a list again and again, from its first entry to the last of the page. A list begins anew when it changes. */
export function useList<K extends ListChannel>(
  app: App,
  channel: K,
  everyMs: number,
  firstSearch = "",
): ListState<K> {
  const [search, setSearch] = useState(firstSearch);
  const [sort, setSort] = useState("rate");
  const [page, setPage] = useState(0);
  const settled = useSettled(search.trim());
  const limit = Math.min(MOST_ROWS, (page + 1) * PAGE_ROWS);
  const asked = usePoll(app, channel, { search: settled || undefined, sort, limit }, everyMs);
  const anew = (set: (value: string) => void) => (value: string) => {
    setPage(0);
    set(value);
  };
  return {
    ...asked,
    search,
    settled,
    sort,
    page: asked.reply === undefined ? page : pageOf(asked.ask?.limit, asked.reply.count),
    setSearch: anew(setSearch),
    setSort: anew(setSort),
    setPage,
  };
}

/** The last page of a list up to `limit`, of which there are `count` entries: it may have become shorter. */
function pageOf(limit = PAGE_ROWS, count: number): number {
  return Math.max(0, Math.ceil(Math.min(limit, count) / PAGE_ROWS) - 1);
}

/** A value that follows `value` once that has not changed for a moment: what is typed is not asked letter by letter. */
function useSettled<T>(value: T, ms = 250): T {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(() => value), ms);
    return () => clearTimeout(timer);
  }, [value, ms]);
  return settled;
}
