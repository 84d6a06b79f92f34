/**
 * A report as Markdown tables, for the terminal and for docs/performance.md alike.
 *
 * @module
 */

import { CEILING_NAME, type Cell, type Entrant, type Report, type Row, type Verdict } from "./data.ts";
import { digits, formatValue } from "./format.ts";

/** Marks in a document between which the results are replaced. */
export const BEGIN = "<!-- results: made by `deno task bench`, do not edit -->";
/** See {@linkcode BEGIN}. */
export const END = "<!-- end of results -->";
/** What a machine or an error is called can be longer than a line may be. */
const UNFORMATTED = ["<!-- deno-fmt-ignore-start -->", "<!-- deno-fmt-ignore-end -->"];

const NOTHING = "–";

/** The whole report. */
export function toMarkdown(report: Report): string {
  const parts = [
    heading(report),
    "Medians over the rounds, the range in brackets. Rates are a second; more is better, but for memory and start.",
    table(
      ["work", ...rivals(report).map(({ title }) => title)],
      report.rows.map((row) => valueCells(report, row)),
    ),
    comparison(report),
    waiting(report),
    trust(report),
    ...failures(report),
  ];
  return parts.filter((part) => part !== "").join("\n\n") + "\n";
}

/** `document` with its results replaced by `results`, or `results` alone where it has no place for them. */
export function inserted(document: string | undefined, results: string): string {
  const begin = document?.indexOf(BEGIN) ?? -1;
  const end = document?.indexOf(END) ?? -1;
  if (document === undefined || begin < 0 || end < begin) return results;
  const [ignore, noMore] = UNFORMATTED;
  return `${document.slice(0, begin)}${BEGIN}\n${ignore}\n\n${results}\n${noMore}\n${document.slice(end)}`;
}

function heading({ date, machine, effort, entrants }: Report): string {
  const memory = Math.round(machine.memoryBytes / 2 ** 30);
  const versions = entrants.filter(({ name }) => name !== CEILING_NAME)
    .map(({ title, version }) => `${title} ${version}`);
  return [
    `- ${date.slice(0, 10)}, ${effort.rounds} ${
      effort.rounds === 1 ? "round" : "rounds"
    } of ${effort.seconds} s after ${effort.warmUpSeconds} s of warm-up`,
    `- ${machine.cpu}, ${machine.cores} cores, ${memory} GiB; ${machine.os}; load before the run ${
      machine.load.toFixed(2)
    }`,
    `- ${versions.join(", ")}; Deno ${machine.deno}`,
  ].join("\n");
}

/** Everybody but the relay. */
function rivals({ entrants }: Report): readonly Entrant[] {
  return entrants.filter(({ name }) => name !== CEILING_NAME);
}

function valueCells(report: Report, row: Row): string[] {
  return [row.title, ...rivals(report).map(({ name }) => valueCell(row, row.cells[name]))];
}

function valueCell({ unit }: Row, cell: Cell | undefined): string {
  if (cell?.spread === undefined) return NOTHING;
  const { median, min, max } = cell.spread;
  const range = cell.values.length > 1 ? ` (${formatValue(min, unit)} – ${formatValue(max, unit)})` : "";
  return formatValue(median, unit) + range;
}

/** How many times as good the first is as each other, and whether that was the goal. */
function comparison(report: Report): string {
  const [first, ...others] = rivals(report);
  if (others.length === 0 && report.rows.every(({ verdicts }) => verdicts.length === 0)) return "";
  const rows = report.rows.map((row) => [
    row.title,
    ...others.map(({ name }) => ratioCell(row, name)),
    row.verdicts.filter(({ over }) => over === undefined).map(said).join(", ") || NOTHING,
  ]);
  const text =
    `How many times as good ${first.title} is, above 1 is better, also where less is more: the ratio in each
round, then the median of those.`;
  return `${text}\n\n${table(["work", ...others.map(({ title }) => `over ${title}`), "other goals"], rows)}`;
}

function ratioCell({ ratios, verdicts }: Row, name: string): string {
  const parts: string[] = [];
  const ratio = ratios[name];
  if (ratio !== undefined) {
    const range = ratio.min === ratio.max ? "" : ` (${digits(ratio.min)} – ${digits(ratio.max)})`;
    parts.push(`${digits(ratio.median)}x${range}`);
  }
  parts.push(...verdicts.filter(({ over }) => over === name).map(said));
  return parts.join(", ") || NOTHING;
}

function said({ goal, isReached }: Verdict): string {
  return `${isReached ? "✓" : "✗"} ${goal}`;
}

/** The quantiles of the closed loops. */
function waiting(report: Report): string {
  const rows = report.rows.filter(({ kind }) => kind === "echo" || kind === "request");
  if (rows.length === 0) return "";
  const cells = (row: Row) =>
    report.entrants.map(({ name }) => {
      const latency = row.cells[name]?.latency;
      return latency === undefined
        ? NOTHING
        : [latency.p50, latency.p99, latency.p999].map(digits).join(" / ");
    });
  const head = ["work", ...report.entrants.map(({ title }) => title)];
  return `Waiting for an answer, in milliseconds: the middle one, the slowest of 100, of 1,000.\n\n${
    table(head, rows.map((row) => [row.title, ...cells(row)]))
  }`;
}

/** What the measuring itself cost. */
function trust(report: Report): string {
  const measured = report.rows.filter(({ cells }) =>
    Object.values(cells).some(({ generatorCores }) => generatorCores !== undefined)
  );
  if (measured.length === 0) return "";
  const cores = (cell: Cell | undefined) =>
    cell?.generatorCores === undefined
      ? NOTHING
      : `${cell.serverCores!.toFixed(2)} + ${cell.generatorCores.toFixed(2)}`;
  const rows = measured.map((row) => [
    row.title,
    valueCell(row, row.cells[CEILING_NAME]),
    ...report.entrants.map(({ name }) => cores(row.cells[name])),
  ]);
  const head = ["work", "ceiling", ...report.entrants.map(({ title }) => title)];
  return `Can these be trusted? What the generator reaches with a relay that understands nothing (the ceiling), and
the cores that server + generator kept busy:

${table(head, rows)}`;
}

function failures({ rows, entrants }: Report): string[] {
  const lines = rows.flatMap(({ title, cells }) =>
    entrants.filter(({ name }) => cells[name]?.error !== undefined)
      .map((entrant) => `- ${title}: ${entrant.title}: ${cells[entrant.name].error}`)
  );
  return lines.length === 0 ? [] : [`What failed:\n\n${lines.join("\n")}`];
}

/** A table as `deno fmt` would align it. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, column) =>
    Math.max(3, ...[head, ...rows].map((row) => row[column].length), title.length)
  );
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column])).join(" | ")} |`;
  return [line(head), line(widths.map((width) => "-".repeat(width))), ...rows.map(line)].join("\n");
}
