/**
 * What the programs print about their options: the values in effect, and help.
 *
 * @module
 */

import { toCamelCase } from "@std/text";
import type { Loaded } from "../config/load.ts";
import {
  namesFrom,
  type Option,
  type Options,
  type Program,
  sizeText,
  type Value,
} from "../config/option.ts";

/**
 * What `parley-server config` prints: a line for each option with its value and source, `!` and the problems below
 * those that are wrong, and at the end what belongs to no option. Secrets are not shown.
 */
export function formatConfig<T extends Options>(program: Program<T>, loaded: Loaded<T>): string {
  const values = loaded.values as Record<string, unknown>;
  const rows = namesFrom(program.options, "variable").map((name) => {
    const show = program.options[name].secret ? () => "(secret)" : plain;
    const text = [values[toCamelCase(name)] ?? []].flat().map(show).join(",") || "-";
    return { name, text, source: loaded.sources[name] };
  });
  const nameWidth = Math.max(...rows.map(({ name }) => name.length));
  const textWidth = Math.max(...rows.map(({ text }) => text.length));
  const lines: string[] = [];
  for (const { name, text, source } of rows) {
    const wrong = loaded.problems.filter(({ options }) => options.includes(name));
    const mark = wrong.length > 0 ? "!" : " ";
    lines.push(`${mark} ${name.padEnd(nameWidth)}  ${text.padEnd(textWidth)}  ${source}`);
    lines.push(...wrong.map((problem) => `!   ${problem.text}`));
  }
  const others = loaded.problems.filter(({ options }) => options.length === 0);
  return [...lines, ...others.map(({ text }) => `! ${text}`)].join("\n");
}

/** A value as it may be typed; quoted where spaces or control characters would break the columns. */
function plain(value: unknown): string {
  return /^[\x21-\x7e]+$/.test(String(value)) ? String(value) : JSON.stringify(value);
}

/** What stands for a value in help where its row does not say. */
const PLACEHOLDERS: Record<Option["kind"], string> = {
  string: "TEXT",
  path: "FILE",
  choice: "WORD",
  integer: "NUMBER",
  bytes: "SIZE",
  seconds: "TIME",
  boolean: "",
};

/** The options of `--help`, wrapped to 80 columns, each with its range and default. */
export function formatHelp<T extends Options>(program: Program<T>): string {
  const rows = namesFrom(program.options, "flag").map((name) => {
    const option = program.options[name];
    const short = option.short ? `-${option.short}, ` : "    ";
    const value = option.show ?? PLACEHOLDERS[option.kind];
    return { flag: `  ${short}--${name} ${value}`.trimEnd(), help: option.help + details(option) };
  });
  const width = Math.max(...rows.map(({ flag }) => flag.length)) + 2;
  const wrapped = new RegExp(`\\S.{0,${79 - width}}(?=\\s|$)`, "g");
  const lineBreak = `\n${" ".repeat(width)}`;
  return rows.map(({ flag, help }) => flag.padEnd(width) + help.match(wrapped)!.join(lineBreak)).join("\n");
}

/** ` (0 to 65535; default 7253)` */
function details(option: Option): string {
  const say = (value: Value | undefined) => option.kind === "bytes" ? sizeText(Number(value)) : String(value);
  const found: string[] = [];
  if (option.kind === "choice") found.push(option.choices.join(", "));
  if ("range" in option) found.push(option.range.map(say).join(" to "));
  if (option.repeatable) found.push("may be repeated");
  if (typeof option.default === "function") {
    found.push(`default ${say(option.default(true))} on a terminal, else ${say(option.default(false))}`);
  } else if (option.default !== undefined && option.kind !== "boolean") {
    found.push(`default ${say(option.default)}`);
  }
  return found.length > 0 ? ` (${found.join("; ")})` : "";
}
