/**
 * Draws a soak as SVG: memory, descriptors and throughput over time.
 *
 * @module
 */

import { countText, marks, timeMarks } from "./axis.ts";
import type { SoakResult } from "./run.ts";
import { pointsOf, type Sample } from "./sampler.ts";
import type { Point, Trend } from "./trend.ts";

const MiB = 1024 * 1024;
const WIDTH = 960;
const LEFT = 76;
const RIGHT = 24;
const TOP = 98;
const PANEL = 190;
const GAP = 62;
const BOTTOM = 44;
const INNER = WIDTH - LEFT - RIGHT;

/** A line in a panel. */
interface Line {
  readonly name: string;
  /** A class in the style sheet. */
  readonly look: "first" | "second";
  readonly points: readonly Point[];
}

/** One diagram; all share the time axis. */
interface Panel {
  readonly title: string;
  readonly lines: readonly Line[];
  readonly trends: readonly Trend[];
  /** Text about the trends, at the right. */
  readonly note?: string;
  readonly text: (value: number) => string;
}

/** Draws a soak. It adapts to a dark background, and each line is labelled, so it does not depend on colours. */
export function toSvg(result: SoakResult): string {
  const panels = panelsOf(result);
  const height = TOP + panels.length * PANEL + (panels.length - 1) * GAP + BOTTOM;
  const sampled = result.samples.at(-1)?.seconds ?? 0;
  // Up to the planned end, unless the run ended much earlier.
  const last = sampled > 0.9 * result.seconds ? result.seconds : Math.max(sampled, 1);
  const x = (seconds: number) => LEFT + seconds / last * INNER;
  const drawn = panels.map((panel, index) =>
    drawPanel(panel, TOP + index * (PANEL + GAP), x, last, result.warmUpSeconds)
  );
  const { counters, problems, date, server } = result;
  const grew = result.memory === undefined ? "too short to see growth" : "nothing grew";
  const outcome = problems[0] ?? `nothing lost, ${grew}`;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img">
<title>Parley under load for ${Math.round(last)} s: ${escape(outcome)}</title>
<style>
text { font: 12px system-ui, "DejaVu Sans", sans-serif; fill: #1f2937; }
.head { font-size: 17px; font-weight: 600; }
.title { font-size: 13px; font-weight: 600; }
.quiet { fill: #6b7280; }
.bad { fill: #b91c1c; }
.ground { fill: #ffffff; }
.grid { stroke: #e5e7eb; }
.axis { stroke: #9ca3af; }
.warm { fill: #f3f4f6; }
path { fill: none; stroke-width: 1.6; stroke-linejoin: round; }
path.first { stroke: #1d6fa5; } text.first { fill: #1d6fa5; }
path.second { stroke: #b4540a; stroke-dasharray: 5 2; } text.second { fill: #b4540a; }
.trend { stroke: #1f2937; stroke-width: 1.4; stroke-dasharray: 2 4; }
@media (prefers-color-scheme: dark) {
  text { fill: #e5e7eb; } .quiet { fill: #9ca3af; } .bad { fill: #f87171; }
  .ground { fill: #111827; } .grid { stroke: #2b3545; } .axis { stroke: #6b7280; } .warm { fill: #1b2433; }
  path.first { stroke: #6cb6e8; } text.first { fill: #6cb6e8; }
  path.second { stroke: #f0a35e; } text.second { fill: #f0a35e; }
  .trend { stroke: #e5e7eb; }
}
</style>
<rect class="ground" width="100%" height="100%"/>
<text class="head" x="20" y="30">Parley under a mixed load</text>
<text class="quiet" x="20" y="50">${escape(date.slice(0, 16).replace("T", " "))} UTC, ${
    escape(server?.join(" ") ?? "server.ts")
  }: ${countText(counters.delivered)} messages delivered, ${countText(counters.replies)} replies, ${
    countText(counters.shortSessions)
  } short sessions</text>
<text class="${problems.length > 0 ? "bad" : "quiet"}" x="${WIDTH - RIGHT}" y="30" text-anchor="end">${
    escape(outcome.slice(0, 90))
  }</text>
${drawn.join("\n")}
${drawTime(last, x, height - BOTTOM)}
</svg>
`;
}

function panelsOf({ samples, memory, heap, descriptors }: SoakResult): Panel[] {
  const points = (pick: (sample: Sample) => number | undefined) => pointsOf(samples, pick);
  const signed = (value: number) => `${value < 0 ? "\u2212" : "+"}${Math.abs(value).toFixed(1)}`;
  const memoryTrends = [memory, heap].filter((trend) => trend !== undefined);
  const note = (growths: string[]) =>
    growths.length > 0 ? `${growths.join(" and ")} after the warm-up` : undefined;
  const heapLine = points(({ heapBytes }) => heapBytes === undefined ? undefined : heapBytes / MiB);
  return [
    {
      title: "Memory, MiB",
      lines: [
        { name: "resident", look: "first", points: points(({ residentBytes }) => residentBytes / MiB) },
        ...(heapLine.length > 0
          ? [{ name: "V8 heap after each collection", look: "second", points: heapLine } as const]
          : []),
      ],
      trends: memoryTrends.map((trend) => scaled(trend, 1 / MiB)),
      note: note(memoryTrends.map(({ growth }) => `${signed(growth / MiB)} MiB`)),
      text: String,
    },
    {
      title: "Descriptors",
      lines: [{ name: "", look: "first", points: points((sample) => sample.descriptors) }],
      trends: descriptors ? [descriptors] : [],
      note: note(descriptors ? [signed(descriptors.growth)] : []),
      text: String,
    },
    {
      title: "Messages delivered a second",
      lines: [{ name: "", look: "first", points: points((sample) => sample.deliveredPerSecond) }],
      trends: [],
      text: countText,
    },
  ];
}

function drawPanel(
  { title, lines, trends, note, text }: Panel,
  top: number,
  x: (seconds: number) => number,
  last: number,
  warmUp: number,
): string {
  const scale = marks(Math.max(...lines.flatMap(({ points }) => points.map(({ value }) => value)), 0), 4);
  const most = scale[scale.length - 1];
  const y = (value: number) => top + PANEL - value / most * PANEL;
  const parts = [
    `<text class="title" x="${LEFT}" y="${top - 12}">${escape(title)}</text>`,
    `<rect class="warm" x="${LEFT}" y="${top}" width="${
      n(x(Math.min(warmUp, last)) - LEFT)
    }" height="${PANEL}"/>`,
    ...timeMarks(last, 10).map(({ seconds }) =>
      `<line class="grid" x1="${n(x(seconds))}" x2="${n(x(seconds))}" y1="${top}" y2="${top + PANEL}"/>`
    ),
    ...scale.map((value) =>
      `<line class="${value === 0 ? "axis" : "grid"}" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${
        n(y(value))
      }" y2="${n(y(value))}"/><text class="quiet" x="${LEFT - 8}" y="${n(y(value) + 4)}" text-anchor="end">${
        escape(text(value))
      }</text>`
    ),
    ...lines.map(({ look, points }) => `<path class="${look}" d="${pathOf(points, x, y)}"/>`),
    ...legend(lines, top - 12, title.length * 7.4 + LEFT + 24),
  ];
  for (const trend of trends) {
    parts.push(
      `<line class="trend" x1="${n(x(trend.from.seconds))}" x2="${n(x(trend.to.seconds))}" y1="${
        n(y(trend.from.value))
      }" y2="${n(y(trend.to.value))}"/>`,
    );
  }
  if (note !== undefined) {
    parts.push(
      `<text class="quiet" x="${WIDTH - RIGHT}" y="${top - 12}" text-anchor="end">${escape(note)}</text>`,
    );
  }
  if (top === TOP) parts.push(`<text class="quiet" x="${LEFT + 6}" y="${top + 15}">warm-up</text>`);
  return parts.join("\n");
}

function legend(lines: readonly Line[], y: number, from: number): string[] {
  let x = from;
  return lines.filter(({ name }) => name !== "").map(({ name, look }) => {
    const item = `<path class="${look}" d="M${n(x)} ${y - 4}h26"/><text class="${look}" x="${
      n(x + 32)
    }" y="${y}">${escape(name)}</text>`;
    x += 56 + name.length * 7;
    return item;
  });
}

function drawTime(last: number, x: (seconds: number) => number, y: number): string {
  return timeMarks(last, 10).map(({ seconds, text }) =>
    `<text class="quiet" x="${n(x(seconds))}" y="${y + 18}" text-anchor="middle">${text}</text>`
  ).join("\n");
}

function pathOf(
  points: readonly Point[],
  x: (seconds: number) => number,
  y: (value: number) => number,
): string {
  return points.map(({ seconds, value }, index) =>
    `${index === 0 ? "M" : "L"}${n(x(seconds))} ${n(y(value))}`
  ).join("");
}

function scaled({ from, to, growth }: Trend, factor: number): Trend {
  const at = ({ seconds, value }: Point) => ({ seconds, value: value * factor });
  return { from: at(from), to: at(to), growth: growth * factor };
}

function n(value: number): string {
  return value.toFixed(1);
}

/** Escapes text for SVG and HTML. */
export function escape(text: string): string {
  return text.replace(/[&<>"]/g, (character) => `&#${character.codePointAt(0)};`);
}
