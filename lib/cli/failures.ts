/**
 * Describes a failed command in one line, and chooses its exit code.
 *
 * @module
 */

import { ApplicationError, type ErrorCode, type LocalCode, ParleyError } from "../errors.ts";
import { visible } from "./terminal.ts";

/** The exit codes. Scripts depend on them. */
export const Exit = {
  DONE: 0,
  FAILED: 1,
  WRONG_USAGE: 2,
  NOT_REACHABLE: 3,
  REFUSED: 4,
  NO_ANSWER: 5,
} as const;

/** A command failed for a reason that its message says. */
export class CommandError extends Error {
  readonly exitCode: number;

  /** An empty `message` says that the output of the command tells the reason already. */
  constructor(message: string, exitCode: number = Exit.FAILED) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** What each exit code means. */
export const EXIT_MEANINGS: readonly string[] = [
  "done",
  "failed",
  "wrong usage",
  "server not reachable (or lost)",
  "refused (token or permission)",
  "no reply in time or no responder",
];

const EXITS = EXIT_MEANINGS.map((meaning, code) => `${code} ${meaning}`);

/** The exit codes as `--help` explains them. */
export const EXIT_HELP: string = `Exit codes: ${EXITS.slice(0, 4).join(", ")},\n            ${
  EXITS.slice(4).join(", ")
}`;

/** The exit code of each error code. Any other error code is a plain failure. */
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
  timed_out: Exit.NO_ANSWER,
  responder_failed: Exit.NO_ANSWER,
  interrupted: Exit.NOT_REACHABLE,
};

/** What to try with this program. The server's message says only what happened. */
const ADVICE: Partial<Record<ErrorCode | LocalCode, string>> = {
  unauthorized: "give a valid token with --token or PARLEY_TOKEN",
  forbidden: "use a token that permits it",
  server_full: "try again later",
  disconnected: "connect again",
  shutting_down: "connect again once it is back",
  no_responders: "start one with parley respond CHANNEL --exec COMMAND",
  responder_gone: "try again",
  no_reply: "check the responder",
};

/**
 * The exit code for `error`. Before WELCOME, an error means that the server is not reachable, unless it refused the
 * client or the usage was wrong.
 */
export function exitCodeOf(error: unknown, isConnected: boolean): number {
  if (error instanceof ApplicationError) return Exit.NO_ANSWER;
  if (error instanceof CommandError) return error.exitCode;
  if (!(error instanceof ParleyError)) return Exit.FAILED;
  const code = CODES[error.code];
  if (isConnected || code === Exit.REFUSED || code === Exit.WRONG_USAGE) return code ?? Exit.FAILED;
  // The server was reached, but speaks another version of the protocol.
  return error.code === "unsupported_protocol" ? Exit.FAILED : Exit.NOT_REACHABLE;
}

/** Describes `error` and what to try, in one line that is safe to show on a terminal. */
export function describeFailure(error: unknown): string {
  if (error instanceof ApplicationError) {
    return visible(`the responder failed with ${error.code}: ${error.message}`);
  }
  if (error instanceof CommandError) return visible(error.message);
  if (!(error instanceof ParleyError)) {
    const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    return visible(
      `${text}; this error is unexpected, please report it with the output of --log-level debug`,
    );
  }
  const advice = ADVICE[error.code];
  const isComplete = advice === undefined || error.message.includes("; ");
  return visible(isComplete ? error.message : `${error.message}; ${advice}`);
}
