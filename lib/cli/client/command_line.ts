/**
 * Parses the command line of `parley`: the command, its options and arguments, or the problems.
 *
 * @module
 */

import { closestString, levenshteinDistance } from "@std/text";
import { type ClientConfig, clientProgram, COMMAND_OPTIONS } from "../../config/client_options.ts";
import type { ConnectOptions } from "../../client/options.ts";
import { type ConfigSources, loadConfig, type Loaded } from "../../config/load.ts";
import type { Command } from "./command.ts";

/** The server's address, as `connect` takes it; or the name of its context, undefined for the one in use. */
export type ServerAddress =
  | Pick<ConnectOptions, "url" | "hostname" | "port">
  | { readonly context: string | undefined };

/** A parsed command line. */
export type CommandLine =
  | { readonly kind: "version" }
  /** Help for `command`, or for the program if there is none. */
  | { readonly kind: "help"; readonly command: Command | undefined }
  /** Wrong usage. Each problem is one line: what was given and what is allowed. */
  | { readonly kind: "invalid"; readonly problems: readonly string[]; readonly command?: Command }
  | {
    readonly kind: "run";
    readonly command: Command;
    readonly values: ClientConfig;
    readonly operands: readonly string[];
    readonly address: ServerAddress;
    /** The origin of each value, as in `Loaded.origins`. */
    readonly origins: Loaded<ReturnType<typeof clientProgram>["options"]>["origins"];
    /** Variables that are ignored although they may have been meant for Parley, one line each. */
    readonly warnings: readonly string[];
  };

/** Parses the command line. If it names no command, the first of `commands` runs. */
export function parseCommandLine(
  commands: readonly Command[],
  sources: Omit<ConfigSources, "readTextFile">,
): CommandLine {
  // Load with the options of all commands first, to tell an option's value from the command's name.
  const all = loadConfig(clientProgram(COMMAND_OPTIONS), { ...sources, env: {}, readTextFile });
  const [first, ...operands] = all.operands;
  if (first === "help") return { kind: "help", command: findCommand(commands, operands[0]) };
  const command = first === undefined ? commands[0] : findCommand(commands, first);
  if (command === undefined) return { kind: "invalid", problems: [unknownCommand(commands, first)] };

  const loaded = loadConfig(clientProgram(command.options, command.isOffline), { ...sources, readTextFile });
  const { values } = loaded;
  if (values.help) return { kind: "help", command: first === undefined ? undefined : command };
  if (values.version) return { kind: "version" };
  const problems = loaded.problems.map(({ text }) => text);
  const address = serverAddress(loaded);
  if (address === undefined) problems.push("give one of --url, --context, and --host with --port");
  const countProblem = checkOperandCount(command, operands);
  if (countProblem !== undefined) problems.push(countProblem);
  if (address === undefined || problems.length > 0) return { kind: "invalid", problems, command };
  const { warnings, origins } = loaded;
  return { kind: "run", command, values, operands, address, origins, warnings };
}

/** The client reads no option file. */
function readTextFile(): never {
  throw new Deno.errors.NotFound();
}

function findCommand(commands: readonly Command[], name: string | undefined): Command | undefined {
  return commands.find((command) => command.name === name);
}

function unknownCommand(commands: readonly Command[], given: string): string {
  if (isSecret(given)) {
    const isLink = given.startsWith("parley");
    const context = isLink ? "; or save it: parley context add NAME LINK" : "";
    return `${isLink ? USE_URL : USE_TOKEN}, after a command such as ping${context}`;
  }
  const names = commands.filter(({ isHidden }) => !isHidden).map(({ name }) => name);
  const guess = closestString(given, names);
  const isNear = levenshteinDistance(given.toLowerCase(), guess) <= Math.min(3, guess.length - 2);
  const hint = isNear ? `did you mean ${guess}?` : `the commands are ${names.join(", ")}`;
  return `${JSON.stringify(given)} is not a command; ${hint}`;
}

const USE_URL = "give the join link with --url or in PARLEY_URL";
const USE_TOKEN = "give the token with --token or in PARLEY_TOKEN";

/** Whether `text` is a join link or a token in the wrong place. An error message must not repeat it. */
function isSecret(text: string): boolean {
  return /^parleys?:\/\/|^eyJ/i.test(text);
}

/** The problem with the number of arguments, if there is one. */
function checkOperandCount({ name, operands }: Command, given: readonly string[]): string | undefined {
  const usage = `parley ${name} ${operands.usage}`;
  if (given.length < operands.min) return `${name} needs ${operands.usage.split(/[ .]/)[0]}: ${usage}`;
  if (given.length <= operands.max) return undefined;
  const secret = given.find(isSecret);
  if (secret !== undefined) return secret.startsWith("parley") ? USE_URL : USE_TOKEN;
  const limit = `at most ${operands.max} ${operands.max === 1 ? "argument" : "arguments"}`;
  if (operands.max === 0) {
    return `${name} takes no arguments, but got ${JSON.stringify(given[0])}: ${usage.trim()}`;
  }
  return `${name} takes ${limit}, but got ${given.length}; put quotes around a text with spaces: ${usage}`;
}

/**
 * The address of the server; undefined if flags contradict each other. Flags win over variables, and variables over the
 * context in use. `PARLEY_URL` together with `PARLEY_PORT` is no contradiction, because the latter may be meant for the
 * server.
 */
function serverAddress(
  { values, origins }: Loaded<ReturnType<typeof clientProgram>["options"]>,
): ServerAddress | undefined {
  const { url, context, host: hostname, port } = values;
  const isFlag = (...names: (keyof typeof origins)[]) => names.some((name) => origins[name] === "flag");
  const byFlag = [isFlag("url"), isFlag("context"), isFlag("host", "port")];
  if (byFlag.filter(Boolean).length > 1) return undefined;
  if (byFlag[0]) return { url };
  if (byFlag[1]) return { context };
  if (byFlag[2]) return { hostname, port };
  if (url !== undefined) return { url };
  if (context !== undefined) return { context };
  const isSet = origins.host !== "default" || origins.port !== "default";
  return isSet ? { hostname, port } : { context: undefined };
}
