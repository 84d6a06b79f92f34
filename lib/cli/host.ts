/**
 * What a program is given by the process it runs in: standard streams, environment, signals. A test gives others.
 *
 * @module
 */

import type { Log } from "../logging/log.ts";
import { type LoggingOptions, setUpLogging } from "../logging/setup.ts";
import { Interrupts } from "./interrupts.ts";
import type { ByteWriter } from "./output.ts";

/** A standard stream that bytes are written to. */
export interface OutputStream extends ByteWriter {
  /** Whether a terminal shows it. */
  isTerminal(): boolean;
}

/** The signals that ask a program to end. */
export interface InterruptSource extends Disposable {
  /** Resolves with the first signal. */
  readonly happened: Promise<void>;
  /** The exit code that shells expect after it; undefined before. */
  readonly exitCode: number | undefined;
}

/** The log of a program. Disposal writes what is pending. */
export interface HostLog extends AsyncDisposable {
  /** Logs. */
  readonly logger: Log;
}

/** The process a program runs in. */
export interface Host {
  readonly stdin: { readonly readable: ReadableStream<Uint8Array>; isTerminal(): boolean };
  readonly stdout: OutputStream;
  readonly stderr: OutputStream;
  /** The environment variables. */
  readonly env: Readonly<Record<string, string>>;
  /** Starts listening to signals. */
  listen(): InterruptSource;
  /** Starts logging. A process can have one log at a time. */
  openLog(options: LoggingOptions): Promise<HostLog>;
}

/** The process itself. */
export function processHost(): Host {
  return {
    stdin: Deno.stdin,
    stdout: Deno.stdout,
    stderr: Deno.stderr,
    env: Deno.env.toObject(),
    listen: () => new Interrupts(),
    openLog: setUpLogging,
  };
}
