/**
 * Consumers of durable channels, and what can be done with them.
 *
 * @module
 */

import { useState } from "preact/hooks";
import type { ConsumerAsk, ConsumerEntry } from "../../../wire/stats.ts";
import type { App } from "../app.ts";
import { countOf, formatCount } from "../format.ts";
import { type ComponentChild, html, type VNode } from "../html.ts";
import { ChangeButton, Tag } from "../parts/parts.ts";
import { type Column, Table } from "../parts/table.ts";
import { visible } from "../text.ts";

/** A consumer and its channel. */
export interface ConsumerRow extends ConsumerEntry {
  readonly channel: string;
}

/** A table of the consumers of one channel, whose last sequence is `last`. */
export function ConsumerTable(
  { app, rows, last, refresh, empty }: {
    app: App;
    rows: readonly ConsumerRow[];
    last: number;
    refresh: () => void;
    empty: ComponentChild;
  },
): VNode {
  const actions = {
    label: "Actions",
    cell: (row: ConsumerRow) => html`<${Actions} app=${app} row=${row} last=${last} refresh=${refresh} />`,
  };
  return html`<${Table} caption="Consumers" columns=${[
    ...COLUMNS,
    actions,
  ]} rows=${rows} keyOf=${consumerKey} empty=${empty} />`;
}

/** Tells consumers apart. */
export function consumerKey({ channel, consumer, subject }: ConsumerRow): string {
  return JSON.stringify([channel, consumer, subject]);
}

/** `billing` or `billing of ada`. */
export function consumerName({ consumer, subject }: ConsumerAsk): string {
  return subject === undefined ? consumer : `${consumer} of ${visible(subject)}`;
}

const COLUMNS: readonly Column<ConsumerRow>[] = [
  {
    label: "Consumer",
    isName: true,
    cell: ({ consumer, subject }) =>
      html`<span>${consumer}</span>${
        subject !== undefined && html`<span class="muted">of ${visible(subject)}</span>`
      }`,
  },
  { label: "Position", isNumber: true, cell: ({ position }) => formatCount(position) },
  {
    label: "Lag",
    isNumber: true,
    cell: ({ lag }) => formatCount(lag),
  },
  {
    label: "Sessions",
    isNumber: true,
    cell: ({ members, lag }) =>
      members === 0 && lag > 0
        ? html`<${Tag} kind="warn" title="Messages wait, and no session of this consumer is connected">0<//>`
        : formatCount(members),
  },
  { label: "State", cell: ({ isPaused }) => isPaused ? html`<${Tag} kind="warn">paused<//>` : "delivers" },
  {
    label: "Set aside",
    isNumber: true,
    cell: (row) =>
      row.setAside === 0
        ? "0"
        : html`<a href=${setAsideLink(row)}><${Tag} kind="bad">${formatCount(row.setAside)}<//></a>`,
  },
];

/** Where the messages that a consumer has set aside are shown. */
export function setAsideLink({ channel, consumer, subject }: ConsumerRow): string {
  const parts = subject === undefined ? [channel, consumer] : [channel, consumer, subject];
  return `#/set-aside/${parts.map(encodeURIComponent).join("/")}`;
}

function Actions(
  { app, row, last, refresh }: { app: App; row: ConsumerRow; last: number; refresh: () => void },
): VNode {
  const [isResetting, setResetting] = useState(false);
  const { channel, consumer, subject, isPaused } = row;
  const name = consumerName(row);
  const turn = async () => {
    const action = isPaused ? "resume" : "pause";
    await app.change(
      "$admin.consumer",
      { channel, consumer, subject, action },
      `${name} is ${isPaused ? "resumed" : "paused"}`,
    );
    refresh();
  };
  return html`
    <${ChangeButton} app=${app} label=${isPaused ? "Resume" : "Pause"} about=${name} onPress=${turn} />
    <${ChangeButton} app=${app} label="Reset …" about=${name} onPress=${() => setResetting(!isResetting)} />
    ${isResetting && html`<${Reset} app=${app} row=${row} last=${last} done=${() => {
      setResetting(false);
      refresh();
    }} />`}
  `;
}

function Reset(
  { app, row, last, done }: { app: App; row: ConsumerRow; last: number; done: () => void },
): VNode {
  const [position, setPosition] = useState(String(row.position));
  const name = consumerName(row);
  const reset = async (event: Event) => {
    event.preventDefault();
    const to = Number(position);
    const text = to < row.position
      ? `It is at ${formatCount(row.position)}: ${
        countOf(row.position - to, "message")
      } that it has dealt with come again.`
      : `It is at ${formatCount(row.position)}: ${
        countOf(to - row.position, "message")
      } that it has not dealt with are left out.`;
    if (!await app.confirm(`Reset ${name} to go on after ${formatCount(to)}?`, text, "Reset")) return;
    const { channel, consumer, subject } = row;
    const ask = { channel, consumer, subject, action: "reset" as const, position: to };
    if (await app.change("$admin.consumer", ask, `${name} goes on after ${formatCount(to)}`) !== undefined) {
      done();
    }
  };
  return html`
    <form class="reset" onSubmit=${reset}>
      <label>Goes on after sequence
          <input type="number" min="0" max=${last} step="1" required value=${position}
            onInput=${(event: Event) =>
              setPosition((event.currentTarget as HTMLInputElement).value)} /></label>
      <button type="submit" class="small danger">Reset</button>
    </form>
  `;
}
