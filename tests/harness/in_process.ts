/**
 * `parley` in this process, with streams, environment and signals of its own: as {@linkcode Program}, at a hundredth of
 * the cost.
 *
 * @module
 */

import { main } from "../../lib/cli/client/main.ts";
import type { Host, HostLog, InterruptSource } from "../../lib/cli/host.ts";
import type { Log } from "../../lib/logging/log.ts";
import type { LoggingOptions } from "../../lib/logging/setup.ts";
import { within } from "./deadline.ts";
import { type Ended, Output } from "./program.ts";

/** How a command is started. */
export interface CommandOptions {
  /** Its environment, which has nothing of this process'. */
  readonly env?: Record<string, string>;
  /** All of its stdin; if left out, {@linkcode RunningCommand.type} writes it. */
  readonly stdin?: string | Uint8Array;
}

/** How long a command may take to end, in milliseconds. */
const END_MS = 20_000;

/** A running `parley`. Disposing of it interrupts it and waits for its end. */
export class RunningCommand implements AsyncDisposable {
  readonly stdout: Output;
  readonly stderr: Output;
  readonly #code: Promise<number>;
  readonly #interrupts = new FakeInterrupts();
  readonly #stdin = new TransformStream<Uint8Array, Uint8Array>(undefined, { highWaterMark: 100 });
  readonly #writer = this.#stdin.writable.getWriter();

  /** Starts `parley ARGS`. */
  constructor(args: readonly string[], { env = {}, stdin }: CommandOptions = {}) {
    const [stdout, stderr] = [outputPipe(), outputPipe()];
    this.stdout = new Output("stdout", stdout.readable, true);
    this.stderr = new Output("stderr", stderr.readable, true);
    const host: Host = {
      stdin: { readable: this.#stdin.readable, isTerminal: () => false },
      stdout,
      stderr,
      env: { ...env, NO_COLOR: "1" },
      listen: () => this.#interrupts,
      openLog: (options) => Promise.resolve(plainLog(options)),
    };
    this.#code = main(args, host).finally(() => Promise.all([stdout.close(), stderr.close()]));
    this.#writer.closed.catch(() => {});
    if (stdin !== undefined) this.type(stdin).then(() => this.endInput());
  }

  /** Writes to its stdin. */
  async type(text: string | Uint8Array): Promise<void> {
    const bytes = typeof text === "string" ? new TextEncoder().encode(text) : text;
    if (bytes.length > 0) await this.#writer.write(bytes).catch(() => {}); // it need not read
  }

  /** Ends its stdin. */
  async endInput(): Promise<void> {
    await this.#writer.close().catch(() => {});
  }

  /** As Ctrl-C. */
  interrupt(): void {
    this.#interrupts.send();
  }

  /** Resolves when it has ended and its output has been read. */
  async ended(): Promise<Ended> {
    const code = await within(this.#code, "end of the command", END_MS);
    return { code, stdout: await this.stdout.all(), stderr: await this.stderr.all() };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.interrupt();
    await this.#code;
    await Promise.all([this.stdout.all(), this.stderr.all()]);
    this.#writer.abort().catch(() => {});
  }
}

/** A log of JSON lines. The real one can be there once in a process. */
function plainLog({ level, write = () => {} }: LoggingOptions): HostLog {
  const log = (isShown: boolean, message: string, properties: Record<string, unknown> = {}) => {
    if (isShown) write(`${JSON.stringify({ message, ...properties })}\n`);
  };
  const logger: Log = {
    with: () => logger,
    debug: (...line) => log(level === "debug", ...line),
    info: (...line) => log(level === "debug" || level === "info", ...line),
    warn: (...line) => log(level !== "error", ...line),
    error: (...line) => log(true, ...line),
  };
  return { logger, [Symbol.asyncDispose]: () => Promise.resolve() };
}

/** A Ctrl-C that a test sends. */
class FakeInterrupts implements InterruptSource {
  readonly #sent = Promise.withResolvers<void>();
  readonly happened: Promise<void> = this.#sent.promise;
  exitCode: number | undefined;

  send(): void {
    this.exitCode = 130;
    this.#sent.resolve();
  }

  [Symbol.dispose](): void {}
}

/** A pipe that a command writes to. Once its reader has gone, writing fails as it does on a pipe of the system. */
function outputPipe() {
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>(undefined, {
    highWaterMark: 100,
  });
  const writer = writable.getWriter();
  writer.closed.catch(() => {});
  return {
    readable,
    isTerminal: () => false,
    write: async (bytes: Uint8Array) => {
      try {
        await writer.write(bytes.slice());
      } catch {
        throw new Deno.errors.BrokenPipe("the reader has gone");
      }
      return bytes.length;
    },
    close: () => writer.close().catch(() => {}),
  };
}

/** Runs `parley ARGS` to its end. */
export async function runParley(args: readonly string[], options: CommandOptions = {}): Promise<Ended> {
  await using command = new RunningCommand(args, { stdin: "", ...options });
  return await command.ended();
}
