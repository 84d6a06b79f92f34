/**
 * Prints a program's options: the values in effect, and `--help`.
 *
 * @module
 */

import { toCamelCase } from "@std/text";
import type { Loaded } from "../config/load.ts";
import {
  formatMilliseconds,
  formatSeconds,
  formatSize,
  namesSetBy,
  type Option,
  type Options,
  type Program,
  type Value,
} from "../config/option.ts";

/** An option with its value as a user can type it, and where that came from. */
export interface ShownOption {
  readonly name: string;
  readonly text: string;
  readonly origin: string;
}

/** The options of a program that have a variable or a key in its file. Secrets are not shown. */
export function shownOptions<T extends Options>(program: Program<T>, loaded: Loaded<T>): ShownOption[] {
  const values = loaded.values as Record<string, unknown>;
  const names = new Set([...namesSetBy(program.options, "variable"), ...namesSetBy(program.options, "file")]);
  return Object.keys(program.options).filter((name) => names.has(name)).map((name) => {
    const option = program.options[name];
    const show = (value: Value) => option.secret ? "(secret)" : formatValue(option, value);
    const all = [values[toCamelCase(name)] ?? []].flat();
    const text = option.kind !== "entries"
      ? (all as Value[]).map(show).join(",") || "-"
      : all.length === 0
      ? "-"
      : all.length === 1
      ? "1 entry"
      : `${all.length} entries`;
    return { name, text, origin: loaded.origins[name] };
  });
}

/**
 * Formats the output of `parley-server config`: a line for each option with its value and origin. Options with problems
 * are marked with `!`, and their problems follow. Problems that concern no option come last, then the warnings, marked
 * with `?`. Secrets are not shown.
 */
export function formatConfig<T extends Options>(program: Program<T>, loaded: Loaded<T>): string {
  const rows = shownOptions(program, loaded);
  const nameWidth = Math.max(...rows.map(({ name }) => name.length));
  const textWidth = Math.max(...rows.map(({ text }) => text.length));
  const lines: string[] = [];
  for (const { name, text, origin } of rows) {
    const problems = loaded.problems.filter(({ options }) => options.includes(name));
    const mark = problems.length > 0 ? "!" : " ";
    lines.push(`${mark} ${name.padEnd(nameWidth)}  ${text.padEnd(textWidth)}  ${origin}`);
    lines.push(...problems.map((problem) => `!   ${problem.text}`));
  }
  const others = loaded.problems.filter(({ options }) => options.length === 0);
  const warnings = loaded.warnings.map((text) => `? ${text}`);
  return [...lines, ...others.map(({ text }) => `! ${text}`), ...warnings].join("\n");
}

/** Formats a value as a user can type it; quoted if spaces or control characters would break the columns. */
function formatValue({ kind }: Option, value: Value): string {
  switch (kind) {
    case "bytes":
      return formatSize(Number(value));
    case "ms":
      return formatMilliseconds(Number(value));
    case "seconds":
      return formatSeconds(Number(value));
    default:
      return /^[\x21-\x7e]+$/.test(String(value)) ? String(value) : JSON.stringify(value);
  }
}

/** What `--help` shows in place of a value, unless the row of the option says otherwise. */
const PLACEHOLDERS: Record<Option["kind"], string> = {
  string: "TEXT",
  word: "TEXT",
  host: "NAME",
  listen: "PORT",
  origin: "URL",
  path: "FILE",
  pattern: "PATTERN",
  choice: "WORD",
  integer: "NUMBER",
  decimal: "NUMBER",
  bytes: "SIZE",
  seconds: "TIME",
  ms: "TIME",
  boolean: "",
  entries: "",
};

/** Formats the options for `--help`, wrapped to 80 columns, each with its range and default. */
export function formatHelp<T extends Options>(program: Program<T>): string {
  const rows = namesSetBy(program.options, "flag").map((name) => {
    const option = program.options[name];
    const short = option.short ? `-${option.short}, ` : "    ";
    const value = option.placeholder ?? PLACEHOLDERS[option.kind];
    return { flag: `  ${short}--${name} ${value}`.trimEnd(), help: option.help + details(option) };
  });
  const width = Math.max(...rows.map(({ flag }) => flag.length)) + 2;
  const wrapped = new RegExp(`\\S.{0,${79 - width}}(?=\\s|$)`, "g");
  const lineBreak = `\n${" ".repeat(width)}`;
  return rows.map(({ flag, help }) => flag.padEnd(width) + help.match(wrapped)!.join(lineBreak)).join("\n");
}

/** Formats range and default: ` (0 to 65535; default 7253)`. */
function details(option: Option): string {
  const format = (value: Value) => formatValue(option, value);
  const parts: string[] = [];
  if (option.kind === "choice") parts.push(option.choices.join(", "));
  if ("range" in option) parts.push(option.range.map(format).join(" to "));
  if (option.repeatable) parts.push("may be repeated");
  if (typeof option.default === "function") {
    parts.push(
      `default ${format(option.default(true))} on a terminal, else ${format(option.default(false))}`,
    );
  } else if (option.default !== undefined && option.kind !== "boolean") {
    parts.push(`default ${format(option.default)}`);
  }
  return parts.length > 0 ? ` (${parts.join("; ")})` : "";
}
