/**
 * Channels: who subscribes and responds, what passes, and what is stored.
 *
 * @module
 */

import type { ChannelEntry } from "../../../wire/stats.ts";
import type { App } from "../app.ts";
import { countOf, formatBytes, formatCompact, formatCount, formatRate } from "../format.ts";
import { html, type VNode } from "../html.ts";
import { useList } from "../list.ts";
import { Command, Head, PAGE_ROWS, Pager, Pending, Search, Tag } from "../parts/parts.ts";
import { type Column, Table } from "../parts/table.ts";

const EVERY_MS = 1_500;

/** The view. */
export function Channels({ app }: { app: App }): VNode {
  const list = useList(app, "$stats.channels", EVERY_MS);
  const { reply, problem, page } = list;
  return html`
    <${Head} title="Channels" about="Those that a session has open, and those that are stored.">
      <${Search} label="Search" value=${list.search} onChange=${list
        .setSearch} placeholder="part of a name" />
    <//>
    <${Pending} app=${app} problem=${problem} reply=${reply} />
    ${reply !== undefined && html`
      <${Pager} page=${page} count=${reply.count} of="channels" onPage=${list.setPage} />
      <${Table} caption="Channels" columns=${COLUMNS} sort=${list.sort} onSort=${list.setSort}
        rows=${reply.channels.slice(page * PAGE_ROWS, (page + 1) * PAGE_ROWS)}
        keyOf=${({ channel }: ChannelEntry) => channel}
        empty=${list.settled === ""
          ? html`
            <p>No channel is open. A channel is there as soon as it is used:</p>
            <${Command} text="parley subscribe chat.lobby" />
          `
          : html`<p>No channel that is open or stored has this in its name.</p>`} />
    `}
  `;
}

const COLUMNS: readonly Column<ChannelEntry>[] = [
  {
    label: "Channel",
    isName: true,
    cell: ({ channel }) => html`<a href=${`#/channels/${encodeURIComponent(channel)}`}>${channel}</a>`,
  },
  {
    label: "Subscribers",
    sort: "subscribers",
    isNumber: true,
    cell: ({ subscribers }) => formatCount(subscribers),
  },
  { label: "Groups", cell: ({ groups }) => groupsOf(groups) },
  {
    label: "Responders",
    sort: "responders",
    isNumber: true,
    cell: ({ responders }) => formatCount(responders),
  },
  { label: "Messages/s", sort: "rate", isNumber: true, cell: ({ rate }) => formatRate(rate) },
  {
    label: "In",
    sort: "messagesIn",
    isNumber: true,
    cell: ({ messagesIn, bytesIn }) =>
      html`<span title=${formatBytes(bytesIn)}>${formatCount(messagesIn)}</span>`,
  },
  { label: "Out", sort: "messagesOut", isNumber: true, cell: ({ messagesOut }) => formatCount(messagesOut) },
  { label: "Unheard", sort: "unheard", isNumber: true, cell: ({ unheard }) => formatCount(unheard) },
  {
    label: "Stored",
    sort: "bytes",
    cell: ({ stored }) => stored === undefined ? "–" : html`<${Stored} stored=${stored} />`,
  },
];

function Stored({ stored }: { stored: NonNullable<ChannelEntry["stored"]> }): VNode {
  const { storage, messages, bytes, consumers } = stored;
  const lag = Math.max(0, ...consumers.map(({ lag }) => lag));
  const setAside = consumers.reduce((sum, { setAside }) => sum + setAside, 0);
  return html`<${Tag}>${storage}<//><span>${formatCompact(messages)}, ${formatBytes(bytes)}</span>
    ${
    lag > 0 &&
    html`<${Tag} kind="warn" title="The largest lag of its consumers, in messages">lag ${
      formatCompact(lag)
    }<//>`
  }
    ${
    setAside > 0 &&
    html`<${Tag} kind="bad" title=${`${countOf(setAside, "message is", "messages are")} set aside`}>${
      formatCompact(setAside)
    } set aside<//>`
  }`;
}

/** Groups and their members: `resizers 3, mailers 1`. */
export function groupsOf(groups: ChannelEntry["groups"]): string {
  return Object.entries(groups).map(([name, members]) => `${name} ${members}`).join(", ") || "–";
}
