/**
 * The fuzzer's arguments.
 *
 * @module
 */

import { parseArgs } from "@std/cli";

/** What the fuzzer was asked for. */
export interface FuzzOptions {
  /** How long to attack. */
  readonly seconds: number;
  /** Decides every attack. */
  readonly seed: number;
  /** Attacks at the same time. */
  readonly connections: number;
  /** The first attack, and how many there are at most. */
  readonly from: number;
  readonly count: number;
  readonly tls: boolean;
  /** Starts the server to attack; this checkout's if left out. */
  readonly server?: readonly string[];
}

/** What `--help` says. */
export const HELP = `Throws seeded garbage at a server and checks that others are still served.

Usage: deno task fuzz [OPTIONS]

  --seconds N        how long. Default: 30
  --seed S           repeats the attacks of an earlier run. Default: a new one, which is printed
  --connections C    attacks at the same time. Default: 32
  --from I           begins with attack I; default: 0
  --count N          ends after N attacks, if not before
  --tls              attacks a server that encrypts, inside and outside of TLS
  --server COMMAND   the server to attack, such as dist/parley-server. Default: server.ts of this checkout
  --help             this
`;

const NUMBERS = ["seconds", "seed", "connections", "from", "count"];
const TEXTS = [...NUMBERS, "server"];

/** Reads the arguments. Throws TypeError with what is wrong with them; nothing where only help is wanted. */
export function readOptions(args: string[], newSeed: () => number): FuzzOptions | undefined {
  const unknown: string[] = [];
  const flags = parseArgs(args, {
    string: TEXTS,
    boolean: ["help", "tls"],
    unknown: (argument) => {
      unknown.push(argument);
      return false;
    },
  });
  if (unknown.length > 0) throw new TypeError(`unknown: ${unknown.join(" ")}; see --help`);
  if (flags.help) return undefined;
  const number = (name: string, otherwise: number, min: number, max: number, isWhole = true): number => {
    const given = flags[name];
    const value = given === undefined ? otherwise : given === "" ? NaN : Number(given);
    if (value >= min && value <= max && (!isWhole || Number.isInteger(value))) return value;
    throw new TypeError(`--${name} must be a number from ${min} to ${max}, got "${given}"`);
  };
  if (flags.server === "") throw new TypeError("--server needs a command");
  return {
    seconds: number("seconds", 30, 0.1, 1e6, false),
    seed: number("seed", newSeed(), 0, 2 ** 32 - 1),
    connections: number("connections", 32, 1, 2000),
    from: number("from", 0, 0, 1e9),
    count: number("count", 1e9, 1, 1e9),
    tls: flags.tls as boolean,
    server: (flags.server as string | undefined)?.trim().split(/\s+/),
  };
}

/** The command that does the same again. */
export function commandOf({ seconds, seed, connections, from, count, tls, server }: FuzzOptions): string {
  return [
    `deno task fuzz --seed ${seed} --seconds ${seconds} --connections ${connections}`,
    from > 0 ? ` --from ${from}` : "",
    count < 1e9 ? ` --count ${count}` : "",
    tls ? " --tls" : "",
    server ? ` --server "${server.join(" ")}"` : "",
  ].join("");
}
