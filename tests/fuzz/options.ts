/**
 * The fuzzer's arguments.
 *
 * @module
 */

import { readFlags } from "./command.ts";

/** The parsed arguments. */
export interface FuzzOptions {
  /** How long to send attacks, in seconds. */
  readonly seconds: number;
  /** Determines every attack. */
  readonly seed: number;
  /** Attacks in progress at the same time. */
  readonly connections: number;
  /** Index of the first attack, and the largest number of attacks. */
  readonly from: number;
  readonly count: number;
  readonly tls: boolean;
  /** Runs schedules against the model of the broker instead of attacks against a server. */
  readonly isModel: boolean;
  /** The command that starts the server; `server.ts` of this checkout if left out. */
  readonly server?: readonly string[];
}

/** The text of `--help`. */
export const HELP = `Sends seeded garbage to a server and checks that other clients are still served.

Usage: deno task fuzz [OPTIONS]

  --seconds N        how long to attack. Default: 30
  --seed S           repeats the attacks of an earlier run. Default: a new one, which is printed
  --connections C    concurrent attacks. Default: 32
  --from I           begins with attack I; default: 0
  --count N          ends after N attacks, if not before
  --tls              attacks a TLS server, both inside TLS and with plain bytes
  --model            no server: runs random schedules of sessions in this process, over simulated sockets, and
                     checks invariants and the work of each turn; --seed S --count 1 repeats one schedule
  --server COMMAND   the server to attack, such as dist/parley-server. Default: server.ts of this checkout
  --help             shows this text
`;

/** Parses the arguments; returns `undefined` for `--help`. Throws a TypeError that names the invalid argument. */
export function readOptions(args: string[], newSeed: () => number): FuzzOptions | undefined {
  const values = ["seconds", "seed", "connections", "from", "count", "server"];
  const flags = readFlags(args, values, ["help", "tls", "model"]);
  if (flags.has("help")) return undefined;
  return {
    seconds: flags.number("seconds", 30, 0.1, 1e6),
    seed: flags.integer("seed", newSeed(), 0, 2 ** 32 - 1),
    connections: flags.integer("connections", 32, 1, 2000),
    from: flags.integer("from", 0, 0, 1e9),
    count: flags.integer("count", 1e9, 1, 1e9),
    tls: flags.has("tls"),
    isModel: flags.has("model"),
    server: flags.command("server"),
  };
}

/** The command line that repeats a run. */
export function commandOf({ seconds, seed, connections, from, count, tls, server }: FuzzOptions): string {
  return [
    `deno task fuzz --seed ${seed} --seconds ${seconds} --connections ${connections}`,
    from > 0 ? ` --from ${from}` : "",
    count < 1e9 ? ` --count ${count}` : "",
    tls ? " --tls" : "",
    server ? ` --server "${server.join(" ")}"` : "",
  ].join("");
}
