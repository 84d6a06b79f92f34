/**
 * The messages that one consumer has set aside.
 *
 * @module
 */

import { useEffect, useState } from "preact/hooks";
import type { Message } from "../../../client/message_types.ts";
import type { ConsumerAsk, SetAsideEntry } from "../../../wire/stats.ts";
import type { App } from "../app.ts";
import { problemOf } from "../connection.ts";
import { countOf, formatCount } from "../format.ts";
import { html, type VNode } from "../html.ts";
import { Content, textOf } from "../parts/message.ts";
import { ChangeButton, Head, OnlyLooks, Pending, Search, Since } from "../parts/parts.ts";
import { type Column, Table } from "../parts/table.ts";
import { usePoll } from "../poll.ts";
import { readSingle } from "../reading.ts";
import { cut, visible } from "../text.ts";
import { consumerName } from "./consumers.ts";

const EVERY_MS = 2_000;

/** Messages that are asked for at once. */
const PAGE = 100;

/** A message, and its content if that could be read. */
interface Row extends SetAsideEntry {
  /** A text says why it could not be. */
  readonly message: Message | string | undefined;
}

/** The list, with what can be done. */
export function SetAsideMessages({ app, of }: { app: App; of: ConsumerAsk }): VNode {
  const { channel } = of;
  const [after, setAfter] = useState(0);
  const [search, setSearch] = useState("");
  const { reply, problem, refresh } = usePoll(
    app,
    "$stats.set_aside",
    { ...of, after, limit: PAGE },
    EVERY_MS,
  );
  const contents = useContents(app, channel, reply?.messages ?? []);
  const name = consumerName(of);
  const all: Row[] = (reply?.messages ?? []).map((entry: SetAsideEntry) => ({
    ...entry,
    message: contents.get(entry.sequence),
  }));
  const rows = all.filter((row) => holds(row, search.trim().toLowerCase()));
  const act = async (action: "retry" | "drop", sequence?: number) => {
    const what = sequence === undefined ? countOf(reply?.count ?? 0, "message") : `message ${sequence}`;
    if (action === "drop") {
      const text = `${name} never gets ${sequence === undefined ? "them" : "it"}. ${
        sequence === undefined ? "They stay" : "It stays"
      } stored for others, as long as the channel keeps messages.`;
      if (!await app.confirm(`Drop ${what}?`, text, "Drop")) return;
    } else if (sequence === undefined) {
      if (
        !await app.confirm(
          `Deliver ${what} again?`,
          `They go to ${name} as soon as one of its sessions has room.`,
          "Retry all",
        )
      ) return;
    }
    const word = action === "drop" ? "Dropped" : "To be delivered again:";
    await app.change(
      "$admin.set_aside",
      { ...of, action, sequence },
      ({ count }) => `${word} ${countOf(count, "message")}`,
    );
    refresh();
  };
  const actions: Column<Row> = {
    label: "Actions",
    cell: ({ sequence }) =>
      html`
        <${ChangeButton} app=${app} label="Retry" about=${`message ${sequence}`} onPress=${() =>
          act("retry", sequence)} />
        <${ChangeButton} app=${app} label="Drop" about=${`message ${sequence}`} isDangerous onPress=${() =>
          act("drop", sequence)} />
      `,
  };
  const hasMore = reply !== undefined && reply.messages.length === PAGE;
  return html`
    <${Head} title=${`Set aside by ${name}`} about=${`Messages of ${channel}`}>
      <${Search} label="Search" value=${search} onChange=${setSearch} placeholder="sequence or content" />
      <${ChangeButton} app=${app} label="Retry all" onPress=${() => act("retry")} />
      <${ChangeButton} app=${app} label="Drop all" isDangerous onPress=${() => act("drop")} />
    <//>
    <p><a href="#/set-aside">All consumers</a></p>
    <${OnlyLooks} app=${app} />
    <${Pending} app=${app} problem=${problem} reply=${reply} />
    ${reply !== undefined && html`
      <p class="muted" role="status">${countOf(
        reply.count,
        "message is",
        "messages are",
      )} set aside${search.trim() !== "" &&
        `; ${formatCount(rows.length)} of the ${formatCount(all.length)} shown match`}.</p>
      <${Table} caption="Messages that are set aside" columns=${[...COLUMNS, actions]} rows=${rows}
        keyOf=${({ sequence }: Row) => sequence}
        empty=${html`<p>${
          all.length === 0 ? "Nothing is set aside any more." : "No message shown has this in it."
        }</p>`} />
      ${(after > 0 || hasMore) && html`<nav class="pager" aria-label="Further messages">
        <button type="button" class="small" disabled=${after === 0} onClick=${() =>
        setAfter(0)}>From the first</button>
        <button type="button" class="small" disabled=${!hasMore}
          onClick=${() => setAfter(reply.messages.at(-1)!.sequence)}>Later</button></nav>`}
    `}
  `;
}

const COLUMNS: readonly Column<Row>[] = [
  { label: "Sequence", isName: true, cell: ({ sequence }) => String(sequence) },
  { label: "Reason", cell: ({ deliveries }) => `delivered ${countOf(deliveries, "time")} without success` },
  { label: "For", isNumber: true, cell: ({ since }) => html`<${Since} time=${since} />` },
  { label: "Content", cell: ({ message }) => html`<${Excerpt} message=${message} />` },
];

function Excerpt({ message }: { message: Row["message"] }): VNode | string {
  const [isOpen, setOpen] = useState(false);
  if (message === undefined) return "…";
  if (typeof message === "string") return html`<span class="muted">${message}</span>`;
  return html`
    <details onToggle=${(event: Event) => setOpen((event.currentTarget as HTMLDetailsElement).open)}>
      <summary>${cut(visible(textOf(message)), 80) || "(empty)"}</summary>
      ${isOpen && html`<${Content} message=${message} form="auto" />`}
    </details>
  `;
}

function holds({ sequence, message }: Row, search: string): boolean {
  if (search === "" || String(sequence).includes(search)) return true;
  return typeof message === "object" && textOf(message).toLowerCase().includes(search);
}

/** Reads the contents, with the session's own permission to subscribe. */
function useContents(
  app: App,
  channel: string,
  entries: readonly SetAsideEntry[],
): ReadonlyMap<number, Message | string> {
  const [contents, setContents] = useState<ReadonlyMap<number, Message | string>>(new Map());
  const missing = entries.map(({ sequence }) => sequence).filter((sequence) => !contents.has(sequence));
  const key = missing.join();
  useEffect(() => {
    if (missing.length === 0) return;
    const abort = new AbortController();
    const read = async () => {
      const found = new Map<number, Message | string>(
        missing.map((sequence) => [sequence, "stored no longer"]),
      );
      try {
        const { client } = app.connection;
        await readSingle(
          client,
          channel,
          missing,
          (message) => found.set(message.sequence, message),
          abort.signal,
        );
      } catch (error) {
        if (abort.signal.aborted) return;
        missing.forEach((sequence) => found.set(sequence, problemOf(error)));
      }
      if (!abort.signal.aborted) setContents((known) => new Map([...known, ...found]));
    };
    read();
    return () => abort.abort();
  }, [channel, key]);
  return contents;
}
