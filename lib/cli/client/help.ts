/**
 * The `--help` of `parley` and of its commands.
 *
 * @module
 */

import { clientProgram } from "../../config/client_options.ts";
import { VERSION } from "../../version.ts";
import type { Command } from "./command.ts";
import { EXIT_HELP } from "../failures.ts";
import { formatHelp } from "../settings.ts";

/** The longest usage that the list of commands shows, in characters. */
const MAX_USAGE = 24;

/** What `parley --help` prints. */
export function programHelp(all: readonly Command[]): string {
  const commands = all.filter(({ isHidden }) => !isHidden);
  // A usage that does not fit is left to the help of its command.
  const usages = commands.map(({ name, operands: { usage } }) => {
    return `${name} ${usage.length > MAX_USAGE ? "..." : usage}`.trim();
  });
  const width = Math.max(...usages.map(({ length }) => length)) + 2;
  return [
    `parley ${VERSION}: the client of a Parley server`,
    "",
    "Usage: parley COMMAND [OPTIONS]",
    "",
    ...commands.map(({ summary }, at) => `  ${usages[at].padEnd(width)}${summary}`),
    "",
    `Without a command, parley runs ${commands[0].name}. parley COMMAND --help describes a command.`,
    "Each option can also be set by a variable such as PARLEY_URL:",
    "",
    formatHelp(clientProgram([])),
    "",
    EXIT_HELP,
  ].join("\n");
}

/** What `parley COMMAND --help` prints. */
export function commandHelp(
  { name, operands, summary, details, examples, options, isOffline, exits }: Command,
): string {
  const all = clientProgram(options, isOffline);
  const own: readonly string[] = options;
  const usage = ["parley", name, operands.usage, "[OPTIONS]"].filter((part) => part !== "").join(" ");
  return [
    `Usage: ${usage}`,
    "",
    `${summary[0].toUpperCase()}${summary.slice(1)}.`,
    details,
    "",
    "Examples:",
    ...examples.map((line) => `  ${line}`),
    "",
    ...(options.length === 0 ? [] : [formatHelp(only(all, (option) => own.includes(option))), ""]),
    formatHelp(only(all, (option) => !own.includes(option))),
    "",
    exits?.help ?? EXIT_HELP,
  ].join("\n");
}

/** `program` with those of its options that `isShown` accepts: the own ones of a command stand before the others. */
function only(
  program: ReturnType<typeof clientProgram>,
  isShown: (name: string) => boolean,
): ReturnType<typeof clientProgram> {
  const options = Object.entries(program.options).filter(([name]) => isShown(name));
  return { ...program, options: Object.fromEntries(options) as unknown as typeof program.options };
}
