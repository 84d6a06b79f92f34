/**
 * A report as Markdown tables, for the terminal and for docs/performance.md.
 *
 * @module
 */

import type { Latency } from "../load/job.ts";
import {
  CEILING_NAME,
  type Cell,
  type ContenderInfo,
  type GoalResult,
  type Report,
  type Row,
} from "./data.ts";
import { STORED_KINDS } from "../workloads.ts";
import { digits, formatValue } from "./format.ts";
import type { RatioInterval } from "./interval.ts";

/** Marks in a document between which the results are replaced. */
export const BEGIN = "<!-- results: made by `deno task bench`, do not edit -->";
/** See {@linkcode BEGIN}. */
export const END = "<!-- end of results -->";
/** The names of machines and error messages can exceed the line width. */
const UNFORMATTED = ["<!-- deno-fmt-ignore-start -->", "<!-- deno-fmt-ignore-end -->"];

const NOTHING = "–";
/** A build is slower than the first one if the whole interval of its ratio lies below this. */
const REGRESSION = 0.97;

/** The whole report: the workloads that store nothing, then those that do, each beside the servers they are for. */
export function toMarkdown(report: Report): string {
  const [stored, others] = [true, false].map((isStored) => {
    const rows = report.rows.filter(({ kind }) => STORED_KINDS.includes(kind) === isStored);
    const contenders = report.contenders.filter(({ name }) => rows.some(({ cells }) => name in cells));
    return { ...report, rows, contenders };
  });
  const parts = [heading(report)];
  if (others.rows.length > 0) parts.push(...tables(others));
  if (stored.rows.length > 0) {
    if (others.rows.length > 0) parts.push("### Stored channels");
    parts.push(durabilities(stored), ...tables(stored));
  }
  return parts.filter((part) => part !== "").join("\n\n") + "\n";
}

function tables(report: Report): string[] {
  return [
    "Medians over the rounds, with the range in brackets. Rates are per second; more is better, except for memory and start.",
    table(
      ["workload", ...servers(report).map(({ title }) => title)],
      report.rows.map((row) => valueCells(report, row)),
    ),
    comparison(report),
    buildComparison(report),
    latencies(report),
    overheads(report),
    ...failures(report),
  ];
}

/** What a receipt of each server says. */
function durabilities({ contenders, machine }: Report): string {
  const lines = contenders.filter(({ durability }) => durability !== undefined)
    .map(({ title, durability }) => `- ${title}: ${durability}`);
  return `What has happened to a message when its receipt comes, on ${machine.fileSystem}:\n\n${
    lines.join("\n")
  }`;
}

/** `document` with the text between its marks replaced by `results`; without marks or document, `results` alone. */
export function inserted(document: string | undefined, results: string): string {
  const begin = document?.indexOf(BEGIN) ?? -1;
  const end = document?.indexOf(END) ?? -1;
  if (document === undefined || begin < 0 || end < begin) return results;
  const [ignoreStart, ignoreEnd] = UNFORMATTED;
  return `${document.slice(0, begin)}${BEGIN}\n${ignoreStart}\n\n${results}\n${ignoreEnd}\n${
    document.slice(end)
  }`;
}

function heading({ date, machine, effort, contenders }: Report): string {
  const memory = Math.round(machine.memoryBytes / 2 ** 30);
  const versions = contenders.filter(({ name }) => name !== CEILING_NAME)
    .map(({ title, version }) => `${title} ${version}`);
  return [
    `- ${date.slice(0, 10)}, ${effort.rounds} ${
      effort.rounds === 1 ? "round" : "rounds"
    } of ${effort.seconds} s after ${effort.warmUpSeconds} s of warm-up${
      effort.isServerFresh ? ", each with a server process of its own" : ""
    }${effort.syncMs > 0 ? `; each sync of the disk takes ${effort.syncMs} ms longer, by strace` : ""}`,
    `- ${machine.cpu}, ${machine.cores} cores, ${memory} GiB; ${machine.os}; load before the run ${
      machine.load.toFixed(2)
    }`,
    `- ${versions.join(", ")}; Deno ${machine.deno}`,
  ].join("\n");
}

/** All contenders except the relay. */
function servers({ contenders }: Report): readonly ContenderInfo[] {
  return contenders.filter(({ name }) => name !== CEILING_NAME);
}

function valueCells(report: Report, row: Row): string[] {
  return [row.title, ...servers(report).map(({ name }) => valueCell(row, row.cells[name]))];
}

function valueCell({ unit }: Row, cell: Cell | undefined): string {
  if (cell?.spread === undefined) return NOTHING;
  const { median, min, max } = cell.spread;
  const range = cell.values.length > 1 ? ` (${formatValue(min, unit)} – ${formatValue(max, unit)})` : "";
  return formatValue(median, unit) + range;
}

/** The first contender over each other server, and whether the goals were reached. */
function comparison(report: Report): string {
  const [first, ...rest] = servers(report);
  const others = rest.filter(({ name }) => !report.rows.some(({ builds }) => name in builds));
  if (others.length === 0 && report.rows.every(({ goals }) => goals.length === 0)) return "";
  const rows = report.rows.map((row) => [
    row.title,
    ...others.map(({ name }) => ratioCell(row, name)),
    row.goals.filter(({ over }) => over === undefined).map(goalText).join(", ") || NOTHING,
  ]);
  const text = others.length === 0
    ? "Goals:"
    : `${first.title} over each other server, above 1 is better, also for memory and start: the median of the ratios of
the rounds, with their range.`;
  return `${text}\n\n${
    table(["workload", ...others.map(({ title }) => `over ${title}`), "other goals"], rows)
  }`;
}

function ratioCell({ ratios, goals }: Row, name: string): string {
  const parts: string[] = [];
  const ratio = ratios[name];
  if (ratio !== undefined) {
    const range = ratio.min === ratio.max ? "" : ` (${digits(ratio.min)} – ${digits(ratio.max)})`;
    parts.push(`${digits(ratio.median)}x${range}`);
  }
  parts.push(...goals.filter(({ over }) => over === name).map(goalText));
  return parts.join(", ") || NOTHING;
}

function goalText({ goal, isReached }: GoalResult): string {
  return `${isReached ? "✓" : "✗"} ${goal}`;
}

/** Each later build over the first one: one line per workload. */
function buildComparison(report: Report): string {
  const names = [...new Set(report.rows.flatMap(({ builds }) => Object.keys(builds)))];
  if (names.length === 0) return "";
  const base = report.contenders[0].name;
  const rows = report.rows.map((row) => [row.title, ...names.map((name) => intervalCell(row.builds[name]))]);
  const text =
    `Builds compared: the geometric mean of the ratios of the rounds, with its 95% confidence interval.
Above 1 is better, also for memory and start. ✗ marks an interval that lies below ${REGRESSION}.`;
  return `${text}\n\n${table(["workload", ...names.map((name) => `${name} / ${base}`)], rows)}`;
}

function intervalCell(interval: RatioInterval | undefined): string {
  if (interval === undefined) return NOTHING;
  const { ratio, low, high } = interval;
  if (low === undefined || high === undefined) return `${ratio.toFixed(3)}x`;
  const mark = high < REGRESSION ? ", ✗" : "";
  return `${ratio.toFixed(3)}x (${low.toFixed(3)} – ${high.toFixed(3)})${mark}`;
}

/** The response times of the closed loops, the time of each receipt among them. */
function latencies(report: Report): string {
  const rows = report.rows.filter(({ cells, kind }) =>
    !kind.startsWith("library") && Object.values(cells).some(({ latency }) => latency !== undefined)
  );
  if (rows.length === 0) return "";
  const cells = (row: Row, pick: (cell: Cell) => Latency | undefined) =>
    report.contenders.map(({ name }) => {
      const cell = row.cells[name];
      const latency = cell === undefined ? undefined : pick(cell);
      return latency === undefined
        ? NOTHING
        : [latency.p50, latency.p99, latency.p999].map(digits).join(" / ");
    });
  const lines = rows.flatMap((row) => {
    const line = [row.title, ...cells(row, ({ latency }) => latency)];
    if (row.kind !== "store-one") return [line];
    const ratios = report.contenders.map(({ name }) => row.cells[name]?.bareP99Ratio);
    return [
      line,
      ["in turn with it: write + fdatasync, no server", ...cells(row, ({ bareLatency }) => bareLatency)],
      [
        "p99 of the one over p99 of the other",
        ...ratios.map((ratio) => ratio === undefined ? NOTHING : `${digits(ratio)}x`),
      ],
    ];
  });
  const head = ["workload", ...report.contenders.map(({ title }) => title)];
  return `Response times in milliseconds: p50 / p99 / p99.9.\n\n${table(head, lines)}`;
}

/** The ceiling, and the processor time of servers and generator. */
function overheads(report: Report): string {
  const measured = report.rows.filter(({ cells }) =>
    Object.values(cells).some(({ generatorCores }) => generatorCores !== undefined)
  );
  if (measured.length === 0) return "";
  const cores = (cell: Cell | undefined) =>
    cell?.generatorCores === undefined
      ? NOTHING
      : `${cell.serverCores!.toFixed(2)} + ${cell.generatorCores.toFixed(2)}`;
  const hasCeiling = measured.every(({ kind }) => !STORED_KINDS.includes(kind));
  const ceiling = (row: Row) => hasCeiling ? [valueCell(row, row.cells[CEILING_NAME])] : [];
  const rows = measured.map((row) => [
    row.title,
    ...ceiling(row),
    ...report.contenders.map(({ name }) => cores(row.cells[name])),
  ]);
  const head = ["workload", ...hasCeiling ? ["ceiling"] : [], ...report.contenders.map(({ title }) => title)];
  const text = hasCeiling
    ? `Limits of the measurement: what the generator reaches with a relay that does not parse messages (the ceiling), and
the cores that server + generator used:`
    : "The cores that server + generator used:";
  return `${text}\n\n${table(head, rows)}`;
}

function failures({ rows, contenders }: Report): string[] {
  const lines = rows.flatMap(({ title, cells }) =>
    contenders.filter(({ name }) => cells[name]?.error !== undefined)
      .map((contender) => `- ${title}: ${contender.title}: ${cells[contender.name].error}`)
  );
  return lines.length === 0 ? [] : [`Failed:\n\n${lines.join("\n")}`];
}

/** A table, aligned as `deno fmt` does. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, column) =>
    Math.max(3, ...[head, ...rows].map((row) => row[column].length), title.length)
  );
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column])).join(" | ")} |`;
  return [line(head), line(widths.map((width) => "-".repeat(width))), ...rows.map(line)].join("\n");
}
