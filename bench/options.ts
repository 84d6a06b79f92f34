/**
 * The benchmark's arguments.
 *
 * @module
 */

import { parseArgs } from "@std/cli";
import type { Effort } from "./rounds.ts";

/** The options of one run. */
export interface Options {
  /** Workloads, as for `selectWorkloads`; empty for all. */
  readonly only: readonly string[];
  /** The servers to measure, in the order of the report. */
  readonly against: readonly string[];
  /** Builds of Parley, each with a name and the command or directory to start it from; empty for this checkout. */
  readonly parley: readonly { readonly name: string; readonly command: readonly string[] }[];
  readonly effort: Effort;
  readonly isQuick: boolean;
  readonly asJson: boolean;
  readonly reportFile?: string;
  readonly svgFile?: string;
}

/** All servers that can be measured. */
export const SERVERS: readonly string[] = [
  ...["parley", "nats", "redis", "mosquitto", "ceiling"],
  ...["node-http", "jetstream", "jetstream-always", "redis-always", "redis-everysec", "mosquitto-qos1"],
];
const QUICK_SERVERS = ["parley", "nats", "redis", "jetstream", "redis-always"];
const MAX_ROUNDS = 100;
/** Servers send a heartbeat to a silent connection after 30 s; a measurement must end before that. */
const MAX_SECONDS = 20;
const MAX_SYNC_MS = 100;

/** The text of `--help`. */
export const HELP = `Measures Parley against the message servers installed on this machine.

Usage: deno task bench [OPTIONS]

  --only WORKLOADS    some workloads only, by comma: ids, prefixes of ids (echo), kinds (stream)
  --against SERVERS   the servers to measure, by comma. Default: all of ${SERVERS.join(", ")};
                      or parley alone if several builds are given
  --parley BUILD      measure another build instead of this checkout: a command that starts a server, or the directory
                      of a checkout. With NAME=BUILD, given several times, each later build is compared with the first
                      one, and the report has a 95% confidence interval of each ratio
  --rounds N          measurements of each workload and server. Default: 5
  --seconds S         duration of each measurement. Default: 1
  --sync-ms MS        have each sync of the disk take MS longer, for all servers alike, by strace: a disk whose sync takes
                      0.2 ms tells little of those that need 1 to 10
  --quick             one short round against few servers; for a trial, not for publication
  --json              print the report as JSON instead of tables
  --report FILE       also write the tables to FILE; in a document with marks for results, between them
  --svg FILE          also write a chart to FILE
  --list              list the workloads
  --help              print this text

To compare two builds, measure the old one twice, which shows the noise:
  deno task bench --rounds 15 --parley before=../old --parley again=../old --parley after=.
`;

const TEXTS = ["only", "against", "parley", "rounds", "seconds", "sync-ms", "report", "svg"];
const SWITCHES = ["quick", "json", "list", "help"];

/** Parses the arguments. Throws TypeError with the reason if they are not valid. */
export function readOptions(args: string[]): Options & { readonly wants: "run" | "list" | "help" } {
  const unknown: string[] = [];
  const flags = parseArgs(args, {
    string: TEXTS,
    boolean: SWITCHES,
    collect: ["parley"],
    unknown: (argument) => {
      unknown.push(argument);
      return false;
    },
  });
  if (unknown.length > 0) throw new TypeError(`unknown: ${unknown.join(" ")}; see --help`);
  for (const name of TEXTS) {
    if (flags[name] === "") throw new TypeError(`--${name} needs a value; see --help`);
  }
  const isQuick = flags.quick as boolean;
  const builds = (flags.parley as string[]).map(readBuild);
  const byDefault = builds.length > 1 ? ["parley"] : isQuick ? QUICK_SERVERS : SERVERS;
  const against = list(flags.against) ?? byDefault;
  const unknownServer = against.find((name) => !SERVERS.includes(name));
  if (unknownServer !== undefined) {
    throw new TypeError(`unknown server "${unknownServer}"; choose from ${SERVERS.join(", ")}`);
  }
  const names = [...SERVERS.slice(1), ...builds.map(({ name }) => name)];
  const taken = names.find((name, index) => names.indexOf(name) < index);
  if (taken !== undefined) {
    throw new TypeError(`two servers have the name "${taken}"; use --parley NAME=COMMAND`);
  }
  return {
    wants: flags.help ? "help" : flags.list ? "list" : "run",
    only: list(flags.only) ?? [],
    against,
    parley: builds,
    effort: {
      rounds: Math.floor(number("rounds", flags.rounds, isQuick ? 1 : 5, 1, MAX_ROUNDS)),
      seconds: number("seconds", flags.seconds, isQuick ? 0.2 : 1, 0.1, MAX_SECONDS),
      warmUpSeconds: isQuick ? 0.2 : 0.5,
      isServerFresh: builds.length > 1,
      syncMs: number("sync-ms", flags["sync-ms"], 0, 0, MAX_SYNC_MS),
    },
    isQuick,
    asJson: flags.json as boolean,
    reportFile: flags.report as string | undefined,
    svgFile: flags.svg as string | undefined,
  };
}

function list(value: unknown): string[] | undefined {
  return typeof value === "string" ? value.split(",").map((item) => item.trim()) : undefined;
}

/** `NAME=COMMAND` or `COMMAND`; the words of the command are separated by blanks. */
function readBuild(text: string, index: number): Options["parley"][number] {
  const [, name, command] = text.match(/^(?:([\w.-]+)=)?(.+)$/)!;
  return {
    name: name ?? (index === 0 ? "parley" : `parley${index + 1}`),
    command: command.trim().split(/\s+/),
  };
}

function number(name: string, value: unknown, otherwise: number, min: number, max: number): number {
  if (value === undefined) return otherwise;
  const parsed = Number(value);
  if (!(parsed >= min && parsed <= max)) {
    throw new TypeError(`--${name} must be from ${min} to ${max}, got "${value}"`);
  }
  return parsed;
}
