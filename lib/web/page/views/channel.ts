/**
 * One channel: what passes, what is stored, and how far its consumers are.
 *
 * @module
 */

import type { ChannelEntry, ConsumerEntry, StoredEntry } from "../../../wire/stats.ts";
import type { App } from "../app.ts";
import { formatBytes, formatCount, formatRate } from "../format.ts";
import { html, type VNode } from "../html.ts";
import { Command, type Fact, Facts, Head, OnlyLooks, Pending, Section } from "../parts/parts.ts";
import { type Column, Table } from "../parts/table.ts";
import { usePoll } from "../poll.ts";
import { visible } from "../text.ts";
import { groupsOf } from "./channels.ts";
import { ConsumerTable } from "./consumers.ts";

const EVERY_MS = 1_500;

/** The view. */
export function Channel({ app, channel }: { app: App; channel: string }): VNode {
  // The search finds parts of names, too; of equal names there is one.
  const { reply, problem, refresh } = usePoll(
    app,
    "$stats.channels",
    { search: channel, limit: 1_000 },
    EVERY_MS,
  );
  const entry = reply?.channels.find((each) => each.channel === channel);
  const name = encodeURIComponent(channel);
  return html`
    <${Head} title=${channel}>
      <a class="button" href=${`#/diagnose/${name}`}>Where would a message go?</a>
      <a class="button" href=${`#/workbench/${name}`}>Workbench</a>
      ${entry?.stored !== undefined && html`<a class="button" href=${`#/messages/${name}`}>Messages</a>`}
    <//>
    <${Pending} app=${app} problem=${problem} reply=${reply} />
    ${reply !== undefined && entry === undefined && html`
      <div class="empty">
        ${reply.count > reply.channels.length
          ? html`<p>It is not among the ${
            formatCount(reply.channels.length)
          } busiest channels with this in their names. Above
          is the way to where a message on it would go.</p>`
          : html`
            <p>No session has this channel open, and it is not stored. It is there as soon as it is used:</p>
            <${Command} text=${`parley subscribe ${channel}`} />
          `}
      </div>
    `}
    ${entry !== undefined && html`
      <div class="columns">
        <${Section} title="Now"><${Facts} facts=${nowOf(entry)} /><//>
        ${entry.stored !== undefined && html`
          <${Section} title="Stored">
            <${Facts} facts=${storedOf(entry.stored)} />
            <//>
        `}
      </div>
      ${entry.stored?.storage === "durable" && html`
        <${Durable} app=${app} channel=${channel} stored=${entry.stored}
          refresh=${refresh} />
      `}
    `}
  `;
}

function Durable(
  { app, channel, stored, refresh }: { app: App; channel: string; stored: StoredEntry; refresh: () => void },
): VNode {
  const { producers, consumers } = stored;
  return html`
    <${Section} title="Consumers"
      about="The server stores how far each consumer is. Its lag is how many messages come after that.">
      <${OnlyLooks} app=${app} />
      <${ConsumerTable} app=${app} last=${stored.last} refresh=${refresh}
        rows=${consumers.map((consumer: ConsumerEntry) => ({ ...consumer, channel }))}
        empty=${html`
          <p>No consumer yet. A worker begins as one:</p>
          <${Command} text=${`parley work ${channel} --consumer NAME --exec 'cat'`} />
        `} />
      <//>
      <${Section} title="Producers" about="What a producer publishes is stored once, however often it is sent.">
        <${Table} caption="Producers" columns=${PRODUCERS} rows=${producers}
          keyOf=${(each: Producer) => `${each.subject ?? ""} ${each.producer}`}
          empty=${html`
            <p>No producer yet. A publisher begins as one:</p>
            <${Command} text=${`seq 3 | parley publish ${channel} - --producer NAME`} />
          `} />
        <//>
  `;
}

type Producer = StoredEntry["producers"][number];

const PRODUCERS: readonly Column<Producer>[] = [
  { label: "Producer", isName: true, cell: ({ producer }) => producer },
  { label: "Subject", cell: ({ subject }) => subject === undefined ? "–" : visible(subject) },
  { label: "Stored", isNumber: true, cell: ({ stored }) => formatCount(stored) },
];

function nowOf(entry: ChannelEntry): Fact[] {
  return [
    ["Subscribers", formatCount(entry.subscribers)],
    ["Groups and their members", groupsOf(entry.groups)],
    ["Responders", formatCount(entry.responders)],
    ["Messages per second", formatRate(entry.rate)],
    ["Messages in, out", `${formatCount(entry.messagesIn)}, ${formatCount(entry.messagesOut)}`],
    ["Bytes in", formatBytes(entry.bytesIn)],
    ["Messages without a subscriber", formatCount(entry.unheard)],
  ];
}

function storedOf(stored: StoredEntry): Fact[] {
  return [
    ["Storage", stored.storage === "durable" ? "durable: on disk" : "history: in memory"],
    ["Messages", formatCount(stored.messages)],
    ["Size", formatBytes(stored.bytes)],
    [
      "Sequences",
      stored.first > stored.last
        ? `none; the next is ${stored.last + 1}`
        : `${stored.first} to ${stored.last}`,
    ],
    ["Epoch", stored.epoch],
  ];
}
