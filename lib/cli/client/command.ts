/**
 * The interface of a command of `parley`, and the context it runs in.
 *
 * @module
 */

import type { Client } from "../../client/api.ts";
import type { Log } from "../../logging/log.ts";
import type { ClientEvent } from "../../client/events.ts";
import type { ConnectOptions } from "../../client/options.ts";
import type { CLIENT_OPTIONS, ClientConfig, CommandOption } from "../../config/client_options.ts";
import type { ParleyError } from "../../errors.ts";
import type { Host } from "../host.ts";
import type { Output } from "../output.ts";
import type { Contexts } from "./contexts.ts";
import type { SeenChannels } from "./seen_channels.ts";

/** A command: its name, its arguments and what it does. */
export interface Command {
  readonly name: string;
  /** The arguments that are not options: as `--help` shows them, and how many there may be. */
  readonly operands: {
    readonly usage: string;
    readonly min: number;
    readonly max: number;
    /** Which of them are names of channels; none by default. */
    readonly channels?: "first" | "all";
    /** What the first one may be, for completion. */
    readonly choices?: readonly string[];
  };
  /** Whether `--help` does not list it, because it is for programs. */
  readonly isHidden?: true;
  /** Its description in one line. */
  readonly summary: string;
  /** More for `parley COMMAND --help`. */
  readonly details: string;
  /** Command lines for `--help`. Tests run each of them. */
  readonly examples: readonly string[];
  /** The options it takes besides those of every command. */
  readonly options: readonly CommandOption[];
  /** Whether it never connects. It then takes none of the options that are about a server. */
  readonly isOffline?: boolean;
  /** Its exit codes, if they are not those of every command: what `--help` says of them, and that of wrong usage. */
  readonly exits?: { readonly help: string; readonly wrongUsage: number };
  /** Whether Ctrl-C is its normal end, with exit code 0. */
  readonly endsByInterrupt: boolean;
  /** Runs it. It adds what it opens to `context.resources`. The error it throws decides the exit code. */
  run(context: Context): Promise<void>;
}

/** The context of a running command. */
export interface Context {
  /** The command. */
  readonly command: Command;
  readonly values: ClientConfig;
  /** The origin of each value, as in `Loaded.origins`. */
  readonly origins: Readonly<Record<keyof typeof CLIENT_OPTIONS, string>>;
  readonly operands: readonly string[];
  /** The process: its standard streams and its environment. */
  readonly host: Host;
  readonly output: Output;
  readonly log: Log;
  /** Closed in reverse order when the command ends, fails or is interrupted. */
  readonly resources: AsyncDisposableStack;
  /** All commands. */
  readonly commands: readonly Command[];
  /** The servers that the user has saved. */
  readonly contexts: Contexts;
  /** The names of channels that the user has seen. Add those that a pattern has shown. */
  readonly channels: SeenChannels;
  /** The server that the options name, and how to connect to it. Reads what they only point to, such as the token. */
  readonly connectOptions: () => Promise<ConnectOptions>;
  /** Connects to that server. */
  readonly connect: (options?: CommandConnectOptions) => Promise<Client>;
  /** Prints a line to stderr. */
  readonly printLine: (line: string) => void;
  /** Prints progress to stderr, but only if stderr is a terminal. */
  readonly printStatus: (line: string) => void;
  /** Prints one line about an error that does not end the command to stderr. */
  readonly printError: (text: string) => void;
  /** Makes the command fail with `error` when it has ended by itself. The first error counts. */
  readonly fail: (error: Error) => void;
  /**
   * If stderr is a terminal, shows its lines, those of the log too, in another way; `undefined` ends that. Resolves once
   * stderr has the lines from before, so that none of them comes between what is drawn from then on.
   */
  readonly divertLines: (show: ((line: string) => void) | undefined) => Promise<void>;
}

/** How a command connects. */
export interface CommandConnectOptions {
  /**
   * Whether the command goes on after its connection broke, unless its user wants `--no-reconnect`; false by default.
   * Pass `values.reconnect`, and list `reconnect` among the command's options.
   */
  readonly reconnect?: boolean;
  /** See `ConnectOptions.onError`. */
  readonly onError?: (error: ParleyError) => void;
  /** Sees each change of the connection's state. */
  readonly onEvent?: (event: ClientEvent) => void;
  /** Shows one line about such a change; on stderr by default. The line is safe to show on a terminal. */
  readonly onNotice?: (text: string) => void;
}
