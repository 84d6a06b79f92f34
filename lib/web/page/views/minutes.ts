/**
 * The charts of the overview as a table, a row a minute.
 *
 * @module
 */

import { useState } from "preact/hooks";
import type { HistoryColumn } from "../../../wire/stats.ts";
import { formatBytes, formatCount, formatMs, formatRate } from "../format.ts";
import { html, type VNode } from "../html.ts";
import { type Column, Table } from "../parts/table.ts";
import type { Samples } from "../samples.ts";

interface Minute {
  readonly time: number;
  readonly from: number;
  readonly to: number;
}

/** The table, which is made only when it is opened. */
export function MinuteTable({ samples }: { samples: Samples }): VNode {
  const [isOpen, setOpen] = useState(false);
  return html`
    <details class="minutes" onToggle=${(event: Event) =>
      setOpen((event.currentTarget as HTMLDetailsElement).open)}>
      <summary>The same as a table</summary>
      ${isOpen && html`
        <${Table} caption="The last fifteen minutes, by the minute" columns=${columnsOf(samples)}
          rows=${minutesOf(samples.times)} keyOf=${({ time }: Minute) => time} />
      `}
    </details>
  `;
}

function minutesOf(times: readonly number[]): Minute[] {
  const minutes: Minute[] = [];
  times.forEach((time, index) => {
    const minute = Math.floor(time / 60) * 60;
    const last = minutes.at(-1);
    if (last?.time === minute) minutes[minutes.length - 1] = { ...last, to: index + 1 };
    else minutes.push({ time: minute, from: index, to: index + 1 });
  });
  return minutes.reverse();
}

function columnsOf({ columns }: Samples): Column<Minute>[] {
  const known = (column: HistoryColumn, { from, to }: Minute) =>
    columns[column].slice(from, to).filter((value) => value !== null);
  const column = (
    label: string,
    name: HistoryColumn,
    format: (value: number) => string,
    isMean: boolean,
  ) => ({
    label,
    isNumber: true,
    cell: (minute: Minute) => {
      const values = known(name, minute);
      if (values.length === 0) return "–";
      const sum = values.reduce((sum, value) => sum + value, 0);
      return format(isMean ? sum / values.length : Math.max(...values));
    },
  });
  return [
    {
      label: "Minute",
      isName: true,
      cell: ({ time }) => new Date(time * 1000).toLocaleTimeString("en-GB", { timeStyle: "short" }),
    },
    column("Messages in/s", "messagesIn", formatRate, true),
    column("Messages out/s", "messagesOut", formatRate, true),
    column("Bytes in/s", "bytesIn", formatBytes, true),
    column("Bytes out/s", "bytesOut", formatBytes, true),
    column("Most waiting", "pendingBytes", formatBytes, false),
    column("Longest delay", "loopDelayMs", formatMs, false),
    column("Most memory", "memoryBytes", formatBytes, false),
    column("Most sessions", "sessions", formatCount, false),
  ];
}
