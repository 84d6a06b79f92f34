/**
 * What an option is: a row of a table, from which its flag, its variable, its key in the file, its help, what it allows
 * and the type of its value all come. A table makes a {@linkcode Program}; `lib/config/server_options.ts` holds one.
 *
 * @module
 */

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
    /** What stands for the value in help, if its kind does not say enough. */
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

/** How each source writes an option's name. */
export const spell: Record<Source, (name: string) => string> = {
  flag: (name) => `--${name}`,
  variable: (name) => `PARLEY_${name.toUpperCase().replaceAll("-", "_")}`,
  file: (name) => JSON.stringify(name),
};

/** The names that `source` may give. */
export function namesFrom(options: Options, source: Source): string[] {
  return Object.keys(options).filter((name) => options[name].only?.includes(source) ?? true);
}

/** Units that numbers may be written in, by kind; the empty one is the kind's own. */
const UNITS: Record<string, Record<string, number>> = {
  integer: { "": 1 },
  bytes: { "": 1, b: 1, kib: 1024, mib: 1024 ** 2, gib: 1024 ** 3 },
  seconds: { "": 1, s: 1, m: 60, h: 3600, d: 86_400 },
};

/** A single value. Flags and variables are text; the file's values have types, and those must be right too. */
export function readOne(option: Option, raw: unknown, from: Source): Value | undefined {
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

/** What an option is where nobody gives it. */
export function defaultOf(option: Option, isTerminal: boolean): Value | Value[] | undefined {
  if (option.repeatable && option.default === undefined) return [];
  return typeof option.default === "function" ? option.default(isTerminal) : option.default;
}

/** What an option allows, to be read after "must be". */
export function allowed(option: Option): string {
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

/** `1MiB` for 1048576: in the largest unit without a remainder, as it may be written. */
export function sizeText(bytes: number): string {
  const unit = (["gib", "mib", "kib"] as const).find((unit) => bytes > 0 && bytes % UNITS.bytes[unit] === 0);
  return unit ? `${bytes / UNITS.bytes[unit]}${unit[0].toUpperCase()}iB` : String(bytes);
}
