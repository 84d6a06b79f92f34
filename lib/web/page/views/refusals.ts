/**
 * The last refusals: what the server did not allow, and why.
 *
 * @module
 */

import { useState } from "preact/hooks";
import type { RefusalEntry } from "../../../wire/stats.ts";
import type { App } from "../app.ts";
import { formatCount, formatTime } from "../format.ts";
import { html, type VNode } from "../html.ts";
import { Command, Head, Pending, Search, Tag } from "../parts/parts.ts";
import { type Column, Table } from "../parts/table.ts";
import { usePoll } from "../poll.ts";
import { useStore } from "../store.ts";
import { visible } from "../text.ts";

const EVERY_MS = 2_000;

/** The view. */
export function Refusals({ app }: { app: App }): VNode {
  const [search, setSearch] = useState("");
  const { reply, problem } = usePoll(app, "$stats.refusals", {}, EVERY_MS);
  const errors = useStore(app.store, (state) => state.stats?.errors) ?? {};
  const wanted = search.trim().toLowerCase();
  const rows = (reply?.refusals ?? []).filter((entry: RefusalEntry) =>
    JSON.stringify(entry).toLowerCase().includes(wanted)
  );
  const counts = Object.entries(errors).filter(([, count]) => count > 0).sort(([, one], [, other]) =>
    other - one
  );
  return html`
    <${Head} title="Refusals" about="The last errors that the server sent, newest first.">
      <${Search} label="Search" value=${search} onChange=${setSearch} placeholder="code, name or channel" />
    <//>
    <${Pending} app=${app} problem=${problem} reply=${reply} />
    ${counts.length > 0 && html`<p class="counts"><span class="muted">Since the start:</span>
      ${
      counts.map(([code, count]) =>
        html`
          <${Tag} key=${code}>${code} ${formatCount(count)}<//>
        `
      )
    }</p>`}
    ${reply !== undefined && html`
      <${Table} caption="Refusals" columns=${COLUMNS} rows=${rows}
        keyOf=${(entry: RefusalEntry) =>
          `${entry.time} ${entry.session ?? ""} ${entry.code} ${entry.message}`}
        empty=${reply.refusals.length === 0
          ? html`
            <p>Nothing has been refused. What a code means is explained by:</p>
            <${Command} text="parley explain forbidden" />
          `
          : html`<p>No refusal has this in it.</p>`} />
    `}
  `;
}

const COLUMNS: readonly Column<RefusalEntry>[] = [
  {
    label: "Time",
    isName: true,
    cell: ({ time }) => html`<time datetime=${time} title=${time}>${formatTime(time)}</time>`,
  },
  { label: "Code", cell: ({ code }) => html`<code>${visible(code)}</code>` },
  { label: "Reason", cell: ({ message }) => visible(message) },
  {
    label: "Session",
    cell: ({ session, name, address }) =>
      html`${name === undefined ? "" : visible(name)} <span class="muted">${session ?? ""} ${
        address ?? ""
      }</span>`,
  },
  { label: "Channel", cell: ({ channel }) => channel === undefined ? "–" : visible(channel) },
];
