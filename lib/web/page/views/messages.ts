/**
 * A browser for the messages of a stored channel: by sequence or time, with a filter.
 *
 * @module
 */

import { useEffect, useRef, useState } from "preact/hooks";
import type { ChannelEntry } from "../../../wire/stats.ts";
import type { App } from "../app.ts";
import { problemOf } from "../connection.ts";
import { countOf, formatCount } from "../format.ts";
import { html, type VNode } from "../html.ts";
import { type Form, FormChoice, type ListedMessage, MessageList, textOf } from "../parts/message.ts";
import { Command, Field, Head, Problem } from "../parts/parts.ts";
import { usePoll } from "../poll.ts";
import { type Reading, type ReadMessages, readStored } from "../reading.ts";
import { useStore } from "../store.ts";

const EVERY_MS = 5_000;

/** Messages of a page, and how many are looked at for one. */
const PAGE = 100;
const MOST_SCANNED = 20_000;

/** The view. */
export function Messages({ app, channel: given = "" }: { app: App; channel?: string }): VNode {
  const { reply } = usePoll(app, "$stats.channels", { sort: "messages", limit: 1_000 }, EVERY_MS);
  const stored = reply?.channels.filter((entry: ChannelEntry) => entry.stored !== undefined) ?? [];
  const [channel, setChannel] = useState(given);
  const [by, setBy] = useState("end");
  const [sequence, setSequence] = useState("1");
  const [time, setTime] = useState("");
  const [filter, setFilter] = useState("");
  const [form, setForm] = useState<Form>("auto");
  const [read, setRead] = useState<ReadMessages | undefined>();
  const [status, setStatus] = useState("");
  const [problem, setProblem] = useState<string | undefined>();
  const reading = useRef<AbortController | undefined>(undefined);
  useEffect(() => () => reading.current?.abort(), []);

  const show = async (from: Reading["from"]) => {
    reading.current?.abort();
    const abort = reading.current = new AbortController();
    const wanted = filter.toLowerCase();
    setProblem(undefined);
    setStatus("Reading …");
    try {
      const found = await readStored(app.connection.client, {
        channel,
        from,
        limit: PAGE,
        mostScanned: MOST_SCANNED,
        matches: (message) => wanted === "" || textOf(message).toLowerCase().includes(wanted),
        signal: abort.signal,
        progress: (scanned) => setStatus(`Looked at ${formatCount(scanned)} …`),
      });
      if (abort.signal.aborted) return;
      setRead(found);
      setStatus(statusOf(found, wanted !== ""));
    } catch (error) {
      if (abort.signal.aborted) return;
      setRead(undefined);
      setStatus("");
      setProblem(problemOf(error));
    }
  };
  const start = (event?: Event) => {
    event?.preventDefault();
    if (by === "time") show(new Date(time));
    else if (by === "sequence") show(Math.max(1, Number(sequence)));
    else show(by === "first" ? "all" : "end");
  };
  const isConnected = useStore(app.store, (state) => state.connection.phase === "connected");
  useEffect(() => {
    if (given !== "" && isConnected && read === undefined) start();
  }, [given, isConnected]);

  return html`
    <${Head} title="Messages"
      about="What is stored of a channel. Reading it here changes nothing for others." />
    ${reply !== undefined && stored.length === 0 && html`
      <div class="empty">
        <p>This server stores no channel. To have it store some, start it with:</p>
        <${Command} text="parley-server --durable 'orders.>' --history 'chat.>'" />
      </div>
    `}
    <form class="form" onSubmit=${start}>
      <${Field} label="Channel" isWide>
        <input list="stored" required value=${channel} autocomplete="off" spellcheck=${false} placeholder="orders.new"
          onInput=${(event: Event) => setChannel(valueOf(event))} /><//>
      <datalist id="stored">${stored.map((entry) =>
        html`<option key=${entry.channel} value=${entry.channel} />`
      )}</datalist>
      <${Field} label="Begin with">
        <select value=${by} onChange=${(event: Event) => setBy(valueOf(event))}>
          <option value="end">the last ${PAGE}</option>
          <option value="first">the first</option>
          <option value="sequence">a sequence</option>
          <option value="time">a time</option>
        </select><//>
      ${by === "sequence" && html`<${Field} label="Sequence">
        <input type="number" min="1" step="1" required value=${sequence}
          onInput=${(event: Event) => setSequence(valueOf(event))} /><//>`}
      ${by === "time" && html`<${Field} label="Stored then or later">
        <input type="datetime-local" step="1" required value=${time} onInput=${(event: Event) =>
        setTime(valueOf(event))} /><//>`}
      <${Field} label="Only with this text">
        <input type="search" value=${filter} autocomplete="off" spellcheck=${false}
          onInput=${(event: Event) => setFilter(valueOf(event))} /><//>
      <${FormChoice} form=${form} onChange=${setForm} />
      <button type="submit" class="solid">Show</button>
    </form>
    <${Problem} text=${problem} />
    <p class="muted" role="status">${status}</p>
    ${read !== undefined && html`
      <${MessageList} messages=${read.messages.map(
        listed,
      )} form=${form} hasChannel=${false} label="Messages of ${channel}" />
      <nav class="pager" aria-label="Further messages">
        <button type="button" class="small" disabled=${beginOf(read) <= read.first}
          onClick=${() => show(Math.max(1, read.first, beginOf(read) - PAGE))}>Earlier</button>
        <button type="button" class="small" disabled=${read.isEnd} onClick=${() =>
          show(read.next)}>Later</button>
      </nav>
    `}
  `;
}

function listed(message: ReadMessages["messages"][number]): ListedMessage {
  const { channel, channelId, sender, kind, headers, payload, sequence } = message;
  return { key: sequence, channel, channelId, sender, kind, headers, payload, sequence };
}

/** The sequence that this reading began with. */
function beginOf({ messages, next, scanned }: ReadMessages): number {
  return Math.min(messages[0]?.sequence ?? Infinity, next - scanned);
}

function statusOf(found: ReadMessages, isFiltered: boolean): string {
  const { messages, scanned, first, last, isEnd, next } = found;
  if (last < first) return "Nothing is stored on this channel.";
  const range = `of ${formatCount(first)} to ${formatCount(last)}`;
  const shown = messages.length === 0
    ? "No message"
    : `${countOf(messages.length, "message")}, ${formatCount(messages[0].sequence)} to ${
      formatCount(messages.at(-1)!.sequence)
    }`;
  if (!isFiltered) return `${shown} ${range}.`;
  const rest = isEnd ? "" : ` Later goes on at ${formatCount(next)}.`;
  return `${shown} ${range}; looked at ${formatCount(scanned)}.${rest}`;
}

function valueOf(event: Event): string {
  return (event.currentTarget as HTMLInputElement).value;
}
