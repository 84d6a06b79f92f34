/**
 * Reads raw values from flags, `PARLEY_*` variables and the JSONC file, and reports names that are not options.
 *
 * @module
 */

import { parseArgs } from "@std/cli";
import { closestString, levenshteinDistance } from "@std/text";
import { getNodeValue, type ParseError, parseTree, printParseErrorCode } from "jsonc-parser";
import {
  describeAllowed,
  describeValue,
  formatName,
  namesSetBy,
  type Option,
  type Options,
  type Program,
  type Source,
} from "./option.ts";
import { reasonNotRead } from "./option_file.ts";

/** A value as a source gives it, before parsing. */
export interface RawValue {
  readonly name: string;
  readonly raw: unknown;
  /** Its origin, as in `Loaded.origins`. */
  readonly origin: string;
  /** How problems name it: `--port`, `PARLEY_PORT`, `parley.jsonc:3: "port"`. */
  readonly label: string;
  /** Of an array in the file: the origin of each element. */
  readonly origins?: readonly string[];
}

/** Takes a problem in one line, and the options it concerns. */
export type Report = (text: string, ...options: string[]) => void;

/**
 * Reads the command line. Reports what `parseArgs` accepts silently: unknown flags, flags without a value, flags given
 * twice, and `--tls=no`, which it takes for true.
 */
export function readFlags(
  { options, takesOperands }: Pick<Program<Options>, "options" | "takesOperands">,
  args: readonly string[],
  report: Report,
): { flags: RawValue[]; operands: string[] } {
  const names = namesSetBy(options, "flag");
  const booleans = names.filter((name) => options[name].kind === "boolean");
  const texts = names.filter((name) => !booleans.includes(name));
  const unknown = new Set<string>();
  const parsed = parseArgs(joinDashes(args, texts.map(formatName.flag)), {
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

  const flags: RawValue[] = [];
  for (const name of names) {
    const raws = [parsed[name] ?? []].flat(); // --no-flag is not collected in an array
    const label = formatName.flag(name);
    const { repeatable } = options[name];
    const invalid = booleans.includes(name) ? invalidBoolean(name, args) : undefined;
    if (invalid) {
      report(`${invalid} is not valid; write ${label}, ${label}=false or leave it out`, name);
    } else if (raws.includes("")) {
      const hint = `write a value that begins with - as ${label}=-...`;
      report(`${label} needs a value: ${describeAllowed(options[name])}; ${hint}`, name);
    } else if (raws.length > 1 && !repeatable) {
      report(`${label} is given ${raws.length} times, but takes one value`, name);
    } else if (raws.length > 0) {
      flags.push({ name, raw: repeatable ? raws : raws[0], origin: "flag", label });
    }
  }
  const operands = (parsed._ as unknown[]).map(String);
  for (const operand of takesOperands ? [] : operands) {
    report(`unexpected argument ${describeValue(operand)}; options are written --name VALUE`);
  }
  return { flags, operands };
}

/** Rewrites `--token -` as `--token=-`: `parseArgs` takes a lone dash for an operand, wherever it stands. */
function joinDashes(args: readonly string[], flags: readonly string[]): string[] {
  const end = args.indexOf("--");
  const isDash = (at: number) => args[at] === "-" && flags.includes(args[at - 1]) && (end < 0 || at < end);
  return args.flatMap((arg, at) => isDash(at) ? [] : isDash(at + 1) ? [`${arg}=-`] : [arg]);
}

/** The argument that gives the boolean `name` a value other than true or false, if there is one. */
function invalidBoolean(name: string, args: readonly string[]): string | undefined {
  const end = args.indexOf("--");
  return args.slice(0, end < 0 ? args.length : end).find((arg) =>
    arg.startsWith(`--no-${name}=`) || (arg.startsWith(`--${name}=`) && !/=(true|false)$/.test(arg))
  );
}

/**
 * Names of variables that a container platform sets, for every service and every container whose name begins with parley:
 * Kubernetes PARLEY_SERVICE_HOST and PARLEY_PORT_7253_TCP, Docker's links also PARLEY_ENV_PATH.
 */
const SERVICE_LINK =
  /^PARLEY_(.+_)?(SERVICE_(HOST|PORT)(_.+)?|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?|ENV_.+)$/;

/** Whether a container platform has set `variable`. Some of its names are also ours: then the form of the value tells. */
function isServiceLink(variable: string, text: string): boolean {
  if (variable === "PARLEY_NAME") return /^\/[\w.-]+\/[\w.-]+$/.test(text); // of a link: /CONTAINER/ALIAS
  return SERVICE_LINK.test(variable) ||
    (/^PARLEY_(.+_)?PORT$/.test(variable) && /^(tcp|udp|sctp):\/\//.test(text));
}

/**
 * Reads the `PARLEY_*` variables. An empty one counts as not set. What is plainly not ours is ignored, because images and
 * platforms set variables under the same prefix; `warn` is told of a name that is close to one of ours.
 */
export function readVariables(
  { options, knownElsewhere }: Pick<Program<Options>, "options" | "knownElsewhere">,
  env: Readonly<Record<string, string>>,
  warn: (text: string) => void,
): RawValue[] {
  const names = new Map(namesSetBy(options, "variable").map((name) => [formatName.variable(name), name]));
  const found: RawValue[] = [];
  for (const [variable, text] of Object.entries(env)) {
    if (!variable.startsWith("PARLEY_") || text.trim() === "") continue;
    if (knownElsewhere.includes(variable) || isServiceLink(variable, text)) continue;
    const name = names.get(variable);
    if (name === undefined) {
      const reason = reasonToWarn(variable, options);
      if (reason !== undefined) warn(`${variable} is ignored: ${reason}`);
    } else {
      const raw = options[name].repeatable ? text.split(",") : text;
      found.push({ name, raw, origin: variable, label: variable });
    }
  }
  return found;
}

/** Why an unknown variable may have been meant for Parley; undefined if it plainly was not. */
function reasonToWarn(variable: string, options: Options): string | undefined {
  const name = Object.keys(options).find((name) => formatName.variable(name) === variable);
  // PARLEY_VERSION is the image's. A flag such as --help is nothing that a variable is expected to set.
  if (name !== undefined && options[name].kind === "boolean") return undefined;
  if (name !== undefined) return `it ${onlyElsewhere(options[name], name)}`;
  const guess = nearest(variable, namesSetBy(options, "variable").map(formatName.variable));
  return guess && `it is not an option; did you mean ${guess}?`;
}

/** Reads the keys of the JSONC file. A missing file is a problem only if a flag or variable names it. */
export function readFile(
  options: Options,
  file: { path: string; namedBy?: string; read: (path: string) => string },
  report: Report,
): RawValue[] {
  const { path, namedBy, read } = file;
  let text: string;
  try {
    text = read(path).replace(/^\uFEFF/, ""); // Windows editors begin a file with a byte order mark
  } catch (error) {
    const isMissing = error instanceof Deno.errors.NotFound;
    if (isMissing && namedBy === undefined) return [];
    report(`${namedBy ?? "config"}: cannot read ${JSON.stringify(path)}: ${reasonNotRead(error)}`, "config");
    return [];
  }
  const lineOf = (offset: number) => `${path}:${text.slice(0, offset).split("\n").length}`;
  const columnOf = (offset: number) => offset - text.lastIndexOf("\n", offset - 1);

  const errors: ParseError[] = [];
  const tree = parseTree(text, errors, { allowTrailingComma: true, allowEmptyContent: true });
  const broken = new Set<string>();
  for (const { error, offset } of errors) {
    const line = lineOf(offset);
    if (broken.has(line)) continue; // one mistake can cause several parse errors in its line
    broken.add(line);
    const reason = printParseErrorCode(error).replace(/\B[A-Z]/g, " $&").toLowerCase();
    report(`${line}:${columnOf(offset)}: not valid JSON with comments: ${reason}`);
  }
  if (errors.length > 0 || tree === undefined) return [];
  if (tree.type !== "object") {
    const value = describeValue(getNodeValue(tree));
    report(`${lineOf(tree.offset)}: must be an object such as { "port": 7253 }, not ${value}`);
    return [];
  }

  const known = namesSetBy(options, "file");
  const found = new Map<string, RawValue>();
  for (const { children } of tree.children ?? []) {
    const [key, value] = children!;
    const name: string = key.value;
    const origin = lineOf(key.offset);
    const label = `${origin}: ${formatName.file(name)}`;
    const earlier = found.get(name);
    if (!known.includes(name)) reportUnknown(label, formatName.file(name), "file", options, report);
    else if (earlier) report(`${label} is already set at ${earlier.origin}; keep one`, name);
    else {
      const origins = value.type === "array"
        ? value.children!.map(({ offset }) => lineOf(offset))
        : undefined;
      found.set(name, { name, raw: getNodeValue(value), origin, label, origins });
    }
  }
  return [...found.values()];
}

/**
 * Reports that `label` is not an option, or that `source` cannot set it. Suggests an option if `written`, the name as
 * `source` writes it, is close to one.
 */
function reportUnknown(label: string, written: string, source: Source, options: Options, report: Report) {
  const name = Object.keys(options).find((name) => formatName[source](name) === written);
  if (name !== undefined && options[name].only?.includes(source) === false) {
    return report(`${label} ${onlyElsewhere(options[name], name)}`, name);
  }
  const guess = nearest(written, namesSetBy(options, source).map(formatName[source]));
  report(`${label} is not an option; ${guess ? `did you mean ${guess}?` : "--help lists them all"}`);
}

function onlyElsewhere({ only = [] }: Option, name: string): string {
  return `cannot be set here, only as ${only.map((other) => formatName[other](name)).join(" or ")}`;
}

/** The one of `names` that `written` is most likely a misspelling of; undefined if none is close. */
export function nearest(written: string, names: string[]): string | undefined {
  if (names.length === 0) return undefined;
  const guess = closestString(written, names);
  // In a short name one letter, or two that are swapped; three letters in a long one. A guess further away confuses more
  // than it helps.
  const [given, meant] = [written, guess].map((name) => name.toLowerCase().replace(/^--|^parley_|"/g, ""));
  const distance = levenshteinDistance(given, meant);
  const sorted = (name: string) => [...name].sort().join("");
  const isClose = given.length < 6 ? distance < 2 || sorted(given) === sorted(meant) : distance <= 3;
  return isClose && given.length > 1 ? guess : undefined;
}
