/**
 * The part of `@std/cli` that Parley uses; see its documentation for each function.
 *
 * @module
 */

/** How {@linkcode parseArgs} reads the arguments. */
export interface ParseOptions {
  /** Other names of a flag, such as `{ help: "h" }`. */
  alias?: Record<string, string>;
  /** Flags without a value. `--flag=anything` but `--flag=false` reads as true. */
  boolean?: readonly string[];
  /** Flags whose values are gathered in an array, which is empty where the flag was not given. */
  collect?: readonly string[];
  /** Flags that `--no-flag` sets to false. */
  negatable?: readonly string[];
  /** Flags whose values stay text; `_` is for the arguments that are no flags. The rest turns into numbers if it can. */
  string?: readonly string[];
  /** Called for each argument no option knows, without `key` for one that is no flag; `false` leaves it out. */
  unknown?: (arg: string, key?: string, value?: unknown) => unknown;
}

/** What {@linkcode parseArgs} found: a property for every flag, and in `_` what is no flag. */
export type Args = { _: Array<string | number> } & { [flag: string]: unknown };

/** Takes command line arguments apart. A `string` flag without a value gives the empty text. */
export function parseArgs(args: string[], options?: ParseOptions): Args;

/** Asks at the terminal for a secret, showing `mask` for each character; `null` where there is no terminal. */
export function promptSecret(message?: string, options?: { mask?: string; clear?: boolean }): string | null;
