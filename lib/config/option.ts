/**
 * What an option is: one row of a table. The row defines its flag, its environment variable, its key in the file, its
 * help, its allowed values and the type of its value. `lib/config/server_options.ts` and `client_options.ts` hold the
 * tables.
 *
 * @module
 */

/** A place that can set an option. If several do, the first in this list wins. */
export type Source = "flag" | "variable" | "file";

/** A single value after parsing. */
export type Value = string | number | boolean;

/** A row of a table. Sizes are in bytes and may be written `64KiB`; times are in seconds, or `30s`, `5m`, `1h`, `1d`. */
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
    /** Its one-letter flag. */
    readonly short?: string;
    /** What `--help` shows in place of the value, if its kind does not say enough: `DIR`. */
    readonly placeholder?: string;
  }
  & (
    | { readonly kind: "string" | "path" | "boolean" }
    | { readonly kind: "choice"; readonly choices: readonly string[] }
    | { readonly kind: "integer" | "bytes" | "seconds"; readonly range: readonly [min: number, max: number] }
  );

/** A table of options by name. Names are written as in flags and in the file: `log-level`. */
export type Options = { readonly [name: string]: Option };

/** The type of an option's value: a string, unless its row says otherwise. */
export type ValueOf<O extends Option> = O extends { kind: "boolean" } ? boolean
  : O extends { kind: "integer" | "bytes" | "seconds" } ? number
  : O extends { choices: readonly (infer Choice)[] } ? Choice
  : string;

/** `log-level` as `logLevel`. */
export type CamelCase<Name extends string> = Name extends `${infer Head}-${infer Tail}`
  ? `${Head}${Capitalize<CamelCase<Tail>>}`
  : Name;

/** The values of a table's options by their names in camelCase. */
export type Values<T extends Options> = {
  readonly [Name in keyof T & string as CamelCase<Name>]: T[Name] extends { repeatable: true }
    ? ValueOf<T[Name]>[]
    : T[Name] extends { default: unknown } ? ValueOf<T[Name]>
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

/** The units of a number, by kind of option. The empty string stands for a number without a unit. */
const UNITS: Record<string, Record<string, number>> = {
  integer: { "": 1 },
  bytes: { "": 1, b: 1, kib: 1024, mib: 1024 ** 2, gib: 1024 ** 3 },
  seconds: { "": 1, s: 1, m: 60, h: 3600, d: 86_400 },
};

/**
 * Parses a single value; undefined if the option does not allow it. Flags and variables are text. Values in the file
 * have a JSON type, which must be right too.
 */
export function parseValue(option: Option, raw: unknown, source: Source): Value | undefined {
  switch (option.kind) {
    case "string":
    case "path":
      return typeof raw === "string" && raw !== "" ? raw : undefined;
    case "choice":
      return option.choices.find((choice) => choice === raw);
    case "boolean":
      if (source === "variable") return raw === "true" ? true : raw === "false" ? false : undefined;
      return typeof raw === "boolean" ? raw : undefined;
    default: {
      const isText = typeof raw === "string" && (source !== "file" || option.kind !== "integer");
      if (!isText && typeof raw !== "number") return undefined;
      const [, digits, unit = ""] = /^(\d+) ?([a-z]*)$/i.exec(String(raw)) ?? [];
      const value = Number(digits) * (UNITS[option.kind][unit.toLowerCase()] ?? NaN);
      return value >= option.range[0] && value <= option.range[1] ? value : undefined;
    }
  }
}

/** The value of an option that is not set. */
export function defaultOf(option: Option, isTerminal: boolean): Value | Value[] | undefined {
  if (option.repeatable && option.default === undefined) return [];
  return typeof option.default === "function" ? option.default(isTerminal) : option.default;
}

/** Describes the values an option allows; reads on after "must be". */
export function describeAllowed(option: Option): string {
  switch (option.kind) {
    case "choice":
      return `one of ${option.choices.join(", ")}`;
    case "integer":
      return `a whole number from ${option.range.join(" to ")}`;
    case "bytes":
      return `a size from ${option.range.map(formatSize).join(" to ")}, such as 65536, 64KiB or 1MiB`;
    case "seconds":
      return `a time from ${option.range.map(formatSeconds).join(" to ")}, such as 30, 30s or 5m`;
    case "boolean":
      return "true or false";
    default:
      return option.kind === "path" ? "a path" : "text that is not empty";
  }
}

/** Formats a time in the largest unit that leaves no remainder: `5m` for 300. */
export function formatSeconds(seconds: number): string {
  const unit = (["d", "h", "m"] as const).find((unit) => seconds > 0 && seconds % UNITS.seconds[unit] === 0);
  return unit ? `${seconds / UNITS.seconds[unit]}${unit}` : `${seconds}s`;
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
