/**
 * Sessions: who is connected, from where, and how much waits for them.
 *
 * @module
 */

import type { SessionEntry } from "../../../wire/stats.ts";
import type { App } from "../app.ts";
import { formatBytes, formatCount, formatRate } from "../format.ts";
import { html, type VNode } from "../html.ts";
import { useList } from "../list.ts";
import {
  ChangeButton,
  Command,
  Head,
  OnlyLooks,
  PAGE_ROWS,
  Pager,
  Pending,
  Search,
  Since,
  Tag,
} from "../parts/parts.ts";
import { type Column, Table } from "../parts/table.ts";
import { useStore } from "../store.ts";
import { cut, visible } from "../text.ts";

const EVERY_MS = 1_500;

/** The view. */
export function Sessions({ app, search: first = "" }: { app: App; search?: string }): VNode {
  const list = useList(app, "$stats.sessions", EVERY_MS, first);
  const { reply, problem, page } = list;
  const own = useStore(
    app.store,
    ({ connection }) => connection.phase === "connected" ? connection.sessionId : 0,
  );
  const disconnect = async (session: SessionEntry) => {
    const name = `${visible(session.name)}, session ${session.session}`;
    const text =
      "Its connection is closed. Unless it is told otherwise, a client connects again; revoke its token to keep it away.";
    if (!await app.confirm(`Disconnect ${name}?`, text, "Disconnect")) return;
    await app.change("$admin.disconnect", { session: session.session }, `Disconnected ${name}`);
    list.refresh();
  };
  const columns = [...columnsOf(own), {
    label: "Action",
    cell: (session: SessionEntry) =>
      html`
        <${ChangeButton} app=${app} label="Disconnect" isDangerous onPress=${() => disconnect(session)}
          about=${`${visible(session.name)}, session ${session.session}`} />
      `,
  }];
  return html`
    <${Head} title="Sessions" about="Each client that is connected has one.">
      <${Search} label="Search" value=${list.search} onChange=${list
        .setSearch} placeholder="name, address or number" />
    <//>
    <${OnlyLooks} app=${app} />
    <${Pending} app=${app} problem=${problem} reply=${reply} />
    ${reply !== undefined && html`
      <${Pager} page=${page} count=${reply.count} of="sessions" onPage=${list.setPage} />
      <${Table} caption="Sessions" columns=${columns} sort=${list.sort} onSort=${list.setSort}
        rows=${reply.sessions.slice(page * PAGE_ROWS, (page + 1) * PAGE_ROWS)}
        keyOf=${({ session }: SessionEntry) => session}
        empty=${html`
          <p>No session has this in its name, address or number. To start one:</p>
          <${Command} text="parley subscribe 'chat.>'" />
        `} />
    `}
  `;
}

function columnsOf(own: number): Column<SessionEntry>[] {
  return [
    {
      label: "Name",
      isName: true,
      cell: ({ name, session, uuid }) =>
        html`<span class="stacked"><span title=${uuid}>${cut(visible(name), 40)}</span>
          <span class="muted">${session}${session === own && " (this page)"}</span></span>`,
    },
    {
      label: "Address",
      cell: ({ address, port, transport }) =>
        html`<span class="stacked"><span class="unbroken">${
          address.includes(":") ? `[${address}]` : address
        }:${port}</span>
          <span class="muted">${transport}</span></span>`,
    },
    { label: "For", isNumber: true, cell: ({ since }) => html`<${Since} time=${since} />` },
    {
      label: "Open",
      sort: "openCount",
      cell: ({ open, openCount }) => html`<${Open} open=${open} count=${openCount} />`,
    },
    { label: "Messages/s", sort: "rate", isNumber: true, cell: ({ rate }) => formatRate(rate) },
    {
      label: "In",
      sort: "messagesIn",
      isNumber: true,
      cell: ({ messagesIn, bytesIn }) =>
        html`<span title=${formatBytes(bytesIn)}>${formatCount(messagesIn)}</span>`,
    },
    {
      label: "Out",
      sort: "messagesOut",
      isNumber: true,
      cell: ({ messagesOut, bytesOut }) =>
        html`<span title=${formatBytes(bytesOut)}>${formatCount(messagesOut)}</span>`,
    },
    {
      label: "Waiting",
      sort: "pendingBytes",
      isNumber: true,
      cell: ({ pendingBytes }) => formatBytes(pendingBytes),
    },
    { label: "State", cell: (session) => html`<${SessionState} session=${session} />` },
    {
      label: "Token",
      cell: ({ token }) => token === undefined ? "–" : html`<code title=${token}>${token.slice(0, 8)}</code>`,
    },
  ];
}

/** What a session has open: a line that opens. */
export function Open({ open, count }: { open: readonly string[]; count: number }): VNode | string {
  if (open.length === 0) return "–";
  if (open.length === 1 && count === 1) return html`<span>${open[0]}</span>`;
  const more = count - open.length;
  return html`
    <details class="open">
      <summary>${formatCount(count)}: ${open.slice(0, 3).join(", ")}</summary>
      <ul>
          ${open.map((name) => html`<li key=${name}>${name}</li>`)}
          ${more > 0 && html`<li>and ${formatCount(more)} more</li>`}
        </ul>
    </details>
  `;
}

/** Whether a session holds others back, or is held back. */
export function SessionState({ session }: { session: SessionEntry }): VNode | string {
  const { isSlow, isHeldBack } = session;
  if (!isSlow && !isHeldBack) return "reads";
  return html`${
    isSlow && html`
      <${Tag} kind="bad" title="Its outbox is full: others may wait for it">slow<//>
    `
  }
    ${
    isHeldBack &&
    html`<${Tag} kind="warn" title="It waits for a subscriber or the store, and is not read from">held back<//>`
  }`;
}
