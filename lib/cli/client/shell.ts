/**
 * Runs a shell command for each message or request. No command outlives its time, or this program.
 *
 * @module
 */

import { concat } from "@std/bytes";
import { CLIENT_OPTIONS } from "../../config/client_options.ts";
import { formatMilliseconds, formatName, type Options } from "../../config/option.ts";
import type { Message } from "../../client/message_types.ts";
import { CommandError } from "../failures.ts";
import { visibleJson } from "../terminal.ts";

/** A command failed. The requester does not get the reason, because it may be private. */
export class CommandFailed extends CommandError {
  /** The exit code of the command; undefined if it was ended, or could not be started. */
  readonly status: number | undefined;

  constructor(message: string, status?: number) {
    super(message);
    this.status = status;
  }
}

/** How long running commands may go on when `parley` ends, in milliseconds: less than it waits for them. */
const FINISH_MS = 3_000;

/** How long a command that was told to end may take, in milliseconds. Then it is killed. */
const KILL_MS = 1_000;

/** A command, and those of its runs that have not ended. Disposing of it kills them, and waits for their end. */
export class Shell implements AsyncDisposable {
  readonly #command: string;
  readonly #timeoutMs: number;
  readonly #maxBytes: number;
  readonly #env: Readonly<Record<string, string>>;
  readonly #runs = new Set<Run>();
  #stopTimer: ReturnType<typeof setTimeout> | undefined;
  readonly #kill = () => this.#end("SIGKILL");

  /**
   * @param env the environment of this program; a run does not get its secrets
   * @param timeoutMs how long a run may take, in milliseconds
   * @param maxBytes the most that a run may write to its stdout, if that becomes a reply
   */
  constructor(
    command: string,
    env: Readonly<Record<string, string>>,
    timeoutMs: number,
    maxBytes = Infinity,
  ) {
    this.#command = command;
    this.#env = withoutSecrets(env);
    this.#timeoutMs = timeoutMs;
    this.#maxBytes = maxBytes;
    addEventListener("unload", this.#kill); // also if a second signal ends this program at once
  }

  /**
   * Runs the command with the payload of `message` as its stdin; resolves to its stdout. Its stderr goes to ours.
   *
   * @throws {CommandFailed} if it fails, does not end in time or writes too much
   */
  async run(message: Message): Promise<Uint8Array> {
    const chunks: Uint8Array[] = [];
    let length = 0;
    await this.#run(message, (chunk) => {
      chunks.push(chunk);
      length += chunk.length;
      if (length > this.#maxBytes) {
        throw new CommandFailed(`wrote more than the ${this.#maxBytes} bytes that this server accepts`);
      }
    });
    return concat(chunks);
  }

  /**
   * As {@linkcode run}, but what it writes to stdout goes to `write`, which may return a promise to be waited for.
   *
   * @throws {CommandFailed} if it fails or does not end in time; what `write` throws
   */
  feed(message: Message, write: (chunk: Uint8Array) => Promise<void> | undefined): Promise<void> {
    return this.#run(message, write);
  }

  async #run(
    message: Message,
    write: (chunk: Uint8Array) => Promise<void> | undefined | void,
  ): Promise<void> {
    const run = this.#start(message);
    this.#runs.add(run);
    const timer = setTimeout(
      () => run.stop(`did not end within ${formatMilliseconds(this.#timeoutMs)}`),
      this.#timeoutMs,
    );
    try {
      await run.finish(message.payload, write);
    } finally {
      clearTimeout(timer);
      run.ended.then(() => this.#runs.delete(run));
    }
  }

  /** Starts a run. It may be impossible because of the message: its headers may be longer than a variable can be. */
  #start(message: Message): Run {
    try {
      return new Run(this.#command, { ...this.#env, ...describe(message) });
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw new CommandFailed(`${this.#command} could not be started: ${reason}`);
    }
  }

  /** Tells the runs to end. */
  stop(): void {
    for (const run of this.#runs) run.stop("was ended, because parley ends");
  }

  /** Tells the runs to end after {@linkcode FINISH_MS}, if they are still going on. */
  stopSoon(): void {
    this.#stopTimer = setTimeout(() => this.stop(), FINISH_MS);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearTimeout(this.#stopTimer);
    removeEventListener("unload", this.#kill);
    this.#kill();
    await Promise.all([...this.#runs].map((run) => run.ended));
  }

  #end(signal: Deno.Signal): void {
    for (const run of this.#runs) run.kill(signal);
  }
}

/** One run of a command. */
class Run {
  readonly #command: string;
  readonly #child: Deno.ChildProcess;
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #stopped = Promise.withResolvers<never>();
  #isStopped = false;
  #hasEnded = false;
  /** Resolves when the shell has ended. */
  readonly ended: Promise<Deno.CommandStatus>;

  constructor(command: string, env: Record<string, string>) {
    this.#command = command;
    const [shell, flag] = isWindows ? ["cmd", "/c"] : ["sh", "-c"];
    this.#child = new Deno.Command(shell, {
      args: [flag, command],
      clearEnv: true,
      env,
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
      detached: !isWindows, // in a process group of its own, so that what the shell has started can be ended with it
    }).spawn();
    this.#reader = this.#child.stdout.getReader();
    this.#writer = this.#child.stdin.getWriter();
    this.#stopped.promise.catch(() => {});
    this.ended = this.#child.status;
    this.ended.then(() => this.#hasEnded = true);
  }

  /** Writes `input` to its stdin, and what comes from its stdout to `write`; resolves when it has ended well. */
  async finish(
    input: Uint8Array,
    write: (chunk: Uint8Array) => Promise<void> | undefined | void,
  ): Promise<void> {
    // A command need not read all of its stdin: `date` reads none.
    const written = this.#writer.write(input).then(() => this.#writer.close()).catch(() => {});
    const [{ success, code, signal }] = await Promise.race([
      Promise.all([this.ended, this.#read(write), written]),
      this.#stopped.promise,
    ]);
    if (!success) {
      if (signal !== null) throw this.#failure(`was ended by ${signal}`);
      throw new CommandFailed(`${this.#command} ended with exit code ${code}`, code);
    }
  }

  /** Tells it to end, and kills it if it does not. `finish` fails at once, with the reason. */
  stop(reason: string, failure: unknown = this.#failure(reason)): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.#stopped.reject(failure);
    this.kill("SIGTERM");
    const timer = setTimeout(() => this.kill("SIGKILL"), KILL_MS);
    this.ended.then(() => {
      clearTimeout(timer);
      this.kill("SIGKILL"); // what the shell has started may have outlived it
    });
    // What has left the process group may still hold these.
    this.#reader.cancel().catch(() => {});
    this.#writer.abort().catch(() => {});
  }

  /** Sends a signal to the shell and to everything it has started that is still in its process group. */
  kill(signal: Deno.Signal): void {
    try {
      if (!isWindows) Deno.kill(-this.#child.pid, signal);
      else if (!this.#hasEnded) this.#child.kill(signal);
    } catch {
      // All of it has ended.
    }
  }

  /** If `write` throws, the command is of no use any more. */
  async #read(write: (chunk: Uint8Array) => Promise<void> | undefined | void): Promise<void> {
    for (let { value } = await this.#reader.read(); value; { value } = await this.#reader.read()) {
      try {
        await write(value);
      } catch (error) {
        const failure = error instanceof CommandFailed ? this.#failure(error.message) : error;
        this.stop("could not write", failure);
        throw failure;
      }
    }
  }

  #failure(reason: string): CommandFailed {
    return new CommandFailed(`${this.#command} ${reason}`);
  }
}

const isWindows = Deno.build.os === "windows";

/** The environment without Parley's secrets: what a message makes the command do must not reveal them. */
function withoutSecrets(env: Readonly<Record<string, string>>): Record<string, string> {
  const options: Options = CLIENT_OPTIONS;
  const secrets = Object.keys(options).filter((name) => options[name].secret).map(formatName.variable);
  return Object.fromEntries(Object.entries(env).filter(([name]) => !secrets.includes(name)));
}

/** The variables that tell a command about its message. */
function describe(message: Message): Record<string, string> {
  const { channel, sender, kind, headers, sequence, deliveries } = message;
  return {
    PARLEY_CHANNEL: channel,
    PARLEY_SENDER: String(sender),
    PARLEY_KIND: kind,
    PARLEY_HEADERS: visibleJson(headers),
    ...sequence > 0 ? { PARLEY_SEQUENCE: String(sequence), PARLEY_DELIVERIES: String(deliveries) } : {},
  };
}
