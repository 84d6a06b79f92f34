/**
 * Diagnose: where a message would go, which sessions are slow and which wait for them, and channels without subscribers.
 *
 * @module
 */

import { useState } from "preact/hooks";
import type { SessionEntry, SlowDiagnosis } from "../../../wire/stats.ts";
import type { App } from "../app.ts";
import { formatBytes, formatCount, formatDuration } from "../format.ts";
import { html, type VNode } from "../html.ts";
import { Field, Head, Pending, Section, SessionName } from "../parts/parts.ts";
import { type Column, Table } from "../parts/table.ts";
import { usePoll } from "../poll.ts";
import { Open, SessionState } from "./sessions.ts";
import { Why } from "./why.ts";

const EVERY_MS = 2_000;

/** The view. */
export function Diagnose({ app, channel: given = "" }: { app: App; channel?: string }): VNode {
  const [typed, setTyped] = useState(given);
  const { reply, problem } = usePoll(app, "$stats.slow", {}, EVERY_MS);
  const ask = (event: Event) => {
    event.preventDefault();
    location.hash = `#/diagnose/${encodeURIComponent(typed.trim())}`;
  };
  const slow = reply?.slowest.filter(({ pendingBytes, isSlow }) => pendingBytes > 0 || isSlow) ?? [];
  return html`
    <${Head} title="Diagnose" />
    <${Section} title="Where would a message go?"
      about="Who would receive the next message on a channel, and who would be passed over.">
      <form class="form" onSubmit=${ask}>
        <${Field} label="Channel"
          isWide><input required value=${typed} autocomplete="off" spellcheck=${false}
          placeholder="chat.lobby" onInput=${(event: Event) =>
            setTyped((event.currentTarget as HTMLInputElement).value)} /><//>
        <button type="submit" class="solid">Tell</button>
      </form>
      ${given !== "" && html`<${Why} app=${app} channel=${given} />`}
    <//>
    <${Pending} app=${app} problem=${problem} reply=${reply} />
    ${reply !== undefined && html`
      <${Section} title="Slowest subscribers" about="Sessions for which bytes wait, most first.">
        <${Table} caption="Slowest subscribers" columns=${SLOWEST} rows=${slow}
          keyOf=${({ session }: SessionEntry) =>
            session} empty=${html`<p>Nothing waits: every session keeps up.</p>`} />
        <//>
        <${Section} title="Who holds whom"
          about="Publishers that are not read from, until those they wait for have room.">
          <${Table} caption="Publishers that wait" columns=${waitingColumns(reply)} rows=${reply.waiting}
            keyOf=${({ session }: Waiting) => session} empty=${html`<p>No publisher waits.</p>`} />
          <//>
          <${Section} title="Channels that nobody hears"
            about="Messages were published there while no session subscribed.">
            <${Table} caption="Channels that nobody hears" columns=${UNHEARD} rows=${reply.unheard}
              keyOf=${({ channel }: Unheard) =>
                channel} empty=${html`<p>Every message had a subscriber.</p>`} />
            <//>
    `}
  `;
}

type Waiting = SlowDiagnosis["waiting"][number];
type Unheard = SlowDiagnosis["unheard"][number];

const SLOWEST: readonly Column<SessionEntry>[] = [
  {
    label: "Session",
    isName: true,
    cell: ({ name, session }) => html`<${SessionName} name=${name} session=${session} />`,
  },
  { label: "Address", cell: ({ address, port }) => `${address}:${port}` },
  { label: "Waiting", isNumber: true, cell: ({ pendingBytes }) => formatBytes(pendingBytes) },
  { label: "State", cell: (session) => html`<${SessionState} session=${session} />` },
  {
    label: "Open",
    cell: ({ open, openCount }) => html`<${Open} open=${open} count=${openCount} />`,
  },
];

function waitingColumns(reply: SlowDiagnosis): Column<Waiting>[] {
  const names = new Map(reply.slowest.map(({ session, name }) => [session, name]));
  const waitedFor = (session: number) =>
    session === 0
      ? html`<span key=${0}>the store</span>`
      : html`<span key=${session}><${SessionName} name=${
        names.get(session) ?? "session"
      } session=${session} /></span>`;
  return [
    {
      label: "Publisher",
      isName: true,
      cell: ({ name, session }) => html`<${SessionName} name=${name} session=${session} />`,
    },
    { label: "Waits for", cell: (row) => row.for.length === 0 ? "–" : row.for.map(waitedFor) },
    { label: "For", isNumber: true, cell: ({ seconds }) => formatDuration(seconds) },
  ];
}

const UNHEARD: readonly Column<Unheard>[] = [
  {
    label: "Channel",
    isName: true,
    cell: ({ channel }) => html`<a href=${`#/channels/${encodeURIComponent(channel)}`}>${channel}</a>`,
  },
  { label: "Messages", isNumber: true, cell: ({ messages }) => formatCount(messages) },
];
