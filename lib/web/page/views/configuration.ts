/**
 * The configuration in effect, and where each value came from.
 *
 * @module
 */

import { useState } from "preact/hooks";
import type { ConfigEntry } from "../../../wire/stats.ts";
import type { App } from "../app.ts";
import { html, type VNode } from "../html.ts";
import { Command, Head, Pending, Search } from "../parts/parts.ts";
import { type Column, Table } from "../parts/table.ts";
import { usePoll } from "../poll.ts";
import { visible } from "../text.ts";

/** It changes only when the server is started again. */
const EVERY_MS = 30_000;

/** The view. */
export function Configuration({ app }: { app: App }): VNode {
  const [search, setSearch] = useState("");
  const { reply, problem } = usePoll(app, "$stats.config", {}, EVERY_MS);
  const wanted = search.trim().toLowerCase();
  const rows = (reply?.options ?? []).filter((entry: ConfigEntry) =>
    Object.values(entry).some((text) => text.toLowerCase().includes(wanted))
  );
  return html`
    <${Head} title="Configuration" about="What is in effect, and where it came from. Secrets are not shown.">
      <${Search} label="Search" value=${search} onChange=${setSearch} placeholder="option, value or source" />
    <//>
    <${Pending} app=${app} problem=${problem} reply=${reply} />
    ${reply !== undefined && html`
      <${Table} caption="Options" columns=${COLUMNS} rows=${rows}
        keyOf=${({ option }: ConfigEntry) => option} empty=${html`
          <p>${reply.options.length === 0
            ? "This server was started by a program. For the executable, see:"
            : "No option has this in it. For all of them, see:"}</p>
          <${Command} text="parley-server config" />
        `} />
    `}
  `;
}

const COLUMNS: readonly Column<ConfigEntry>[] = [
  { label: "Option", isName: true, cell: ({ option }) => html`<code>${option}</code>` },
  { label: "Value", cell: ({ value }) => html`<code>${visible(value)}</code>` },
  { label: "Source", cell: ({ source }) => visible(source) },
];
