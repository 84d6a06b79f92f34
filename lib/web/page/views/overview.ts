/**
 * Overview: how the server does, now and over the last fifteen minutes.
 *
 * @module
 */

import { useEffect, useState } from "preact/hooks";
import type { ServerStats, StoreStats } from "../../../wire/stats.ts";
import type { App } from "../app.ts";
import {
  countOf,
  formatBytes,
  formatCompact,
  formatCount,
  formatDuration,
  formatMs,
  formatRate,
} from "../format.ts";
import { html, type VNode } from "../html.ts";
import { Chart, type ChartProps } from "../parts/chart.ts";
import { Command, type Fact, Facts, Head, Section } from "../parts/parts.ts";
import { latest } from "../samples.ts";
import { useStore } from "../store.ts";
import { MinuteTable } from "./minutes.ts";

const CHARTS: readonly Omit<ChartProps, "samples" | "scheme">[] = [
  {
    title: "Messages per second",
    lines: [{ column: "messagesIn", label: "in" }, { column: "messagesOut", label: "out" }],
    format: formatRate,
    formatAxis: formatCompact,
    atLeast: 10,
  },
  {
    title: "Bytes per second",
    lines: [{ column: "bytesIn", label: "in" }, { column: "bytesOut", label: "out" }],
    format: formatBytes,
    isSize: true,
    atLeast: 1024,
  },
  {
    title: "Bytes waiting",
    lines: [{ column: "pendingBytes", label: "waiting" }],
    format: formatBytes,
    isSize: true,
    atLeast: 1024,
  },
  {
    title: "Delay of the event loop",
    lines: [{ column: "loopDelayMs", label: "longest" }],
    format: formatMs,
    atLeast: 10,
  },
  {
    title: "Memory",
    lines: [{ column: "memoryBytes", label: "memory" }],
    format: formatBytes,
    isSize: true,
    atLeast: 16 * 1024 * 1024,
  },
  {
    title: "Sessions",
    lines: [{ column: "sessions", label: "sessions" }],
    format: formatCount,
    formatAxis: formatCompact,
    atLeast: 5,
  },
];

/** The view. */
export function Overview({ app }: { app: App }): VNode {
  const stats = useStore(app.store, (state) => state.stats);
  const samples = useStore(app.store, (state) => state.samples);
  const scheme = useScheme();
  if (stats === undefined) {
    return html`
      <${Head} title="Overview" />
      <p class="muted">Waiting for the first numbers …</p>
    `;
  }
  return html`
    <${Head} title="Overview" />
    ${stats.messagesIn === 0 && html`
      <div class="empty">
        <p>No message has been published yet. Publish one:</p>
        <${Command} text="parley publish chat.lobby 'hello, all'" />
      </div>
    `}
    <div class="tiles">
      <${Tile} label="Messages in" value=${formatCompact(stats.messagesIn)} title=${formatCount(
        stats.messagesIn,
      )}
        under=${`${formatRate(latest(samples, "messagesIn") ?? 0)}/s`} />
      <${Tile} label="Messages out" value=${formatCompact(stats.messagesOut)} title=${formatCount(
        stats.messagesOut,
      )}
        under=${`${formatRate(latest(samples, "messagesOut") ?? 0)}/s`} />
      <${Tile} label="Sessions" value=${formatCount(stats.sessions)}
        under=${countOf(stats.connections, "connection")} href="#/sessions" />
      <${Tile} label="Channels" value=${formatCount(stats.channels)} under=${countOf(
        stats.patterns,
        "pattern",
      )}
        href="#/channels" />
      <${Tile} label="Publishers held back" value=${formatCount(stats.heldBack.now)} href="#/diagnose"
        kind=${stats.heldBack.now > 0 ? "warn" : undefined}
        under=${`${countOf(stats.heldBack.times, "time")}, ${formatDuration(stats.heldBack.seconds)}`} />
      <${Tile} label="Bytes waiting" value=${formatBytes(stats.pendingBytes)}
        kind=${stats.pendingBytes > stats.maxPendingBytes / 2 ? "warn" : undefined}
        under=${`of ${formatBytes(stats.maxPendingBytes)}`} />
    </div>
    <div class="charts">
      ${CHARTS.map((chart) =>
        html`<${Chart} key=${chart.title} ...${chart} samples=${samples} scheme=${scheme} />`
      )}
    </div>
    <${MinuteTable} samples=${samples} />
    <div class="columns">
      <${Section} title="Since the start">
        <${Facts} facts=${totals(stats)} />
        <//>
        <${Section} title="The server"><${Facts} facts=${server(stats)} /><//>
      ${stats.store !== undefined && html`
        <${Section} title="Stored channels">
          <${Facts} facts=${stored(stats.store)} />
          <//>
      `}
    </div>
  `;
}

function Tile(
  { label, value, under, title, href, kind }: {
    label: string;
    value: string;
    under: string;
    title?: string;
    href?: string;
    kind?: "warn";
  },
): VNode {
  const content = html`
    <span class="label">${label}</span><b title=${title}>${value}</b><span
      class="muted">${under}</span>
  `;
  const name = kind === undefined ? "tile" : `tile ${kind}`;
  return href === undefined
    ? html`<div class=${name}>${content}</div>`
    : html`<a class=${name} href=${href}>${content}</a>`;
}

function totals(stats: ServerStats): Fact[] {
  const { requests, errors } = stats;
  const refused = Object.entries(errors).filter(([, count]) => count > 0).sort(([, one], [, other]) =>
    other - one
  );
  return [
    ["Messages in, out", `${formatCount(stats.messagesIn)}, ${formatCount(stats.messagesOut)}`],
    ["Bytes in, out", `${formatBytes(stats.bytesIn)}, ${formatBytes(stats.bytesOut)}`],
    ["Requests asked, answered", `${formatCount(requests.asked)}, ${formatCount(requests.answered)}`],
    [
      "Requests refused, late, waiting",
      `${formatCount(requests.refused)}, ${formatCount(requests.late)}, ${formatCount(requests.waiting)}`,
    ],
    ["Messages without a subscriber", formatCount(stats.unheard)],
    ["Slow consumers closed", formatCount(stats.slowConsumers)],
    ["Rejected tokens", formatCount(stats.rejectedTokens)],
    ["Failed TLS handshakes", formatCount(stats.failedTlsHandshakes)],
    [
      "Refusals",
      refused.length === 0
        ? "none"
        : html`<a href="#/refusals">${
          refused.map(([code, count]) => `${code} ${formatCount(count)}`).join(", ")
        }</a>`,
    ],
  ];
}

function server(stats: ServerStats): Fact[] {
  return [
    ["Version", stats.version],
    ["Up for", formatDuration(stats.uptimeSeconds)],
    ["State", stats.state],
    ["Memory, heap", `${formatBytes(stats.memoryBytes)}, ${formatBytes(stats.heapBytes)}`],
    ["Open descriptors", stats.descriptors === null ? "not known" : formatCount(stats.descriptors)],
    [
      "Delay of the event loop",
      `${formatMs(stats.loopDelayMs.mean)}, longest ${formatMs(stats.loopDelayMs.max)}`,
    ],
  ];
}

function stored(store: StoreStats): Fact[] {
  const mean = store.commits === 0 ? 0 : store.commitSeconds * 1000 / store.commits;
  return [
    ["Channels, consumers", `${formatCount(store.channels)}, ${formatCount(store.consumers)}`],
    ["Messages", formatCount(store.messages)],
    ["Size", `${formatBytes(store.bytes)} of ${formatBytes(store.maxBytes)}`],
    [
      "Commits",
      `${formatCount(store.commits)}, ${formatMs(mean)} each, longest ${formatMs(store.slowestCommitMs)}`,
    ],
    [
      "Refused commits, failures of the disk",
      `${formatCount(store.refused)}, ${formatCount(store.failures)}`,
    ],
    ["Lag of all consumers, largest", `${formatCount(store.lag)}, ${formatCount(store.maxLag)}`],
    [
      "Set aside",
      store.setAside === 0 ? "none" : html`<a href="#/set-aside">${countOf(store.setAside, "message")}</a>`,
    ],
  ];
}

/** `light` or `dark`; changes with the system's. */
function useScheme(): string {
  const [dark] = useState(() => matchMedia("(prefers-color-scheme: dark)"));
  const [isDark, setDark] = useState(dark.matches);
  useEffect(() => {
    const changed = () => setDark(dark.matches);
    dark.addEventListener("change", changed);
    return () => dark.removeEventListener("change", changed);
  }, []);
  return isDark ? "dark" : "light";
}
