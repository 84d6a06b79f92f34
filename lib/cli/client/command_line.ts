/**
 * The command line of `parley`: which command, with which options and arguments, or what is wrong with it.
 *
 * @module
 */

import { closestString, levenshteinDistance } from "@std/text";
import { type ClientConfig, clientProgram, milliseconds } from "../../config/client_options.ts";
import type { ConnectOptions } from "../../client/api.ts";
import { type ConfigSources, loadConfig, type Loaded } from "../../config/load.ts";
import type { Command } from "./command.ts";

/** Where to connect to, as `connect` takes it. */
export type Where = Pick<ConnectOptions, "url" | "hostname" | "port">;

/** What the command line asks for. */
export type Asked =
  | { readonly kind: "version" }
  /** Help, of the program where no command is named. */
  | { readonly kind: "help"; readonly command: Command | undefined }
  /** Wrong usage; one line each, which says what came and what is allowed. */
  | { readonly kind: "wrong"; readonly problems: readonly string[] }
  | {
    readonly kind: "run";
    readonly command: Command;
    readonly values: ClientConfig;
    readonly operands: readonly string[];
    readonly where: Where;
    readonly timeoutMs: number | undefined;
  };

/** Takes the command line apart. Without a command it is the first of `commands`. */
export function readCommandLine(
  commands: readonly Command[],
  from: Omit<ConfigSources, "readTextFile">,
): Asked {
  // First with the options of all commands, to tell their values from the command's name.
  const all = loadConfig(clientProgram(["count", "exec", "json"]), { ...from, env: {}, readTextFile });
  const [first, ...others] = all.operands;
  if (first === "help") return { kind: "help", command: named(commands, others[0]) };
  const command = first === undefined ? commands[0] : named(commands, first);
  if (command === undefined) return { kind: "wrong", problems: [unknownCommand(commands, first)] };

  const loaded = loadConfig(clientProgram(command.options), { ...from, readTextFile });
  const { values } = loaded;
  if (values.help) return { kind: "help", command: first === undefined ? undefined : command };
  if (values.version) return { kind: "version" };
  const problems = loaded.problems.map(({ text }) => text);
  const where = findServer(loaded);
  if (where === undefined) problems.push("give either --url, or --host and --port, not both");
  const wrongCount = checkCount(command, others);
  if (wrongCount !== undefined) problems.push(wrongCount);
  if (where === undefined || problems.length > 0) return { kind: "wrong", problems };
  const timeoutMs = values.timeout === undefined ? undefined : milliseconds(values.timeout);
  return { kind: "run", command, values, operands: others, where, timeoutMs };
}

/** The client has no file of options: what it is told differs from call to call. */
function readTextFile(): never {
  throw new Deno.errors.NotFound();
}

function named(commands: readonly Command[], name: string | undefined): Command | undefined {
  return commands.find((command) => command.name === name);
}

function unknownCommand(commands: readonly Command[], came: string): string {
  if (isSecret(came)) {
    return `${came.startsWith("parley") ? USE_URL : USE_TOKEN}, after a command such as ping`;
  }
  const names = commands.map(({ name }) => name);
  const guess = closestString(came, names);
  const isNear = levenshteinDistance(came.toLowerCase(), guess) <= Math.min(3, guess.length - 2);
  const hint = isNear ? `did you mean ${guess}?` : `the commands are ${names.join(", ")}`;
  return `${JSON.stringify(came)} is not a command; ${hint}`;
}

const USE_URL = "a link is given with --url or in PARLEY_URL";
const USE_TOKEN = "a token is given with --token or in PARLEY_TOKEN";

/** Whether `text` is a link or a token that was meant for an option: it is not repeated, where others could read it. */
function isSecret(text: string): boolean {
  return /^parleys?:\/\/|^eyJ/i.test(text);
}

/** What is wrong with how many arguments there are, if anything is. */
function checkCount({ name, operands }: Command, came: readonly string[]): string | undefined {
  const usage = `parley ${name} ${operands.show}`;
  if (came.length < operands.least) return `${name} needs ${operands.show.split(/[ .]/)[0]}: ${usage}`;
  if (came.length <= operands.most) return undefined;
  const secret = came.find(isSecret);
  if (secret !== undefined) return secret.startsWith("parley") ? USE_URL : USE_TOKEN;
  const most = `at most ${operands.most} ${operands.most === 1 ? "argument" : "arguments"}`;
  if (operands.most === 0) {
    return `${name} takes no arguments, but got ${JSON.stringify(came[0])}: ${usage.trim()}`;
  }
  return `${name} takes ${most}, but got ${came.length}; put quotes around a text with spaces: ${usage}`;
}

/**
 * The server to talk to. What is named by a flag wins over what a variable names; that `PARLEY_URL` and `PARLEY_PORT`
 * are both set is no contradiction, the latter may be the server's. Nothing where flags contradict each other.
 */
function findServer(
  { values, sources }: Loaded<ReturnType<typeof clientProgram>["options"]>,
): Where | undefined {
  const byFlag = sources.host === "flag" || sources.port === "flag";
  if (values.url === undefined || (byFlag && sources.url !== "flag")) {
    return { hostname: values.host, port: values.port };
  }
  return byFlag ? undefined : { url: values.url };
}
