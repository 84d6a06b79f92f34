/**
 * What a failed command says, in one line, and the exit code it ends with.
 *
 * @module
 */

import { type ErrorCode, type LocalCode, ParleyError } from "../errors.ts";
import { visible } from "./terminal.ts";

/** The exit codes of `parley`; scripts depend on them. */
export const Exit = {
  DONE: 0,
  FAILED: 1,
  WRONG_USAGE: 2,
  NOT_REACHABLE: 3,
  REFUSED: 4,
  NO_ANSWER: 5,
} as const;

/** How help explains the exit codes. */
export const EXIT_HELP = `Exit codes: 0 done, 1 failed, 2 wrong usage, 3 server not reachable (or lost),
            4 refused (token or permission), 5 no answer in time or nobody to answer`;

/** Codes that mean the same whenever they come; any other is a plain failure. */
const CODES: Partial<Record<ErrorCode | LocalCode, number>> = {
  bad_argument: Exit.WRONG_USAGE,
  bad_channel: Exit.WRONG_USAGE,
  unreachable: Exit.NOT_REACHABLE,
  untrusted: Exit.NOT_REACHABLE,
  not_parley: Exit.NOT_REACHABLE,
  disconnected: Exit.NOT_REACHABLE,
  shutting_down: Exit.NOT_REACHABLE,
  server_full: Exit.NOT_REACHABLE,
  unauthorized: Exit.REFUSED,
  forbidden: Exit.REFUSED,
  no_responders: Exit.NO_ANSWER,
  responder_gone: Exit.NO_ANSWER,
  no_reply: Exit.NO_ANSWER,
  timeout: Exit.NO_ANSWER,
};

/** Where the server's own words tell what happened, but not what to try with this program. */
const ADVICE: Partial<Record<ErrorCode | LocalCode, string>> = {
  unauthorized: "give a valid token with --token or PARLEY_TOKEN",
  forbidden: "use a token that permits it",
  server_full: "try again later",
  shutting_down: "connect again once it is back",
  no_responders: "start one with parley respond CHANNEL --exec COMMAND",
  responder_gone: "ask again",
  no_reply: "look at what responds there, or wait longer with --timeout",
};

/** The exit code for `error`. What goes wrong before the greeting is about the server, unless it refused. */
export function exitCodeOf(error: unknown, isConnected: boolean): number {
  if (!(error instanceof ParleyError)) return Exit.FAILED;
  const code = CODES[error.code];
  if (isConnected || code === Exit.REFUSED || code === Exit.WRONG_USAGE) return code ?? Exit.FAILED;
  // A server that greets in another version of the protocol is reached, but of no use.
  return error.code === "unsupported_protocol" ? Exit.FAILED : Exit.NOT_REACHABLE;
}

/** What happened and what to try, in one line that is safe to show. */
export function describeFailure(error: unknown): string {
  if (!(error instanceof ParleyError)) {
    const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    return visible(`${text}; if that is no help, please report it with the output of --log-level debug`);
  }
  const advice = ADVICE[error.code];
  const isAdvised = advice === undefined || error.message.includes("; ");
  return visible(isAdvised ? error.message : `${error.message}; ${advice}`);
}
