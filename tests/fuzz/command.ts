/**
 * What the commands of the fuzzer and the soak share: arguments, exit codes, the status line.
 *
 * @module
 */

import { parseArgs } from "@std/cli";

/** Checked arguments. */
export interface Flags {
  /** Whether the flag `name` was given. */
  has(name: string): boolean;
  /** The value of `name`; `undefined` if it was not given. */
  text(name: string): string | undefined;
  /** The number `name`, or `otherwise`. Throws TypeError outside `min` to `max`. */
  number(name: string, otherwise: number, min: number, max: number): number;
  /** As `number`, for whole numbers. */
  integer(name: string, otherwise: number, min: number, max: number): number;
  /** The words of the command `name`. Throws TypeError if it is empty. */
  command(name: string): readonly string[] | undefined;
}

/** Parses `args`. Throws TypeError for arguments that are neither in `values` nor in `switches`. */
export function readFlags(args: string[], values: string[], switches: string[]): Flags {
  const unknown: string[] = [];
  const flags: Record<string, unknown> = parseArgs(args, {
    string: values,
    boolean: switches,
    unknown: (argument) => {
      unknown.push(argument);
      return false;
    },
  });
  if (unknown.length > 0) throw new TypeError(`unknown: ${unknown.join(" ")}; see --help`);
  const text = (name: string) => flags[name] as string | undefined;
  const number = (name: string, otherwise: number, min: number, max: number): number => {
    const given = text(name);
    const value = given === undefined ? otherwise : given === "" ? NaN : Number(given);
    if (value >= min && value <= max) return value;
    throw new TypeError(`--${name} must be a number from ${min} to ${max}, got "${given}"`);
  };
  return {
    has: (name) => flags[name] === true,
    text,
    number,
    integer: (name, otherwise, min, max) => {
      const value = number(name, otherwise, min, max);
      if (Number.isInteger(value)) return value;
      throw new TypeError(`--${name} must be a whole number, got "${text(name)}"`);
    },
    command: (name) => {
      const given = text(name);
      if (given === "") throw new TypeError(`--${name} needs a command`);
      return given?.trim().split(/\s+/);
    },
  };
}

/** A fresh seed. */
export function newSeed(): number {
  return crypto.getRandomValues(new Uint32Array(1))[0];
}

/**
 * Runs a command and exits: 0 if `run` finds no problem, 1 if it does, 2 for wrong usage (a TypeError). Ctrl-C aborts
 * the signal, so that the command ends early with its summary.
 */
export async function runCommand(
  name: string,
  run: (args: string[], signal: AbortSignal) => Promise<readonly string[]>,
): Promise<never> {
  const interrupted = new AbortController();
  Deno.addSignalListener("SIGINT", () => interrupted.abort());
  try {
    const problems = await run(Deno.args, interrupted.signal);
    Deno.exit(problems.length === 0 ? 0 : 1);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    console.error(`${name}: ${error.message}`);
    Deno.exit(2);
  }
}

/** Replaces the status line on stderr. Does nothing if stderr is not a terminal. */
export function showStatus(line: string): void {
  if (Deno.stderr.isTerminal()) Deno.stderr.writeSync(new TextEncoder().encode(`\r\x1b[K${line}`));
}
