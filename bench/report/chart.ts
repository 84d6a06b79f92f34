/**
 * A report as a chart (SVG): each rate is a dot on a logarithmic axis, with its range as a line.
 *
 * @module
 */

import { CEILING_NAME, type ContenderInfo, type Report, type Row } from "./data.ts";
import { formatValue } from "./format.ts";

const WIDTH = 960;
const LEFT = 280;
const RIGHT = 30;
const TOP = 76;
const ROW_HEIGHT = 34;
const BOTTOM = 34;
/** Without colours the first contender is still distinct: its dot is filled and larger, the others are rings. */
const COLOURS = ["#d1495b", "#2e86ab", "#e08e1b", "#5a9367", "#7d5ba6"];
const GREY = "#6b7280";

/** Draws the workloads that are measured per second; the others have other units and stay in the tables. */
export function toSvg(report: Report): string {
  const rows = report.rows.filter(({ unit, cells }) =>
    unit === "/s" && Object.values(cells).some(({ spread }) => spread !== undefined)
  );
  const values = rows.flatMap(({ cells }) => Object.values(cells).flatMap(({ values }) => values));
  const low = Math.floor(Math.log10(Math.min(1e4, ...values)));
  const high = Math.ceil(Math.log10(Math.max(1e5, ...values)));
  const x = (value: number) => LEFT + (Math.log10(value) - low) / (high - low) * (WIDTH - LEFT - RIGHT);
  const height = TOP + rows.length * ROW_HEIGHT + BOTTOM;
  const parts = [
    `<text x="16" y="26" class="title">Messages, answers or handshakes per second</text>`,
    legend(report.contenders),
    grid(low, high, x, height),
    ...rows.map((row, index) => drawRow(row, report.contenders, TOP + (index + 0.5) * ROW_HEIGHT, x)),
  ];
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img">
<style>
text { font: 13px system-ui, sans-serif; fill: #1f2937; }
.title { font-size: 16px; font-weight: 600; }
.quiet { fill: #6b7280; font-size: 11px; }
.background { fill: #fff; }
.grid { stroke: #e5e7eb; }
.ring { fill: #fff; stroke-width: 2.5; }
@media (prefers-color-scheme: dark) {
  text { fill: #e5e7eb; }
  .quiet { fill: #9ca3af; }
  .background, .ring { fill: #111827; }
  .grid { stroke: #374151; }
}
</style>
<rect class="background" width="100%" height="100%"/>
${parts.join("\n")}
</svg>
`;
}

function legend(contenders: readonly ContenderInfo[]): string {
  let x = 22;
  return contenders.map(({ name, title }, index) => {
    const item = `${mark(name, index, x, 48)}<text x="${x + 12}" y="52">${escape(title)}</text>`;
    x += 40 + title.length * 8;
    return item;
  }).join("\n");
}

function grid(low: number, high: number, x: (value: number) => number, height: number): string {
  const lines: string[] = [];
  for (let power = low; power <= high; power++) {
    const at = x(10 ** power).toFixed(1);
    lines.push(
      `<line class="grid" x1="${at}" x2="${at}" y1="${TOP - 4}" y2="${height - BOTTOM}"/>` +
        `<text class="quiet" x="${at}" y="${height - 14}" text-anchor="middle">${
          formatValue(10 ** power, "/s").replace(/\.0+(?= )/, "")
        }</text>`,
    );
  }
  return lines.join("\n");
}

function drawRow(
  row: Row,
  contenders: readonly ContenderInfo[],
  y: number,
  x: (value: number) => number,
): string {
  const parts = [`<text x="16" y="${y + 4}">${escape(row.title)}</text>`];
  // The first is drawn last, on top of the others.
  for (let index = contenders.length - 1; index >= 0; index--) {
    const { name, title } = contenders[index];
    const spread = row.cells[name]?.spread;
    if (spread === undefined) continue;
    const colour = colourOf(name, index);
    parts.push(
      `<g><title>${escape(`${title}: ${formatValue(spread.median, row.unit)}`)}</title>` +
        `<line x1="${x(spread.min).toFixed(1)}" x2="${
          x(spread.max).toFixed(1)
        }" y1="${y}" y2="${y}" stroke="${colour}" ` +
        `stroke-width="3" opacity="0.45"/>${mark(name, index, x(spread.median), y)}</g>`,
    );
  }
  return parts.join("");
}

function mark(name: string, index: number, x: number, y: number): string {
  const at = x.toFixed(1);
  const colour = colourOf(name, index);
  if (name === CEILING_NAME) {
    return `<line x1="${at}" x2="${at}" y1="${y - 9}" y2="${
      y + 9
    }" stroke="${colour}" stroke-width="2" stroke-dasharray="3 2"/>`;
  }
  if (index === 0) return `<circle cx="${at}" cy="${y}" r="6.5" fill="${colour}"/>`;
  return `<circle class="ring" cx="${at}" cy="${y}" r="5" stroke="${colour}"/>`;
}

function colourOf(name: string, index: number): string {
  return name === CEILING_NAME ? GREY : COLOURS[index % COLOURS.length];
}

function escape(text: string): string {
  return text.replace(/[&<>"]/g, (character) => `&#${character.codePointAt(0)};`);
}
