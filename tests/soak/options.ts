/**
 * The soak's arguments.
 *
 * @module
 */

import { readFlags } from "../fuzz/command.ts";

/** The parsed arguments. */
export interface SoakOptions {
  /** How long the load lasts, in seconds. */
  readonly seconds: number;
  /** Determines sizes and pauses. */
  readonly seed: number;
  /** The file for the report: a plot (.svg), or a page with plot and numbers (.html). */
  readonly report?: string;
  /** The command that starts the server; `server.ts` of this checkout if left out. */
  readonly server?: readonly string[];
}

/** The text of `--help`. */
export const HELP =
  `Puts a mixed load on a server. Checks that no message is lost and that memory and descriptors do not grow.

Usage: deno task soak [OPTIONS]

  --seconds N        how long the load lasts. Default: 120
  --report FILE      writes a plot (.svg) or a page with plot and numbers (.html)
  --seed S           sizes and pauses as in an earlier run. Default: a new one, which is printed
  --server COMMAND   the server to test, such as dist/parley-server. Default: server.ts of this checkout
  --help             shows this text
`;

/** Parses the arguments; returns `undefined` for `--help`. Throws a TypeError that names the invalid argument. */
export function readOptions(args: string[], newSeed: () => number): SoakOptions | undefined {
  const flags = readFlags(args, ["seconds", "seed", "report", "server"], ["help"]);
  if (flags.has("help")) return undefined;
  const report = flags.text("report");
  if (report !== undefined && !/\.(svg|html)$/.test(report)) {
    throw new TypeError(`--report must end in .svg or .html, got "${report}"`);
  }
  return {
    seconds: flags.number("seconds", 120, 1, 1e7),
    seed: flags.integer("seed", newSeed(), 0, 2 ** 32 - 1),
    report,
    server: flags.command("server"),
  };
}
