/**
 * Where a message on a channel would go, and who would be passed over.
 *
 * @module
 */

import type { ConsumerEntry, Receiver } from "../../../wire/stats.ts";
import type { App } from "../app.ts";
import { countOf, formatBytes } from "../format.ts";
import { html, type VNode } from "../html.ts";
import { Pending, SessionName } from "../parts/parts.ts";
import { type Column, Table } from "../parts/table.ts";
import { usePoll } from "../poll.ts";
import { visible } from "../text.ts";
import { ConsumerTable } from "./consumers.ts";

const EVERY_MS = 2_000;

/** The diagnosis of one channel. */
export function Why({ app, channel }: { app: App; channel: string }): VNode {
  const { reply, problem, refresh } = usePoll(app, "$stats.why", { channel }, EVERY_MS);
  if (reply === undefined) return html`<${Pending} app=${app} problem=${problem} reply=${reply} />`;
  const last = Math.max(0, ...reply.consumers.map(({ position, lag }) => position + lag));
  return html`
    <div class="why">
      <${Pending} app=${app} problem=${problem} reply=${reply} />
      <h3>The next message on <code>${visible(reply.channel)}</code></h3>
      ${reply.findings.length > 0 && html`<ul class="findings" aria-live="polite">
        ${reply.findings.map((finding) => html`<li key=${finding}>${visible(finding)}</li>`)}</ul>`}
      <h4>Goes to ${countOf(reply.receiverCount, "session")}${reply.storage !== undefined &&
        `, and is stored (${reply.storage})`}</h4>
      ${reply.receivers.length > 0 &&
        html`<${Table} caption="Receivers" columns=${RECEIVERS} rows=${reply.receivers} keyOf=${receiverKey} />`}
      ${reply.passedOver.length > 0 && html`
        <h4>Passed over</h4>
        <${Table} caption="Passed over" columns=${PASSED_OVER} rows=${reply
          .passedOver} keyOf=${receiverKey} />
      `}
      ${reply.responders.length > 0 && html`
        <h4>A request would go to the first of these that has room</h4>
        <${Table} caption="Responders" columns=${RECEIVERS} rows=${reply.responders} keyOf=${receiverKey} />
      `}
      ${reply.consumers.length > 0 && html`
        <h4>Consumers</h4>
        <${ConsumerTable} app=${app} last=${last} refresh=${refresh}
          rows=${reply.consumers.map((each: ConsumerEntry) => ({
            ...each,
            channel: reply.channel,
          }))} empty=${undefined} />
      `}
    </div>
  `;
}

const RECEIVERS: readonly Column<Receiver>[] = [
  {
    label: "Session",
    isName: true,
    cell: ({ name, session }) => html`<${SessionName} name=${name} session=${session} />`,
  },
  { label: "By", cell: ({ by }) => by },
  {
    label: "As",
    cell: ({ group, consumer }) =>
      consumer !== undefined ? `consumer ${consumer}` : group !== undefined ? `group ${group}` : "subscriber",
  },
  { label: "Waiting", isNumber: true, cell: ({ pendingBytes }) => formatBytes(pendingBytes) },
];

type PassedOver = Receiver & { readonly reason: string };

const PASSED_OVER: readonly Column<PassedOver>[] = [
  ...RECEIVERS,
  { label: "Reason", cell: ({ reason }) => visible(reason) },
];

function receiverKey({ session, by, group, consumer }: Receiver): string {
  return JSON.stringify([session, by, group, consumer]);
}
