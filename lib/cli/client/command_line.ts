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

/** The server's address, as `connect` takes it. */
export type ServerAddress = Pick<ConnectOptions, "url" | "hostname" | "port">;

/** A parsed command line. */
export type CommandLine =
  | { readonly kind: "version" }
  /** Help for `command`, or for the program if there is none. */
  | { readonly kind: "help"; readonly command: Command | undefined }
  /** Wrong usage. Each problem is one line: what was given and what is allowed. */
  | { readonly kind: "invalid"; readonly problems: readonly string[] }
  | {
    readonly kind: "run";
    readonly command: Command;
    readonly values: ClientConfig;
    readonly operands: readonly string[];
    readonly address: ServerAddress;
    /** The origin of the token, as in `Loaded.origins`. */
    readonly tokenOrigin: string;
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

  const loaded = loadConfig(clientProgram(command.options), { ...sources, readTextFile });
  const { values } = loaded;
  if (values.help) return { kind: "help", command: first === undefined ? undefined : command };
  if (values.version) return { kind: "version" };
  const problems = loaded.problems.map(({ text }) => text);
  const address = serverAddress(loaded);
  if (address === undefined) problems.push("give either --url, or --host and --port, not both");
  const countProblem = checkOperandCount(command, operands);
  if (countProblem !== undefined) problems.push(countProblem);
  if (address === undefined || problems.length > 0) return { kind: "invalid", problems };
  const { warnings, origins: { token: tokenOrigin } } = loaded;
  return { kind: "run", command, values, operands, address, tokenOrigin, warnings };
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
    return `${given.startsWith("parley") ? USE_URL : USE_TOKEN}, after a command such as ping`;
  }
  const names = commands.map(({ name }) => name);
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
 * The address of the server; undefined if flags contradict each other. Flags win over variables. `PARLEY_URL` together
 * with `PARLEY_PORT` is no contradiction, because the latter may be meant for the server.
 */
function serverAddress(
  { values, origins }: Loaded<ReturnType<typeof clientProgram>["options"]>,
): ServerAddress | undefined {
  const byFlag = origins.host === "flag" || origins.port === "flag";
  if (values.url === undefined || (byFlag && origins.url !== "flag")) {
    return { hostname: values.host, port: values.port };
  }
  return byFlag ? undefined : { url: values.url };
}
