/**
 * A server in a process of its own, observed from outside: log, memory, descriptors and exit.
 *
 * @module
 */

import { within } from "../harness/deadline.ts";
import { ServerLog } from "./server_log.ts";

const ROOT = new URL("../../", import.meta.url).pathname;

/** How long a server may take to start. */
const START_MS = 20_000;
/** How long a server told to stop may take: its drain time is 5 s. */
const STOP_MS = 15_000;

/** Whether this process may start servers and read /proc, which only Linux has. Otherwise tests that need it are ignored. */
export const CAN_OBSERVE: boolean = Deno.build.os === "linux" &&
  (["run", "read", "env"] as const).every((name) => Deno.permissions.querySync({ name }).state === "granted");

/** How to start a server. */
export interface StartOptions {
  /** The program and its first arguments; the server of this checkout if left out. Not a shell: its pid is observed. */
  readonly command?: readonly string[];
  /** Arguments besides those for the port and the log. */
  readonly args?: readonly string[];
  readonly env?: Record<string, string>;
  /** Receives each line of stdout. */
  readonly onOutput?: (line: string) => void;
}

/** How a server ended. */
export interface Stopped {
  readonly code: number;
  /** From SIGTERM to exit, in milliseconds. */
  readonly ms: number;
}

/** A running server. Disposing kills it. */
export class ServerProcess implements AsyncDisposable {
  readonly hostname = "127.0.0.1";
  readonly port: number;
  readonly log: ServerLog;
  /** The exit code once it has exited. */
  code: number | undefined;
  readonly #child: Deno.ChildProcess;
  readonly #read: Promise<unknown>;

  private constructor(child: Deno.ChildProcess, port: number, log: ServerLog, read: Promise<unknown>) {
    this.#child = child;
    this.port = port;
    this.log = log;
    this.#read = read;
    child.status.then(({ code }) => this.code = code);
  }

  /** Starts a server on a free port of 127.0.0.1 and waits until it listens. */
  static async start(options: StartOptions = {}): Promise<ServerProcess> {
    const { args = [], env = {}, onOutput = () => {} } = options;
    const [program, ...first] = options.command ??
      [Deno.execPath(), "run", "--quiet", "-P=server", "server.ts"];
    const inherited = Object.entries(Deno.env.toObject()).filter(([name]) => !name.startsWith("PARLEY_"));
    const child = new Deno.Command(program, {
      args: [...first, "--host", "127.0.0.1", "--port", "0", "--log-format", "json", ...args],
      cwd: options.command === undefined ? ROOT : undefined,
      clearEnv: true,
      env: { ...Object.fromEntries(inherited), NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1", ...env },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const log = new ServerLog();
    const listening = Promise.withResolvers<number>();
    const reading = [
      // Read to the end: the server would block once the pipe of its log is full.
      eachLine(child.stderr, (connection) => {
        log.push(connection);
        const port = /"message":"listening".*"port":(\d+)/.exec(connection)?.[1];
        if (port !== undefined) listening.resolve(Number(port));
      }),
      eachLine(child.stdout, onOutput),
    ];
    child.status.then(async ({ code }) => {
      await Promise.all(reading);
      listening.reject(
        new Error(`the server ended with ${code} at once: ${log.problems.join("\n") || log.last}`),
      );
    });
    try {
      const port = await within(listening.promise, "server that listens", START_MS);
      return new ServerProcess(child, port, log, Promise.all(reading));
    } catch (error) {
      kill(child, "SIGKILL");
      await Promise.all([child.status, ...reading]);
      throw error;
    }
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** Resident memory in bytes; 0 after exit. */
  residentBytes(): number {
    return this.#status("VmRSS");
  }

  /** Peak resident memory in bytes. */
  peakBytes(): number {
    return this.#status("VmHWM");
  }

  /** Number of open descriptors; 0 after exit. */
  descriptors(): number {
    try {
      return [...Deno.readDirSync(`/proc/${this.pid}/fd`)].length;
    } catch {
      return 0;
    }
  }

  /** Sends SIGTERM and waits for the exit. */
  async stop(): Promise<Stopped> {
    const start = performance.now();
    kill(this.#child, "SIGTERM");
    const { code } = await within(this.#child.status, "end of the server after SIGTERM", STOP_MS);
    await this.#read;
    return { code, ms: performance.now() - start };
  }

  /** Sends SIGKILL. */
  kill(): void {
    kill(this.#child, "SIGKILL");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.kill();
    await this.#child.status;
    await this.#read;
  }

  #status(field: string): number {
    try {
      const text = Deno.readTextFileSync(`/proc/${this.pid}/status`);
      return 1024 * Number(new RegExp(`${field}:\\s+(\\d+) kB`).exec(text)?.[1] ?? 0);
    } catch {
      return 0;
    }
  }
}

function kill(child: Deno.ChildProcess, signal: Deno.Signal): void {
  try {
    child.kill(signal);
  } catch {
    // It has exited already.
  }
}

async function eachLine(stream: ReadableStream<Uint8Array>, take: (line: string) => void): Promise<void> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of stream) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop()!;
    for (const line of lines) take(line);
  }
  if (rest !== "") take(rest);
}
