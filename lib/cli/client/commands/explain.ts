/**
 * `parley explain`: what an error code means and what to do about it, without a server.
 *
 * @module
 */

import { closestString, levenshteinDistance } from "@std/text";
import { type ErrorCode, FATAL, isErrorCode, type LocalCode, ParleyError } from "../../../errors.ts";
import { EXIT_MEANINGS, exitCodeOf } from "../../failures.ts";
import { visibleJson, wrapBehind } from "../../terminal.ts";
import type { Command, Context } from "../command.ts";
import { EXPLANATIONS } from "../explanations.ts";

const CODES = Object.keys(EXPLANATIONS) as (ErrorCode | LocalCode)[];

/** The width of the explanation, in characters. */
const WIDTH = 80;

/** The command. */
export const EXPLAIN: Command = {
  name: "explain",
  operands: { usage: "[CODE]", min: 0, max: 1, choices: CODES },
  summary: "explain an error code: its meaning, its causes, what to do",
  details:
    "CODE may also be an exit code. Without CODE it lists all codes.\nparley doctor and --log-level debug show the code of an error.",
  examples: ["parley explain unauthorized", "parley explain 3", "parley explain --json"],
  options: ["json"],
  endsByInterrupt: false,
  isOffline: true,
  run: explain,
};

async function explain({ values, operands: [given], output }: Context): Promise<void> {
  if (given === undefined) {
    const width = Math.max(...CODES.map(({ length }) => length)) + 2;
    const format = (code: ErrorCode | LocalCode) =>
      values.json
        ? visibleJson(describe(code))
        : wrapBehind(code.padEnd(width), EXPLANATIONS[code].meaning, WIDTH);
    for (const code of CODES) await output.line(format(code));
    return;
  }
  if (Object.hasOwn(EXIT_MEANINGS, given)) {
    return void await output.line(formatExit(Number(given), values.json));
  }
  const code = CODES.find((code) => code === given.toLowerCase().replaceAll("-", "_"));
  if (code === undefined) throw new ParleyError("bad_argument", describeUnknown(given));
  await output.line(values.json ? visibleJson(describe(code)) : format(code));
}

function describe(code: ErrorCode | LocalCode): Record<string, unknown> {
  const { meaning, cause, action } = EXPLANATIONS[code];
  return {
    code,
    from: isErrorCode(code) ? "server" : "client",
    exitCode: exitCode(code),
    meaning,
    cause,
    action,
  };
}

function format(code: ErrorCode | LocalCode): string {
  const { meaning, cause, action } = EXPLANATIONS[code];
  const origin = isErrorCode(code)
    ? `the server sends it; the connection ${FATAL[code] ? "ends" : "goes on"}`
    : "arises at the client";
  return [
    `${code}: ${origin}; exit code ${exitCode(code)}`,
    "",
    wrapBehind("meaning  ", meaning, WIDTH),
    wrapBehind("cause    ", cause, WIDTH),
    wrapBehind("do       ", action, WIDTH),
  ].join("\n");
}

/** Explains an exit code by the error codes that lead to it. */
function formatExit(exit: number, isJson: boolean): string {
  const codes = CODES.filter((code) => exitCode(code) === exit);
  if (isJson) return visibleJson({ exitCode: exit, meaning: EXIT_MEANINGS[exit], codes });
  const list = codes.length === 0 ? [] : ["", wrapBehind("codes    ", codes.join(", "), WIDTH)];
  return [`exit code ${exit}: ${EXIT_MEANINGS[exit]}`, ...list].join("\n");
}

/** The exit code of a command that ends with `code` once it was connected. */
function exitCode(code: ErrorCode | LocalCode): number {
  return exitCodeOf(new ParleyError(code, ""), true);
}

function describeUnknown(given: string): string {
  const guess = closestString(given.toLowerCase(), CODES);
  const isNear = levenshteinDistance(given.toLowerCase(), guess) <= Math.min(3, guess.length - 2);
  const hint = isNear ? `did you mean ${guess}?` : "parley explain lists them.";
  const own = "The codes of an application are explained by its responders";
  return `${JSON.stringify(given.slice(0, 64))} is not an error code of Parley; ${hint} ${own}`;
}
