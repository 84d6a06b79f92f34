/**
 * Runs a shell command for each message or request. No command outlives its time, or this program.
 *
 * @module
 */

import { CLIENT_OPTIONS } from "../../config/client_options.ts";
import { formatMilliseconds, formatName, type Options } from "../../config/option.ts";
import type { Message } from "../../client/message_types.ts";
import { CommandError } from "../failures.ts";
import { visibleJson } from "../terminal.ts";

/** A command failed. The requester does not get the reason, because it may be private. */
export class CommandFailed extends CommandError {}

/** The command could not write to stdout, because the reader has closed it. */
export class CommandOutputClosed extends Error {}

/** How long running commands may go on when `parley` ends, in milliseconds: less than it waits for them. */
export const FINISH_MS = 3_000;

/** How long a command that was told to end may take, in milliseconds. Then it is killed. */
const KILL_MS = 1_000;

/** A command, and those of its runs that have not ended. Disposing of it kills them. */
export class Shell implements Disposable {
  readonly #command: string;
  readonly #timeoutMs: number;
  readonly #maxBytes: number;
  readonly #env: Readonly<Record<string, string>>;
  readonly #runs = new Set<Run>();
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
  run(message: Message): Promise<Uint8Array> {
    return this.#run(message, "piped");
  }

  /**
   * As {@linkcode run}, but its stdout goes to ours.
   *
   * @throws {CommandFailed} if it fails or does not end in time
   * @throws {CommandOutputClosed} if nothing reads our stdout any more
   */
  async feed(message: Message): Promise<void> {
    await this.#run(message, "inherit");
  }

  async #run(message: Message, stdout: "piped" | "inherit"): Promise<Uint8Array> {
    const run = new Run(this.#command, { ...this.#env, ...describe(message) }, stdout);
    this.#runs.add(run);
    const timer = setTimeout(
      () => run.stop(`did not end within ${formatMilliseconds(this.#timeoutMs)}`),
      this.#timeoutMs,
    );
    try {
      return await run.output(message.payload, this.#maxBytes);
    } finally {
      clearTimeout(timer);
      run.ended.then(() => this.#runs.delete(run));
    }
  }

  /** Tells the runs to end. */
  stop(): void {
    for (const run of this.#runs) run.stop("was ended, because parley ends");
  }

  [Symbol.dispose](): void {
    removeEventListener("unload", this.#kill);
    this.#kill();
  }

  #end(signal: Deno.Signal): void {
    for (const run of this.#runs) run.kill(signal);
  }
}

/** One run of a command. */
class Run {
  readonly #command: string;
  readonly #child: Deno.ChildProcess;
  readonly #reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #stopped = Promise.withResolvers<never>();
  #isStopped = false;
  #hasEnded = false;
  /** Resolves when the shell has ended. */
  readonly ended: Promise<Deno.CommandStatus>;

  constructor(command: string, env: Record<string, string>, stdout: "piped" | "inherit") {
    this.#command = command;
    const [shell, flag] = isWindows ? ["cmd", "/c"] : ["sh", "-c"];
    this.#child = new Deno.Command(shell, {
      args: [flag, command],
      clearEnv: true,
      env,
      stdin: "piped",
      stdout,
      stderr: "inherit",
      detached: !isWindows, // in a process group of its own, so that what the shell has started can be ended with it
    }).spawn();
    this.#reader = stdout === "piped" ? this.#child.stdout.getReader() : undefined;
    this.#writer = this.#child.stdin.getWriter();
    this.#stopped.promise.catch(() => {});
    this.ended = this.#child.status;
    this.ended.then(() => this.#hasEnded = true);
  }

  /** Writes `input` to its stdin; resolves to what it writes to stdout. */
  async output(input: Uint8Array, maxBytes: number): Promise<Uint8Array> {
    // A command need not read all of its stdin: `date` reads none.
    const written = this.#writer.write(input).then(() => this.#writer.close()).catch(() => {});
    const [stdout, { success, code, signal }] = await Promise.race([
      Promise.all([this.#readAll(maxBytes), this.ended, written]),
      this.#stopped.promise,
    ]);
    if (success) return stdout;
    // A shell reports the signal that has ended its command as 128 and the number of the signal.
    if (this.#reader === undefined && (signal === "SIGPIPE" || code === 128 + 13)) {
      throw new CommandOutputClosed();
    }
    throw this.#failure(signal === null ? `ended with exit code ${code}` : `was ended by ${signal}`);
  }

  /** Tells it to end, and kills it if it does not. Its output fails at once, with the reason. */
  stop(reason: string): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.#stopped.reject(this.#failure(reason));
    this.kill("SIGTERM");
    const timer = setTimeout(() => this.kill("SIGKILL"), KILL_MS);
    this.ended.then(() => {
      clearTimeout(timer);
      this.kill("SIGKILL"); // what the shell has started may have outlived it
    });
    // What has left the process group may still hold these.
    this.#reader?.cancel().catch(() => {});
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

  async #readAll(maxBytes: number): Promise<Uint8Array> {
    const reader = this.#reader;
    const chunks: Uint8Array[] = [];
    let length = 0;
    if (reader === undefined) return new Uint8Array();
    for (let { value } = await reader.read(); value; { value } = await reader.read()) {
      chunks.push(value);
      length += value.length;
      if (length > maxBytes) {
        const reason = `wrote more than the ${maxBytes} bytes that this server accepts`;
        this.stop(reason);
        throw this.#failure(reason);
      }
    }
    return new Uint8Array(await new Blob(chunks as BlobPart[]).arrayBuffer());
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
function describe({ channel, sender, kind, headers }: Message): Record<string, string> {
  return {
    PARLEY_CHANNEL: channel,
    PARLEY_SENDER: String(sender),
    PARLEY_KIND: kind,
    PARLEY_HEADERS: visibleJson(headers),
  };
}
