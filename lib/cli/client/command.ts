/**
 * The interface of a command of `parley`, and the context it runs in.
 *
 * @module
 */

import type { Logger } from "@logtape/logtape";
import type { Client } from "../../client/api.ts";
import type { ClientConfig, CommandOption } from "../../config/client_options.ts";
import type { ParleyError } from "../../errors.ts";
import type { Output } from "../output.ts";

/** A command: its name, its arguments and what it does. */
export interface Command {
  readonly name: string;
  /** The arguments that are not options: as `--help` shows them, and how many there may be. */
  readonly operands: { readonly usage: string; readonly min: number; readonly max: number };
  /** Its description in one line. */
  readonly summary: string;
  /** More for `parley COMMAND --help`. */
  readonly details: string;
  /** The options it takes besides those of every command. */
  readonly options: readonly CommandOption[];
  /** Whether Ctrl-C is its normal end, with exit code 0. */
  readonly endsByInterrupt: boolean;
  /** Runs it. It adds what it opens to `context.resources`. The error it throws decides the exit code. */
  run(context: Context): Promise<void>;
}

/** The context of a running command. */
export interface Context {
  readonly values: ClientConfig;
  readonly operands: readonly string[];
  readonly output: Output;
  readonly log: Logger;
  /** Closed in reverse order when the command ends, fails or is interrupted. */
  readonly resources: AsyncDisposableStack;
  /** Connects to the server that the options name. */
  readonly connect: (onError?: (error: ParleyError) => void) => Promise<Client>;
  /** Prints a line to stderr. */
  readonly printLine: (line: string) => void;
  /** Prints progress to stderr, but only if stderr is a terminal. */
  readonly printStatus: (line: string) => void;
  /** Prints one line about an error that does not end the command to stderr. */
  readonly printError: (text: string) => void;
}

/** Rejects when the connection ends for a reason other than `client.close()`. Never resolves; race it. */
export async function connectionLost(client: Client): Promise<never> {
  const error = await client.closed;
  if (error !== undefined) throw error;
  return await new Promise<never>(() => {});
}
