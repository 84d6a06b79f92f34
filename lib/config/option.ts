/**
 * What an option is: one row of a table. The row defines its flag, its environment variable, its key in the file, its
 * help, its allowed values and the type of its value. `lib/config/server_options.ts` and `client_options.ts` hold the
 * tables.
 *
 * @module
 */

import { channelProblem } from "../wire/names.ts";

/** A place that can set an option. If several do, the first in this list wins. */
export type Source = "flag" | "variable" | "file";

/** A single value after parsing. */
export type Value = string | number | boolean;

/**
 * A row of a table. Sizes are in bytes and may be written `64KiB`. A time is written as seconds or with a unit, `500ms`,
 * `1.5s`, `5m`, `1h`, `1d`; the value of kind `ms` is in milliseconds, that of kind `seconds` in whole seconds. A `word`
 * has no white space within, a `pattern` names channels, a `host` is a name or an address without a port, an IPv6 address
 * with or without brackets, a `listen` is a port with or without such a host before it, and an `origin` is a scheme and a
 * host, as browsers write it.
 */
export type Option =
  & {
    /** Its description in `--help`, one line. Range and default are added to it. */
    readonly help: string;
    /** Without a default, an option that is not set is undefined (or, if repeatable, an empty array). */
    readonly default?: Value | ((isTerminal: boolean) => Value);
    /** The sources that may set it; all of them if left out. */
    readonly only?: readonly Source[];
    /** Whether the value must never be shown, not even in an error message. */
    readonly secret?: true;
    /** May be set several times: repeated flags, a comma between values in a variable, an array in the file. */
    readonly repeatable?: true;
    /** Of a key of an entry: it must be there. */
    readonly required?: true;
    /** Whether `@FILE` stands for the content of a file, and `-` for what is typed at the terminal. */
    readonly indirect?: true;
    /** Its one-letter flag. */
    readonly short?: string;
    /** What `--help` shows in place of the value, if its kind does not say enough: `DIR`. */
    readonly placeholder?: string;
  }
  & (
    | { readonly kind: "string" | "word" | "host" | "listen" | "origin" | "path" | "pattern" | "boolean" }
    | { readonly kind: "choice"; readonly choices: readonly string[] }
    | {
      readonly kind: "integer" | "decimal" | "bytes" | "seconds" | "ms";
      readonly range: readonly [min: number, max: number];
    }
    /** An array of objects, in the file only: `entry` has the keys of each. */
    | { readonly kind: "entries"; readonly entry: Options; readonly only: readonly ["file"] }
  );

/** A table of options by name. Names are written as in flags and in the file: `log-level`. */
export type Options = { readonly [name: string]: Option };

/** The type of an option's value: a string, unless its row says otherwise. */
export type ValueOf<O extends Option> = O extends { kind: "boolean" } ? boolean
  : O extends { kind: "integer" | "decimal" | "bytes" | "seconds" | "ms" } ? number
  : O extends { entry: infer Entry extends Options } ? Values<Entry>
  : O extends { choices: readonly (infer Choice)[] } ? Choice
  : string;

/** `log-level` as `logLevel`. */
export type CamelCase<Name extends string> = Name extends `${infer Head}-${infer Tail}`
  ? `${Head}${Capitalize<CamelCase<Tail>>}`
  : Name;

/** The values of a table's options by their names in camelCase. */
export type Values<T extends Options> = {
  readonly [Name in keyof T & string as CamelCase<Name>]: T[Name] extends
    { repeatable: true } | { kind: "entries" } ? ValueOf<T[Name]>[]
    : T[Name] extends { default: unknown } | { required: true } ? ValueOf<T[Name]>
    : ValueOf<T[Name]> | undefined;
};

/** A program, or one command of it: its options, and how its command line and environment are checked. */
export interface Program<T extends Options> {
  /** Its table. The option named `config`, if there is one, names the file. */
  readonly options: T;
  /** `PARLEY_*` variables that other programs of Parley read, and that are therefore no mistake. */
  readonly knownElsewhere: readonly string[];
  /** Whether the command line may hold arguments that are not options. */
  readonly takesOperands: boolean;
  /** Rules that concern several options. A rule is checked only if each of its options is valid by itself. */
  readonly crossChecks: readonly {
    readonly options: readonly (keyof T & string)[];
    readonly problem: (values: Values<T>) => string | undefined;
  }[];
}

/** Formats an option's name as each source writes it: `--log-level`, `PARLEY_LOG_LEVEL`, `"log-level"`. */
export const formatName: Record<Source, (name: string) => string> = {
  flag: (name) => `--${name}`,
  variable: (name) => `PARLEY_${name.toUpperCase().replaceAll("-", "_")}`,
  file: (name) => JSON.stringify(name),
};

/** The names of the options that `source` may set. */
export function namesSetBy(options: Options, source: Source): string[] {
  return Object.keys(options).filter((name) => options[name].only?.includes(source) ?? true);
}

/** Milliseconds of each unit of a time. */
const TIME_UNITS: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** The units of a number, by kind of option. The empty string stands for a number without a unit. */
const UNITS: Record<"integer" | "decimal" | "bytes" | "seconds" | "ms", Record<string, number>> = {
  integer: { "": 1 },
  decimal: { "": 1 },
  bytes: { "": 1, b: 1, kib: 1024, mib: 1024 ** 2, gib: 1024 ** 3 },
  seconds: {
    "": 1,
    ...Object.fromEntries(Object.entries(TIME_UNITS).map(([unit, ms]) => [unit, ms / 1000])),
  },
  ms: { "": 1000, ...TIME_UNITS },
};

/**
 * Parses a single value; undefined if the option does not allow it. This is the one reader of values: whether a text
 * comes from a flag, a variable, a key, a file that the value names or the terminal, white space around it is dropped,
 * and what is allowed is the same. In the file, numbers and booleans may also have their JSON type.
 */
export function parseValue(option: Option, raw: unknown): Value | undefined {
  if (option.kind === "boolean" && typeof raw === "boolean") return raw;
  const isNumber = typeof raw === "number" && ("range" in option || option.kind === "listen");
  const text = isNumber ? String(raw) : typeof raw === "string" ? raw.trim() : "";
  if (text === "") return undefined;
  switch (option.kind) {
    case "string":
    case "path":
      return text;
    case "pattern":
      return channelProblem(text) === undefined ? text : undefined;
    case "entries": // each key is parsed by itself: see entries.ts
      return undefined;
    case "word":
      return /\s/.test(text) ? undefined : text;
    case "host":
      return parseHost(text);
    case "listen":
      return parseListen(text) === undefined ? undefined : text;
    case "origin":
      return originOf(text);
    case "choice":
      return option.choices.find((choice) => choice === text);
    case "boolean":
      return text === "true" ? true : text === "false" ? false : undefined;
    default: {
      const [, digits, unit = ""] = /^(\d+(?:\.\d+)?) ?([a-z]*)$/i.exec(text) ?? [];
      const exact = Number(digits) * (UNITS[option.kind][unit.toLowerCase()] ?? NaN);
      const value = Number(exact.toFixed(6)); // 1.1 * 1000 is a little more than 1100
      const [min, max] = option.range;
      const isWhole = option.kind === "decimal" || Number.isInteger(value);
      return isWhole && value >= min && value <= max ? value : undefined;
    }
  }
}

/** A host without the brackets of `[::1]`; undefined if it holds white space, a path or a port. */
function parseHost(text: string): string | undefined {
  const [, bracketed] = /^\[([^[\]]*:[^[\]]*)\]$/.exec(text) ?? [];
  const host = bracketed ?? text;
  const colons = host.split(":").length - 1; // an IPv6 address has at least two
  return /[\s/[\]]/.test(host) || colons === 1 ? undefined : host;
}

/** The parts of `7254`, `0.0.0.0:7254` or `[::]:7254`; undefined if `text` is not of that form. */
export function parseListen(text: string): { host: string | undefined; port: number } | undefined {
  const [, before, digits] = /^(?:(.+):)?(\d{1,5})$/.exec(text) ?? [];
  const isBare = before !== undefined && before.includes(":") && !before.startsWith("[");
  const host = before === undefined ? undefined : parseHost(before);
  const isWrong = digits === undefined || Number(digits) > 65535 || isBare || (before !== undefined && !host);
  return isWrong ? undefined : { host, port: Number(digits) };
}

/** An origin as browsers write it: `https://app.example:8443`; undefined if `text` is none, or has more than that. */
export function originOf(text: unknown): string | undefined {
  const url = typeof text === "string" ? URL.parse(text) : null;
  const isWeb = url?.protocol === "http:" || url?.protocol === "https:";
  if (url === null || !isWeb || url.hostname.includes("*")) return undefined;
  return url.href === `${url.origin}/` ? url.origin : undefined;
}

/** The value of an option that is not set. */
export function defaultOf(option: Option, isTerminal: boolean): Value | Value[] | undefined {
  if ((option.repeatable || option.kind === "entries") && option.default === undefined) return [];
  return typeof option.default === "function" ? option.default(isTerminal) : option.default;
}

/** Describes the values an option allows; reads on after "must be". */
export function describeAllowed(option: Option): string {
  switch (option.kind) {
    case "choice":
      return `one of ${option.choices.join(", ")}`;
    case "integer":
      return `a whole number from ${option.range.join(" to ")}`;
    case "decimal":
      return `a number from ${option.range.join(" to ")}`;
    case "bytes":
      return `a size from ${option.range.map(formatSize).join(" to ")}, such as 65536, 64KiB or 1MiB`;
    case "seconds":
      return `a time from ${
        option.range.map(formatSeconds).join(" to ")
      } in whole seconds, such as 30, 30s or 5m`;
    case "ms":
      return `a time from ${option.range.map(formatMilliseconds).join(" to ")}, such as 10, 10s or 500ms`;
    case "boolean":
      return "true or false";
    case "pattern":
      return "the name of a channel, or a pattern such as orders.*.new or chat.>";
    case "entries":
      return "an array of objects";
    case "word":
      return "one word, without white space";
    case "host":
      return "a name or an address, without a port";
    case "listen":
      return "a port, or an address and a port such as 0.0.0.0:7254";
    case "origin":
      return "the origin of a page, such as https://app.example";
    default:
      return option.kind === "path" ? "a path" : "text that is not empty";
  }
}

/** Describes why `raw` is not a value of `option`, without the value if it is a secret; `label` says where it stands. */
export function describeInvalid(option: Option, raw: unknown, label: string): string {
  const given = option.secret ? " (its value is secret and not shown)" : `, not ${describeValue(raw)}`;
  return `${label} must be ${describeAllowed(option)}${given}`;
}

/** Formats a time in the largest unit that leaves no remainder: `5m` for 300 000. */
export function formatMilliseconds(ms: number): string {
  const unit = (["d", "h", "m", "s"] as const).find((unit) => ms % TIME_UNITS[unit] === 0) ?? "ms";
  return ms === 0 ? "0s" : `${ms / TIME_UNITS[unit]}${unit}`;
}

/** As {@linkcode formatMilliseconds}, of seconds. */
export function formatSeconds(seconds: number): string {
  return formatMilliseconds(seconds * 1000);
}

/** Describes a value that an option does not allow: at most about 60 characters, control characters escaped. */
export function describeValue(raw: unknown): string {
  if (Array.isArray(raw)) return "an array";
  if (typeof raw === "object" && raw !== null) return "an object";
  const text = JSON.stringify(raw);
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}

/** Formats a size in the largest unit that leaves no remainder: `1MiB` for 1048576. */
export function formatSize(bytes: number): string {
  const unit = (["gib", "mib", "kib"] as const).find((unit) => bytes > 0 && bytes % UNITS.bytes[unit] === 0);
  return unit ? `${bytes / UNITS.bytes[unit]}${unit[0].toUpperCase()}iB` : String(bytes);
}
