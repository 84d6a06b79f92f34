/**
 * The benchmark's arguments.
 *
 * @module
 */

import { parseArgs } from "@std/cli";
import type { Effort } from "./rounds.ts";

/** What the benchmark was asked for. */
export interface Options {
  /** Works, as `selectWorks` takes them; empty for all. */
  readonly only: readonly string[];
  /** Who takes part, in the order of the report. */
  readonly against: readonly string[];
  /** Commands that start builds of Parley, each with a name; empty for this checkout. */
  readonly parley: readonly { readonly name: string; readonly command: readonly string[] }[];
  readonly effort: Effort;
  readonly isQuick: boolean;
  readonly asJson: boolean;
  readonly reportFile?: string;
  readonly svgFile?: string;
}

/** All who can take part. */
export const EVERYBODY: readonly string[] = ["parley", "nats", "redis", "mosquitto", "ceiling"];
const QUICK = ["parley", "nats", "redis"];
const MAX_ROUNDS = 100;
/** A silent connection is asked for a sign of life after 30 s; a measurement stays clear of that. */
const MAX_SECONDS = 20;

/** What `--help` says. */
export const HELP = `Measures Parley against the message servers installed on this machine.

Usage: deno task bench [OPTIONS]

  --only WORKS        some works only, by comma: ids, beginnings of ids (echo), kinds (stream)
  --against SERVERS   who takes part, by comma. Default: ${EVERYBODY.join(",")}
  --parley COMMAND    bench the Parley that COMMAND starts instead of this checkout; can be given several times, as
                      NAME=COMMAND, to compare builds in one run
  --rounds N          how often to measure each. Default: 5
  --seconds S         how long each time. Default: 1
  --quick             one short round against NATS and Redis; for trying out, not for publishing
  --json              the report as JSON on stdout instead of tables
  --report FILE       also write the tables to FILE; in a document with marks for results, between them
  --svg FILE          also write a chart to FILE
  --list              the works, and nothing else
  --help              this
`;

const TEXTS = ["only", "against", "parley", "rounds", "seconds", "report", "svg"];
const SWITCHES = ["quick", "json", "list", "help"];

/** Reads the arguments. Throws TypeError with what is wrong with them. */
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
  const against = list(flags.against) ?? (isQuick ? QUICK : EVERYBODY);
  const stranger = against.find((name) => !EVERYBODY.includes(name));
  if (stranger !== undefined) {
    throw new TypeError(`nobody is called "${stranger}"; there are ${EVERYBODY.join(", ")}`);
  }
  const builds = (flags.parley as string[]).map(readBuild);
  const names = [...EVERYBODY.slice(1), ...builds.map(({ name }) => name)];
  const taken = names.find((name, index) => names.indexOf(name) < index);
  if (taken !== undefined) throw new TypeError(`two would be called "${taken}"; use --parley NAME=COMMAND`);
  return {
    wants: flags.help ? "help" : flags.list ? "list" : "run",
    only: list(flags.only) ?? [],
    against,
    parley: builds,
    effort: {
      rounds: Math.floor(number("rounds", flags.rounds, isQuick ? 1 : 5, 1, MAX_ROUNDS)),
      seconds: number("seconds", flags.seconds, isQuick ? 0.2 : 1, 0.1, MAX_SECONDS),
      warmUpSeconds: isQuick ? 0.2 : 0.5,
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

/** `NAME=COMMAND` or `COMMAND`; the command's words are parted by blanks. */
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
