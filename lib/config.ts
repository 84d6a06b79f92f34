/**
 * What a program was told: flags over `PARLEY_*` variables over `parley.jsonc` over defaults. Each value knows its
 * source, and every problem is reported, not only the first.
 *
 * A program is one table of options, such as {@linkcode SERVER}: the names of flags and variables, the keys of the
 * file, ranges, help and the type of the result all come from it, so a new option is a new row. Nothing here looks at
 * the world: arguments, environment, file and terminal are passed in.
 *
 * @module
 */

import { closestString, levenshteinDistance, toCamelCase } from "@std/text";
import { parseArgs } from "@std/cli";
import { getNodeValue, type ParseError, parseTree, printParseErrorCode } from "jsonc-parser";
import {
  DEFAULT_PORT,
  HEADER_BYTES,
  HEARTBEAT_SECONDS,
  MAX_CHANNELS_PER_SESSION,
  MAX_PAYLOAD_BYTES,
  MAX_PENDING_BYTES,
  MAX_REQUESTS_PER_SESSION,
} from "./limits.ts";

const KiB = 1024;
const MiB = 1024 * KiB;

const LOG_LEVELS = ["debug", "info", "warn", "error"] as const;
const LOG_FORMATS = ["pretty", "json"] as const;
const logFormat = (isTerminal: boolean) => isTerminal ? "pretty" : "json";

/** The server's options, in the order in which help and `parley-server config` list them. */
export const SERVER_OPTIONS = {
  "host": { kind: "string", default: "127.0.0.1", help: "address to listen on" },
  "port": {
    kind: "integer",
    range: [0, 65535],
    default: DEFAULT_PORT,
    help: "port to listen on; 0 takes a free one",
  },
  "config": {
    kind: "path",
    default: "parley.jsonc",
    only: ["flag", "variable"],
    help: "file that sets the same options",
  },
  "state": {
    kind: "path",
    default: "parley-state",
    show: "DIR",
    help: "directory for what the server keeps",
  },
  "log-level": { kind: "choice", choices: LOG_LEVELS, default: "info", help: "least important thing to log" },
  "log-format": {
    kind: "choice",
    choices: LOG_FORMATS,
    default: logFormat,
    help: "for people, or one JSON object a line",
  },
  "log-file": { kind: "path", help: "log to this file too, as JSON lines" },
  "max-payload": {
    kind: "bytes",
    range: [KiB, 64 * MiB],
    default: MAX_PAYLOAD_BYTES,
    help: "largest payload of a message",
  },
  "max-pending": {
    kind: "bytes",
    range: [64 * KiB, 4096 * MiB],
    default: MAX_PENDING_BYTES,
    help: "what may wait for a session that reads slowly",
  },
  "max-channels": {
    kind: "integer",
    range: [1, 1e6],
    default: MAX_CHANNELS_PER_SESSION,
    help: "channels and patterns one session may have open",
  },
  "max-requests": {
    kind: "integer",
    range: [1, 65535],
    default: MAX_REQUESTS_PER_SESSION,
    help: "requests of one session that may wait for a reply",
  },
  "heartbeat": {
    kind: "seconds",
    range: [1, 3600],
    default: HEARTBEAT_SECONDS,
    help: "silence after which a session is asked whether it is there",
  },
  "help": { kind: "boolean", default: false, only: ["flag"], short: "h", help: "print this and exit" },
  "version": { kind: "boolean", default: false, only: ["flag"], help: "print the version and exit" },
} as const satisfies Options;

/** What `parley-server` was told to do; each property is the option of that name. */
export type ServerConfig = Values<typeof SERVER_OPTIONS>;

/** `parley-server` as {@linkcode loadConfig} knows it. */
export const SERVER: Program<typeof SERVER_OPTIONS> = {
  options: SERVER_OPTIONS,
  elsewhere: ["URL", "TOKEN", "NAME", "CA", "TIMEOUT", "TRACE", "JSON"].map((name) => `PARLEY_${name}`),
  takesOperands: false,
  together: [{
    options: ["max-pending", "max-payload"],
    problem: ({ maxPending, maxPayload }) =>
      maxPending < maxPayload + HEADER_BYTES
        ? `max-pending of ${maxPending} bytes must be at least ${maxPayload + HEADER_BYTES}, ` +
          "max-payload and the header of one message"
        : undefined,
  }],
};

/** A place that may give a value; where several do, the first of these wins. */
export type Source = "flag" | "variable" | "file";

/** What a single value is once it was read. */
export type Value = string | number | boolean;

/** A row of a table. Sizes are in bytes and may be written `64KiB`; times in seconds, or as `30s`, `5m`, `1h`. */
export type Option =
  & {
    /** What to say about it in one line of help, without range and default. */
    readonly help: string;
    /** Without a default the value may be undefined (or, if repeatable, empty). */
    readonly default?: Value | ((isTerminal: boolean) => Value);
    /** Which sources may give it; all of them if left out. */
    readonly only?: readonly Source[];
    /** A value never to be shown, in problems neither. */
    readonly secret?: true;
    /** May be given several times: repeated flags, a comma between values in a variable, an array in the file. */
    readonly repeatable?: true;
    /** Its flag of one letter. */
    readonly short?: string;
    /** What stands for the value in help. */
    readonly show?: string;
  }
  & (
    | { readonly kind: "string" | "path" | "boolean" }
    | { readonly kind: "choice"; readonly choices: readonly string[] }
    | { readonly kind: "integer" | "bytes" | "seconds"; readonly range: readonly [min: number, max: number] }
  );

/** A table of options by name, as it is written in flags and in the file: `log-level`. */
export type Options = { readonly [name: string]: Option };

/** What an option's value is: text, unless its row says otherwise. */
export type ValueOf<O extends Option> = O extends { kind: "boolean" } ? boolean
  : O extends { kind: "integer" | "bytes" | "seconds" } ? number
  : O extends { choices: readonly (infer Choice)[] } ? Choice
  : string;

/** `log-level` as `logLevel`. */
export type CamelCase<Name extends string> = Name extends `${infer Head}-${infer Tail}`
  ? `${Head}${Capitalize<CamelCase<Tail>>}`
  : Name;

/** The values of a table's options, under their names in camelCase. */
export type Values<T extends Options> = {
  readonly [Name in keyof T & string as CamelCase<Name>]: T[Name] extends { repeatable: true }
    ? ValueOf<T[Name]>[]
    : T[Name] extends { default: unknown } ? ValueOf<T[Name]>
    : ValueOf<T[Name]> | undefined;
};

/** A program: its options, and what must be known to judge what it is given. */
export interface Program<T extends Options> {
  /** Its table. The option named `config`, if there is one, names the file. */
  readonly options: T;
  /** `PARLEY_*` variables that are not its own and yet no mistake. */
  readonly elsewhere: readonly string[];
  /** Whether arguments that are no options are its business, or a mistake. */
  readonly takesOperands: boolean;
  /** What several options must fulfil together; asked only where each of them is right by itself. */
  readonly together: readonly {
    readonly options: readonly (keyof T & string)[];
    readonly problem: (values: Values<T>) => string | undefined;
  }[];
}

/** The world as {@linkcode loadConfig} sees it. */
export interface World {
  /** The command line, without program and command. */
  readonly args: readonly string[];
  /** The environment; a variable that is empty counts as not set. */
  readonly env: Readonly<Record<string, string>>;
  /** Reads a file, or throws: `Deno.errors.NotFound` if there is none. */
  readonly readTextFile: (path: string) => string;
  /** Whether logs go to a terminal. */
  readonly isTerminal: boolean;
}

/** What is wrong, in one line that names the option, its source, what came and what is allowed. */
export interface Problem {
  /** The line. */
  readonly text: string;
  /** The options it is about; empty for names that are no option. */
  readonly options: readonly string[];
}

/** What a program was told. */
export interface Loaded<T extends Options> {
  /** The value of each option. Not to be used while there are problems. */
  readonly values: Values<T>;
  /** Where each value came from, by option: `flag`, `PARLEY_PORT`, `parley.jsonc:3` or `default`. */
  readonly sources: Readonly<Record<keyof T & string, string>>;
  /** Everything that is wrong, in the order flags, variables, file. */
  readonly problems: readonly Problem[];
  /** The arguments that are no options. */
  readonly operands: readonly string[];
}

/** A value as a source gave it, not yet read. */
interface Given {
  readonly name: string;
  readonly raw: unknown;
  readonly from: Source;
  /** How {@linkcode Loaded.sources} calls the place. */
  readonly source: string;
  /** How problems call place and option: `--port`, `PARLEY_PORT`, `parley.jsonc:3: "port"`. */
  readonly where: string;
}

type Report = (text: string, ...options: string[]) => void;

/**
 * Finds the value of each of the program's options, and everything that is wrong with what it was given.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { loadConfig, SERVER } from "./config.ts";
 *
 * const { values, sources, problems } = loadConfig(SERVER, {
 *   args: ["--port=0", "--prot", "1"],
 *   env: { PARLEY_LOG_LEVEL: "debug" },
 *   readTextFile: () => '{ "max-payload": "64KiB" }',
 *   isTerminal: true,
 * });
 * assertEquals([values.port, values.logLevel, values.maxPayload], [0, "debug", 65536]);
 * assertEquals(sources["max-payload"], "parley.jsonc:1");
 * assertEquals(problems[0].text, "--prot is not an option; did you mean --port?");
 * ```
 */
export function loadConfig<T extends Options>(program: Program<T>, world: World): Loaded<T> {
  const problems: Problem[] = [];
  const report: Report = (text, ...options) => problems.push({ text, options });
  const chosen = new Map<string, { value: unknown; given: Given }>();
  const choose = (given: Given) => {
    const value = read(program.options[given.name], given, report);
    if (value !== undefined && !chosen.has(given.name)) chosen.set(given.name, { value, given });
  };

  const { flags, operands } = fromFlags(program, world.args, report);
  flags.forEach(choose);
  fromVariables(program, world.env, report).forEach(choose);
  const path = chosen.get("config")?.value ?? program.options.config?.default;
  if (path !== undefined) {
    const file = { path: String(path), namedBy: chosen.get("config")?.given.where, read: world.readTextFile };
    fromFile(program.options, file, report).forEach(choose);
  }

  const values: Record<string, unknown> = {};
  const sources: Record<string, string> = {};
  for (const [name, option] of Object.entries<Option>(program.options)) {
    const found = chosen.get(name);
    values[toCamelCase(name)] = found ? found.value : defaultOf(option, world.isTerminal);
    sources[name] = found ? found.given.source : "default";
  }
  const loaded = { values, sources, problems, operands } as unknown as Loaded<T>;
  for (const { options, problem } of program.together) {
    if (problems.some((known) => known.options.some((name) => options.includes(name)))) continue;
    const text = problem(loaded.values);
    if (text) {
      report(`${text} (${options.map((name) => `${name}: ${sources[name]}`).join(", ")})`, ...options);
    }
  }
  return loaded;
}

/** How each source writes an option's name. */
const spell: Record<Source, (name: string) => string> = {
  flag: (name) => `--${name}`,
  variable: (name) => `PARLEY_${name.toUpperCase().replaceAll("-", "_")}`,
  file: (name) => JSON.stringify(name),
};

/** The names that `source` may give. */
function namesFrom(options: Options, source: Source): string[] {
  return Object.keys(options).filter((name) => options[name].only?.includes(source) ?? true);
}

/**
 * Takes the command line apart. What `parseArgs` lets pass is caught here: flags it does not know, flags without a
 * value, flags given twice, and `--tls=no`, which it reads as true.
 */
function fromFlags(
  { options, takesOperands }: Pick<Program<Options>, "options" | "takesOperands">,
  args: readonly string[],
  report: Report,
): { flags: Given[]; operands: string[] } {
  const names = namesFrom(options, "flag");
  const booleans = names.filter((name) => options[name].kind === "boolean");
  const unknown = new Set<string>();
  const parsed = parseArgs([...args], {
    string: ["_", ...names.filter((name) => !booleans.includes(name))],
    boolean: booleans,
    negatable: booleans,
    collect: names,
    alias: Object.fromEntries(
      names.flatMap((name) => options[name].short ? [[name, options[name].short]] : []),
    ),
    unknown: (arg, key) => {
      if (key === undefined) return true;
      unknown.add(arg.replace(/=.*/s, "")); // without the value, which may be a secret
      return false;
    },
  }) as Record<string, unknown>;
  for (const flag of unknown) reportUnknown(flag, flag.replace(/^-+/, "--"), "flag", options, report);

  const flags: Given[] = [];
  for (const name of names) {
    const raws = [parsed[name] ?? []].flat(); // --no-flag is not collected in an array
    const where = spell.flag(name);
    const strange = booleans.includes(name) ? strangeBoolean(name, args) : undefined;
    if (strange) report(`${strange} is not understood; write ${where}, ${where}=false or leave it out`, name);
    else if (raws.includes("")) {
      report(
        `${where} needs a value: ${allowed(options[name])}; one that begins with - is written ${where}=-...`,
        name,
      );
    } else if (raws.length > 1 && !options[name].repeatable) {
      report(`${where} is given ${raws.length} times, but takes one value`, name);
    } else if (raws.length > 0) {
      flags.push({
        name,
        raw: options[name].repeatable ? raws : raws[0],
        from: "flag",
        source: "flag",
        where,
      });
    }
  }
  const operands = (parsed._ as unknown[]).map(String);
  if (!takesOperands) {
    for (const operand of operands) {
      report(`unexpected argument ${shown(operand)}; options are written --name VALUE`);
    }
  }
  return { flags, operands };
}

/** The argument that gives the boolean `name` a value other than true or false, if there is one. */
function strangeBoolean(name: string, args: readonly string[]): string | undefined {
  const end = args.indexOf("--");
  return args.slice(0, end < 0 ? args.length : end).find((arg) =>
    arg.startsWith(`--no-${name}=`) || (arg.startsWith(`--${name}=`) && !/=(true|false)$/.test(arg))
  );
}

/** The environment's `PARLEY_*` variables. An empty one is not set: that is how Compose files and CI leave one out. */
function fromVariables(
  { options, elsewhere }: Pick<Program<Options>, "options" | "elsewhere">,
  env: World["env"],
  report: Report,
): Given[] {
  const names = new Map(namesFrom(options, "variable").map((name) => [spell.variable(name), name]));
  const given: Given[] = [];
  for (const [where, text] of Object.entries(env)) {
    if (!where.startsWith("PARLEY_") || text === "" || elsewhere.includes(where)) continue;
    const name = names.get(where);
    if (name === undefined) {
      reportUnknown(where, where, "variable", options, report);
    } else {
      const raw = options[name].repeatable ? text.split(",") : text;
      given.push({ name, raw, from: "variable", source: where, where });
    }
  }
  return given;
}

/** The keys of the JSONC file. That it is missing is a problem only where somebody named it. */
function fromFile(
  options: Options,
  file: { path: string; namedBy?: string; read: World["readTextFile"] },
  report: Report,
): Given[] {
  let text: string;
  try {
    text = file.read(file.path);
  } catch (error) {
    const isMissing = error instanceof Deno.errors.NotFound;
    const reason = isMissing
      ? "there is no such file"
      : error instanceof Error
      ? error.message
      : String(error);
    if (file.namedBy || !isMissing) {
      report(`${file.namedBy ?? "config"}: cannot read ${JSON.stringify(file.path)}: ${reason}`, "config");
    }
    return [];
  }
  const lineAt = (offset: number) => text.slice(0, offset).split("\n").length;
  const columnAt = (offset: number) => offset - text.lastIndexOf("\n", offset - 1);

  const errors: ParseError[] = [];
  text = text.replace(/^\uFEFF/, ""); // Windows editors begin a file with it
  const tree = parseTree(text, errors, { allowTrailingComma: true, allowEmptyContent: true });
  const badLines = new Set<number>();
  for (const { error, offset } of errors) {
    if (badLines.has(lineAt(offset))) continue; // one mistake makes the parser stumble several times in its line
    badLines.add(lineAt(offset));
    const reason = printParseErrorCode(error).replace(/\B[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
    report(
      `${file.path}:${lineAt(offset)}:${
        columnAt(offset)
      }: not valid JSON with comments: ${reason.toLowerCase()}`,
    );
  }
  if (errors.length > 0 || tree === undefined) return [];
  if (tree.type !== "object") {
    report(
      `${file.path}:${lineAt(tree.offset)}: must be an object such as { "port": 7253 }, not ${
        shown(getNodeValue(tree))
      }`,
    );
    return [];
  }

  const known = namesFrom(options, "file");
  const given = new Map<string, Given>();
  for (const { children } of tree.children ?? []) {
    const [key, value] = children!;
    const source = `${file.path}:${lineAt(key.offset)}`;
    const name: string = key.value;
    const where = `${source}: ${spell.file(name)}`;
    const earlier = given.get(name);
    if (!known.includes(name)) reportUnknown(where, spell.file(name), "file", options, report);
    else if (earlier) report(`${where} is set before, at ${earlier.source}; keep one`, name);
    else given.set(name, { name, raw: getNodeValue(value), from: "file", source, where });
  }
  return [...given.values()];
}

/** Says that `where` is no option, or not from here; if `written`, as `from` spells names, is nearly one, which. */
function reportUnknown(where: string, written: string, from: Source, options: Options, report: Report): void {
  const elsewhere = Object.keys(options).find((name) => spell[from](name) === written);
  if (elsewhere !== undefined && options[elsewhere].only?.includes(from) === false) {
    const places = options[elsewhere].only.map((source) => spell[source](elsewhere));
    return report(`${where} cannot be set here, only as ${places.join(" or ")}`, elsewhere);
  }
  const guess = closestString(written, namesFrom(options, from).map(spell[from]));
  // Two letters, as when they changed places, and three in long names: a guess beyond that confuses more than it helps.
  const length = written.replace(/^--|^PARLEY_|"/g, "").length;
  const near = length < 6 ? Math.min(2, length - 1) : 3;
  const isNear = levenshteinDistance(written.toLowerCase(), guess.toLowerCase()) <= near;
  report(`${where} is not an option; ${isNear ? `did you mean ${guess}?` : "--help lists them all"}`);
}

/** Units that numbers may be written in, by kind; the empty one is the kind's own. */
const UNITS: Record<string, Record<string, number>> = {
  integer: { "": 1 },
  bytes: { "": 1, b: 1, kib: KiB, mib: MiB, gib: 1024 * MiB },
  seconds: { "": 1, s: 1, m: 60, h: 3600 },
};

/** The value of `given`; or undefined, with a problem reported, if it is not one that the option allows. */
function read(
  option: Option,
  { name, raw, from, where }: Given,
  report: Report,
): Value | Value[] | undefined {
  const raws = option.repeatable && Array.isArray(raw) ? raw : [raw];
  const values: Value[] = [];
  for (const each of raws) {
    const value = readOne(option, each, from);
    if (value !== undefined) values.push(value);
    else {report(
        `${where} must be ${allowed(option)}, not ${option.secret ? "what it is (a secret)" : shown(each)}`,
        name,
      );}
  }
  if (values.length < raws.length) return undefined;
  return option.repeatable ? values : values[0];
}

/** A single value. Flags and variables are text; the file's values have types, and those must be right too. */
function readOne(option: Option, raw: unknown, from: Source): Value | undefined {
  switch (option.kind) {
    case "string":
    case "path":
      return typeof raw === "string" && raw !== "" ? raw : undefined;
    case "choice":
      return option.choices.find((choice) => choice === raw);
    case "boolean":
      if (from === "variable") return raw === "true" ? true : raw === "false" ? false : undefined;
      return typeof raw === "boolean" ? raw : undefined;
    default: {
      const isText = typeof raw === "string" && (from !== "file" || option.kind !== "integer");
      if (!isText && typeof raw !== "number") return undefined;
      const [, digits, unit = ""] = /^(\d+) ?([a-z]*)$/i.exec(String(raw)) ?? [];
      const value = Number(digits) * (UNITS[option.kind][unit.toLowerCase()] ?? NaN);
      return value >= option.range[0] && value <= option.range[1] ? value : undefined;
    }
  }
}

function defaultOf(option: Option, isTerminal: boolean): Value | Value[] | undefined {
  if (option.repeatable && option.default === undefined) return [];
  return typeof option.default === "function" ? option.default(isTerminal) : option.default;
}

/** What an option allows, to be read after "must be". */
function allowed(option: Option): string {
  switch (option.kind) {
    case "choice":
      return `one of ${option.choices.join(", ")}`;
    case "integer":
      return `a whole number from ${option.range.join(" to ")}`;
    case "bytes":
      return `a size from ${option.range.map(sizeText).join(" to ")}, such as 65536, 64KiB or 1MiB`;
    case "seconds":
      return `a time from ${option.range.join(" to ")} seconds, such as 30, 30s or 5m`;
    case "boolean":
      return "true or false";
    default:
      return option.kind === "path" ? "a path" : "a text that is not empty";
  }
}

/** `1MiB` for 1048576: the largest unit without a remainder, as it may be written. */
function sizeText(bytes: number): string {
  if (bytes === 0 || bytes % KiB !== 0) return String(bytes);
  return bytes % MiB === 0 ? `${bytes / MiB}MiB` : `${bytes / KiB}KiB`;
}

/** What came, short enough for a line, with control characters escaped. */
function shown(raw: unknown): string {
  if (Array.isArray(raw)) return "an array";
  if (typeof raw === "object" && raw !== null) return "an object";
  const text = JSON.stringify(raw);
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}

/**
 * What `parley-server config` prints: a line for each option with its value and source, `!` and the problems below
 * those that are wrong, and at the end what belongs to no option. Secrets are not shown.
 */
export function formatConfig<T extends Options>(program: Program<T>, loaded: Loaded<T>): string {
  const values = loaded.values as Record<string, unknown>;
  const rows = namesFrom(program.options, "variable").map((name) => {
    const value = values[toCamelCase(name)];
    const isSet = value !== undefined && String(value) !== "";
    const text = !isSet
      ? "-"
      : program.options[name].secret
      ? "(secret)"
      : [value].flat().map(plain).join(",");
    return { name, text, source: loaded.sources[name] };
  });
  const nameWidth = Math.max(...rows.map(({ name }) => name.length));
  const textWidth = Math.max(...rows.map(({ text }) => text.length));
  const lines = rows.flatMap(({ name, text, source }) => {
    const wrong = loaded.problems.filter(({ options }) => options.includes(name)).map((each) =>
      `!   ${each.text}`
    );
    const mark = wrong.length > 0 ? "!" : " ";
    return [`${mark} ${name.padEnd(nameWidth)}  ${text.padEnd(textWidth)}  ${source}`, ...wrong];
  });
  const others = loaded.problems.filter(({ options }) => options.length === 0).map(({ text }) => `! ${text}`);
  return [...lines, ...others].join("\n");
}

/** A value as it may be typed; quoted where spaces or control characters would break the columns. */
function plain(value: unknown): string {
  return /^[\x21-\x7e]+$/.test(String(value)) ? String(value) : JSON.stringify(value);
}

/** The options of `--help`, wrapped to 80 columns, each with its range and default. */
export function formatHelp<T extends Options>(program: Program<T>): string {
  const rows = namesFrom(program.options, "flag").map((name) => {
    const option = program.options[name];
    const value = option.kind === "boolean" ? "" : ` ${option.show ?? option.kind.toUpperCase()}`;
    return [
      `  ${option.short ? `-${option.short}, ` : "    "}--${name}${value}`,
      `${option.help}${details(option)}`,
    ];
  });
  const width = Math.max(...rows.map(([flag]) => flag.length)) + 2;
  const lines = new RegExp(`(?:\\S.{0,${79 - width}})(?=\\s|$)`, "g");
  return rows.map(([flag, help]) => flag.padEnd(width) + help.match(lines)!.join(`\n${" ".repeat(width)}`))
    .join("\n");
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
