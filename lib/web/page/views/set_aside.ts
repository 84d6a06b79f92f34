/**
 * Messages that consumers have set aside: why, what is in them, and what is to become of them.
 *
 * @module
 */

import type { ChannelEntry } from "../../../wire/stats.ts";
import type { App } from "../app.ts";
import { formatCount } from "../format.ts";
import { html, type VNode } from "../html.ts";
import { Command, Head, Pending, Tag } from "../parts/parts.ts";
import { type Column, Table } from "../parts/table.ts";
import { usePoll } from "../poll.ts";
import { consumerKey, consumerName, type ConsumerRow, setAsideLink } from "./consumers.ts";
import { SetAsideMessages } from "./set_aside_messages.ts";

const EVERY_MS = 2_000;

/** The view; with a channel and a consumer, that consumer's messages. */
export function SetAside(
  { app, channel, consumer, subject }: { app: App; channel?: string; consumer?: string; subject?: string },
): VNode {
  if (channel !== undefined && consumer !== undefined) {
    return html`<${SetAsideMessages} app=${app} of=${{ channel, consumer, subject }} />`;
  }
  return html`<${Consumers} app=${app} />`;
}

function Consumers({ app }: { app: App }): VNode {
  const { reply, problem } = usePoll(app, "$stats.channels", { sort: "messages", limit: 1_000 }, EVERY_MS);
  const rows = (reply?.channels ?? []).flatMap((entry: ChannelEntry) =>
    (entry.stored?.consumers ?? []).filter(({ setAside }) => setAside > 0)
      .map((each): ConsumerRow => ({ ...each, channel: entry.channel }))
  ).sort((one, other) => other.setAside - one.setAside);
  return html`
    <${Head} title="Set aside"
      about="Messages that a consumer could not deal with. They stay stored, and are not delivered again until you say so." />
    <${Pending} app=${app} problem=${problem} reply=${reply} />
    ${reply !== undefined && html`
      <${Table} caption="Consumers with messages set aside" columns=${COLUMNS} rows=${rows}
        keyOf=${consumerKey}
        empty=${html`
          <p>No message is set aside. A worker sets aside what it cannot do, here after five attempts:</p>
          <${Command} text="parley work CHANNEL --consumer NAME --deliveries 5 --exec 'COMMAND'" />
        `} />
    `}
  `;
}

const COLUMNS: readonly Column<ConsumerRow>[] = [
  {
    label: "Consumer",
    isName: true,
    cell: (row) => html`<a href=${setAsideLink(row)}>${consumerName(row)}</a>`,
  },
  {
    label: "Channel",
    cell: ({ channel }) => html`<a href=${`#/channels/${encodeURIComponent(channel)}`}>${channel}</a>`,
  },
  {
    label: "Set aside",
    isNumber: true,
    cell: ({ setAside }) => html`<${Tag} kind="bad">${formatCount(setAside)}<//>`,
  },
  { label: "Lag", isNumber: true, cell: ({ lag }) => formatCount(lag) },
  { label: "Sessions", isNumber: true, cell: ({ members }) => formatCount(members) },
];
