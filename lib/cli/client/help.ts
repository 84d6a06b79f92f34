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

/** What `parley --help` prints. */
export function programHelp(commands: readonly Command[]): string {
  const usages = commands.map(({ name, operands }) => `${name} ${operands.usage}`.trim());
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
export function commandHelp({ name, operands, summary, details, options }: Command): string {
  const usage = ["parley", name, operands.usage, "[OPTIONS]"].filter((part) => part !== "").join(" ");
  return [
    `Usage: ${usage}`,
    "",
    `${summary[0].toUpperCase()}${summary.slice(1)}.`,
    details,
    "",
    formatHelp(clientProgram(options)),
    "",
    EXIT_HELP,
  ].join("\n");
}
