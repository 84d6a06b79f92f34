/**
 * Loads a program's options. Flags win over `PARLEY_*` variables, variables over `parley.jsonc`, the file over defaults.
 * Each value knows its source, and every problem is reported, not only the first.
 *
 * The options come from a table (`option.ts`). Arguments, environment, file and terminal are passed in: this module does
 * no I/O.
 *
 * @module
 */

import { toCamelCase } from "@std/text";
import {
  defaultOf,
  describeInvalid,
  type Option,
  type Options,
  parseValue,
  type Program,
  type Value,
  type Values,
} from "./option.ts";
import { type Entry, parseEntries } from "./entries.ts";
import { type RawValue, readFile, readFlags, readVariables, type Report } from "./sources.ts";

/** Everything {@linkcode loadConfig} reads from. */
export interface ConfigSources {
  /** The command line, without program and command. */
  readonly args: readonly string[];
  /** The environment. An empty variable counts as not set: Compose and CI leave a variable out that way. */
  readonly env: Readonly<Record<string, string>>;
  /** Reads a file; throws `Deno.errors.NotFound` if there is none. */
  readonly readTextFile: (path: string) => string;
  /** Whether logs go to a terminal. */
  readonly isTerminal: boolean;
}

/** A problem, in one line that names the option, its source, the value given and the values allowed. */
export interface Problem {
  /** The line. */
  readonly text: string;
  /** The options it concerns; empty for a name that is not an option. */
  readonly options: readonly string[];
}

/** The options of a program as loaded. */
export interface Loaded<T extends Options> {
  /** The value of each option. Do not use them if there are problems. */
  readonly values: Values<T>;
  /** The origin of each value, by option: `flag`, `PARLEY_PORT`, `parley.jsonc:3` or `default`. */
  readonly origins: Readonly<Record<keyof T & string, string>>;
  /** All problems, in the order flags, variables, file. */
  readonly problems: readonly Problem[];
  /** Variables that are ignored although they may have been meant for Parley, one line each. */
  readonly warnings: readonly string[];
  /** The arguments that are not options. */
  readonly operands: readonly string[];
}

/**
 * Loads the value of each of the program's options, and reports every problem in `sources`.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { loadConfig } from "./load.ts";
 * import { SERVER } from "./server_options.ts";
 *
 * const { values, origins, problems } = loadConfig(SERVER, {
 *   args: ["--port=0", "--prot", "1"],
 *   env: { PARLEY_LOG_LEVEL: "debug" },
 *   readTextFile: () => '{ "max-payload": "64KiB" }',
 *   isTerminal: true,
 * });
 * assertEquals([values.port, values.logLevel, values.maxPayload], [0, "debug", 65536]);
 * assertEquals(origins["max-payload"], "parley.jsonc:1");
 * assertEquals(problems[0].text, "--prot is not an option; did you mean --port?");
 * ```
 */
export function loadConfig<T extends Options>(program: Program<T>, sources: ConfigSources): Loaded<T> {
  const problems: Problem[] = [];
  const warnings: string[] = [];
  const report: Report = (text, ...options) => problems.push({ text, options });
  const found = new Map<string, { value: unknown; from: RawValue }>();
  const add = (from: RawValue) => {
    const value = parse(program.options[from.name], from, report);
    if (value !== undefined && !found.has(from.name)) found.set(from.name, { value, from });
  };

  const { flags, operands } = readFlags(program, sources.args, report);
  flags.forEach(add);
  readVariables(program, sources.env, (text) => warnings.push(text)).forEach(add);
  const named = found.get("config");
  const path = named?.value ?? program.options.config?.default;
  const file = { path: String(path), namedBy: named?.from.label, read: sources.readTextFile };
  if (path !== undefined) readFile(program.options, file, report).forEach(add);

  const values: Record<string, unknown> = {};
  const origins: Record<string, string> = {};
  for (const [name, option] of Object.entries<Option>(program.options)) {
    const entry = found.get(name);
    values[toCamelCase(name)] = entry ? entry.value : defaultOf(option, sources.isTerminal);
    origins[name] = entry?.from.origin ?? "default";
  }
  const loaded = { values, origins, problems, warnings, operands } as unknown as Loaded<T>;
  for (const { options, problem } of program.crossChecks) {
    if (problems.some((known) => known.options.some((name) => options.includes(name)))) continue;
    const text = problem(loaded.values);
    if (!text) continue;
    report(`${text} (${options.map((name) => `${name}: ${origins[name]}`).join(", ")})`, ...options);
  }
  return loaded;
}

/** Parses a value; undefined, with a problem reported, if the option does not allow it. */
function parse(option: Option, from: RawValue, report: Report): Value | Value[] | Entry[] | undefined {
  const { name, raw, label } = from;
  if (option.kind === "entries") return parseEntries(option.entry, from, report);
  const raws = option.repeatable && Array.isArray(raw) ? raw : [raw];
  const values = raws.map((each) => isIndirect(option, each) ? each.trim() : parseValue(option, each));
  for (const [at, value] of values.entries()) {
    if (value === undefined) report(describeInvalid(option, raws[at], label), name);
  }
  if (values.includes(undefined)) return undefined;
  return option.repeatable ? values as Value[] : values[0];
}

/** Whether `raw` only says where the value is; see {@linkcode Option.indirect}. */
function isIndirect(option: Option, raw: unknown): raw is string {
  return option.indirect === true && typeof raw === "string" && /^\s*(@|-\s*$)/.test(raw);
}
