/**
 * The soak's arguments.
 *
 * @module
 */

import { parseArgs } from "@std/cli";

/** What the soak was asked for. */
export interface SoakOptions {
  /** How long the load lasts. */
  readonly seconds: number;
  /** Decides sizes and pauses. */
  readonly seed: number;
  /** Where the report goes: a plot where it ends in .svg, a page with plot and numbers where it ends in .html. */
  readonly report?: string;
  /** Starts the server to test; this checkout's if left out. */
  readonly server?: readonly string[];
}

/** What `--help` says. */
export const HELP = `Puts a mixed load on a server for a while; checks what arrives, and that nothing grows.

Usage: deno task soak [OPTIONS]

  --seconds N        how long. Default: 120
  --report FILE      writes a plot (.svg) or a page with plot and numbers (.html)
  --seed S           sizes and pauses as in an earlier run. Default: a new one, which is printed
  --server COMMAND   the server to test, such as dist/parley-server. Default: server.ts of this checkout
  --help             this
`;

/** Reads the arguments. Throws TypeError with what is wrong with them; nothing where only help is wanted. */
export function readOptions(args: string[], newSeed: () => number): SoakOptions | undefined {
  const unknown: string[] = [];
  const flags = parseArgs(args, {
    string: ["seconds", "seed", "report", "server"],
    boolean: ["help"],
    unknown: (argument) => {
      unknown.push(argument);
      return false;
    },
  });
  if (unknown.length > 0) throw new TypeError(`unknown: ${unknown.join(" ")}; see --help`);
  if (flags.help) return undefined;
  const number = (name: string, otherwise: number, min: number, max: number): number => {
    const given = flags[name];
    const value = given === undefined ? otherwise : given === "" ? NaN : Number(given);
    if (value >= min && value <= max) return value;
    throw new TypeError(`--${name} must be a number from ${min} to ${max}, got "${given}"`);
  };
  const report = flags.report as string | undefined;
  if (report !== undefined && !/\.(svg|html)$/.test(report)) {
    throw new TypeError(`--report must end in .svg or .html, got "${report}"`);
  }
  if (flags.server === "") throw new TypeError("--server needs a command");
  return {
    seconds: number("seconds", 120, 1, 1e7),
    seed: Math.floor(number("seed", newSeed(), 0, 2 ** 32 - 1)),
    report,
    server: (flags.server as string | undefined)?.trim().split(/\s+/),
  };
}
