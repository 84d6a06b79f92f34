/**
 * What a command of `parley` is, and what it gets to work with.
 *
 * @module
 */

import type { Logger } from "@logtape/logtape";
import type { Client, Message } from "../../client/api.ts";
import { replyError } from "../../client/error_reply.ts";
import type { ClientConfig, CommandOption } from "../../config/client_options.ts";
import { ParleyError } from "../../errors.ts";
import type { Output } from "../output.ts";

/** A command: what it is called, what it takes, and what it does. */
export interface Command {
  readonly name: string;
  /** The arguments that are no options, as help shows them. */
  readonly operands: { readonly show: string; readonly least: number; readonly most: number };
  /** What it does, in one line. */
  readonly summary: string;
  /** What else help should say. */
  readonly details: string;
  /** The options it takes beside those of every command. */
  readonly options: readonly CommandOption[];
  /** Whether Ctrl-C is its ordinary end, exit code 0. */
  readonly endsByInterrupt: boolean;
  /** Does it. What it opens on the way goes to `context.resources`; what it throws decides the exit code. */
  run(context: Context): Promise<void>;
}

/** What a command works with. */
export interface Context {
  readonly values: ClientConfig;
  readonly operands: readonly string[];
  /** `--timeout` in milliseconds. */
  readonly timeoutMs: number | undefined;
  readonly output: Output;
  readonly log: Logger;
  /** Closed in reverse order when the command ends, in whatever way. */
  readonly resources: AsyncDisposableStack;
  /** Connects as the options say. */
  readonly connect: (onError?: (error: ParleyError) => void) => Promise<Client>;
  /** Tells a person at a terminal what goes on; scripts are not bothered. */
  readonly tell: (line: string) => void;
  /** Tells what went wrong while the command goes on, in one line on stderr. */
  readonly printError: (text: string) => void;
}

/** Rejects with what ended the connection, if that was not us. For whoever waits for something else. */
export async function lost(client: Client): Promise<never> {
  const error = await client.closed;
  if (error !== undefined) throw error;
  return await new Promise<never>(() => {});
}

/**
 * Answers a request that reached somebody who only listens: the server asks subscribers in turn, and the one who asked
 * should not have to wait for nothing.
 */
export async function declineRequest(request: Message): Promise<void> {
  const text =
    `the request on ${request.channel} reached a subscriber that only listens; ask again, or end it first`;
  const error = new ParleyError("no_responders", text);
  await replyError(error, (payload, options) => request.reply(payload, options));
}
