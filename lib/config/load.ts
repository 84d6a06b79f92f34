/**
 * What a program was told: flags over `PARLEY_*` variables over `parley.jsonc` over defaults. Each value knows its
 * source, and every problem is reported, not only the first.
 *
 * What there is to be told is a table of options (`lib/config/option.ts`). Nothing here looks at the world: arguments,
 * environment, file and terminal are passed in.
 *
 * @module
 */

import { parseArgs } from "@std/cli";
import { closestString, levenshteinDistance, toCamelCase } from "@std/text";
import { getNodeValue, type ParseError, parseTree, printParseErrorCode } from "jsonc-parser";
import {
  allowed,
  defaultOf,
  namesFrom,
  type Option,
  type Options,
  type Program,
  readOne,
  type Source,
  spell,
  type Value,
  type Values,
} from "./option.ts";

/** The world as {@linkcode loadConfig} sees it. */
export interface ConfigSources {
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

/** What Kubernetes sets in every container beside a service called `parley`: not ours, so no typo of ours. */
const SERVICE_LINK = /^PARLEY_(SERVICE_(HOST|PORT)|PORT_\d+_)/;

type Report = (text: string, ...options: string[]) => void;

/**
 * Finds the value of each of the program's options, and everything that is wrong with what it was given.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { loadConfig } from "./load.ts";
 * import { SERVER } from "./server_options.ts";
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
export function loadConfig<T extends Options>(program: Program<T>, from: ConfigSources): Loaded<T> {
  const problems: Problem[] = [];
  const report: Report = (text, ...options) => problems.push({ text, options });
  const chosen = new Map<string, { value: unknown; given: Given }>();
  const choose = (given: Given) => {
    const value = read(program.options[given.name], given, report);
    if (value !== undefined && !chosen.has(given.name)) chosen.set(given.name, { value, given });
  };

  const { flags, operands } = fromFlags(program, from.args, report);
  flags.forEach(choose);
  fromVariables(program, from.env, report).forEach(choose);
  const path = chosen.get("config")?.value ?? program.options.config?.default;
  if (path !== undefined) {
    const file = { path: String(path), namedBy: chosen.get("config")?.given.where, read: from.readTextFile };
    fromFile(program.options, file, report).forEach(choose);
  }

  const values: Record<string, unknown> = {};
  const sources: Record<string, string> = {};
  for (const [name, option] of Object.entries<Option>(program.options)) {
    const found = chosen.get(name);
    values[toCamelCase(name)] = found ? found.value : defaultOf(option, from.isTerminal);
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
  const texts = names.filter((name) => !booleans.includes(name));
  const parsed = parseArgs(joinDashes(args, texts.map(spell.flag)), {
    string: ["_", ...texts],
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
    const { repeatable } = options[name];
    const strange = booleans.includes(name) ? strangeBoolean(name, args) : undefined;
    if (strange) {
      report(`${strange} is not understood; write ${where}, ${where}=false or leave it out`, name);
    } else if (raws.includes("")) {
      const hint = `one that begins with - is written ${where}=-...`;
      report(`${where} needs a value: ${allowed(options[name])}; ${hint}`, name);
    } else if (raws.length > 1 && !repeatable) {
      report(`${where} is given ${raws.length} times, but takes one value`, name);
    } else if (raws.length > 0) {
      flags.push({ name, raw: repeatable ? raws : raws[0], from: "flag", source: "flag", where });
    }
  }
  const operands = (parsed._ as unknown[]).map(String);
  for (const operand of takesOperands ? [] : operands) {
    report(`unexpected argument ${shown(operand)}; options are written --name VALUE`);
  }
  return { flags, operands };
}

/** `--token -` as `--token=-`: `parseArgs` takes a lone dash for an argument, wherever it stands. */
function joinDashes(args: readonly string[], flags: readonly string[]): string[] {
  const end = args.indexOf("--");
  const isDash = (at: number) => args[at] === "-" && flags.includes(args[at - 1]) && (end < 0 || at < end);
  return args.flatMap((arg, at) => isDash(at) ? [] : isDash(at + 1) ? [`${arg}=-`] : [arg]);
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
  env: ConfigSources["env"],
  report: Report,
): Given[] {
  const names = new Map(namesFrom(options, "variable").map((name) => [spell.variable(name), name]));
  const given: Given[] = [];
  for (const [where, text] of Object.entries(env)) {
    if (!where.startsWith("PARLEY_") || text === "" || elsewhere.includes(where)) continue;
    if (SERVICE_LINK.test(where)) continue;
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
  file: { path: string; namedBy?: string; read: ConfigSources["readTextFile"] },
  report: Report,
): Given[] {
  const { path, namedBy, read } = file;
  let text: string;
  try {
    text = read(path).replace(/^\uFEFF/, ""); // Windows editors begin a file with it
  } catch (error) {
    const isMissing = error instanceof Deno.errors.NotFound;
    if (isMissing && namedBy === undefined) return [];
    const reason = isMissing ? "there is no such file" : (error as Error).message;
    report(`${namedBy ?? "config"}: cannot read ${JSON.stringify(path)}: ${reason}`, "config");
    return [];
  }
  const placeOf = (offset: number) => `${path}:${text.slice(0, offset).split("\n").length}`;
  const columnOf = (offset: number) => offset - text.lastIndexOf("\n", offset - 1);

  const errors: ParseError[] = [];
  const tree = parseTree(text, errors, { allowTrailingComma: true, allowEmptyContent: true });
  const broken = new Set<string>();
  for (const { error, offset } of errors) {
    const place = placeOf(offset);
    if (broken.has(place)) continue; // one mistake makes the parser stumble several times in its line
    broken.add(place);
    const reason = printParseErrorCode(error).replace(/\B[A-Z]/g, " $&").toLowerCase();
    report(`${place}:${columnOf(offset)}: not valid JSON with comments: ${reason}`);
  }
  if (errors.length > 0 || tree === undefined) return [];
  if (tree.type !== "object") {
    const came = shown(getNodeValue(tree));
    report(`${placeOf(tree.offset)}: must be an object such as { "port": 7253 }, not ${came}`);
    return [];
  }

  const known = namesFrom(options, "file");
  const given = new Map<string, Given>();
  for (const { children } of tree.children ?? []) {
    const [key, value] = children!;
    const name: string = key.value;
    const source = placeOf(key.offset);
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

/** The value of `given`; or undefined, with a problem reported, if it is not one that the option allows. */
function read(
  option: Option,
  { name, raw, from, where }: Given,
  report: Report,
): Value | Value[] | undefined {
  const raws = option.repeatable && Array.isArray(raw) ? raw : [raw];
  const values = raws.map((each) => readOne(option, each, from));
  for (const [at, value] of values.entries()) {
    if (value !== undefined) continue;
    const came = option.secret ? "what it is (a secret)" : shown(raws[at]);
    report(`${where} must be ${allowed(option)}, not ${came}`, name);
  }
  if (values.includes(undefined)) return undefined;
  return option.repeatable ? values as Value[] : values[0];
}

/** What came, short enough for a line, with control characters escaped. */
function shown(raw: unknown): string {
  if (Array.isArray(raw)) return "an array";
  if (typeof raw === "object" && raw !== null) return "an object";
  const text = JSON.stringify(raw);
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}
