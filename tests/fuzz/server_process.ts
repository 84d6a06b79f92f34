/**
 * A server as a process of its own, looked at from outside: its log, memory and descriptors, and how it ends.
 *
 * @module
 */

import { within } from "../raw_client.ts";
import { ServerLog } from "./server_log.ts";

const ROOT = new URL("../../", import.meta.url).pathname;

/** How long a server may take to start. */
const START_MS = 20_000;
/** How long a server told to stop may take: its drain time is 5 s. */
const STOP_MS = 15_000;

/** Whether servers may be started and looked at; /proc is as Linux has it. Elsewhere, tests that need it are ignored. */
export const MAY_WATCH: boolean = Deno.build.os === "linux" &&
  (["run", "read", "env"] as const).every((name) => Deno.permissions.querySync({ name }).state === "granted");

/** How to start a server. */
export interface StartOptions {
  /** The program and its first arguments; the server of this checkout if left out. Not a shell: its pid is looked at. */
  readonly command?: readonly string[];
  /** Arguments beside those for the port and the log. */
  readonly args?: readonly string[];
  readonly env?: Record<string, string>;
  /** Gets each line of its stdout. */
  readonly onOutput?: (line: string) => void;
}

/** How a server ended. */
export interface Stopped {
  readonly code: number;
  /** From SIGTERM to its end, in milliseconds. */
  readonly ms: number;
}

/** A running server. Disposing of it kills it. */
export class ServerProcess implements AsyncDisposable {
  readonly hostname = "127.0.0.1";
  readonly port: number;
  readonly log: ServerLog;
  /** Its exit code once it has ended. */
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
      // Always to the end: a server whose log nobody reads stands still once the pipe is full.
      eachLine(child.stderr, (line) => {
        log.push(line);
        const port = /"message":"listening".*"port":(\d+)/.exec(line)?.[1];
        if (port !== undefined) listening.resolve(Number(port));
      }),
      eachLine(child.stdout, onOutput),
    ];
    child.status.then(async ({ code }) => {
      await Promise.all(reading);
      listening.reject(
        new Error(`the server ended with ${code} at once: ${log.complaints.join("\n") || log.last}`),
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

  /** Memory in use, in bytes; 0 where it has ended. */
  residentBytes(): number {
    return this.#status("VmRSS");
  }

  /** The most memory it ever used, in bytes. */
  peakBytes(): number {
    return this.#status("VmHWM");
  }

  /** How many descriptors it has open; 0 where it has ended. */
  descriptors(): number {
    try {
      return [...Deno.readDirSync(`/proc/${this.pid}/fd`)].length;
    } catch {
      return 0;
    }
  }

  /** Sends it SIGTERM and waits for its end. */
  async stop(): Promise<Stopped> {
    const start = performance.now();
    kill(this.#child, "SIGTERM");
    const { code } = await within(this.#child.status, "end of the server after SIGTERM", STOP_MS);
    await this.#read;
    return { code, ms: performance.now() - start };
  }

  /** Ends it at once. */
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
    // It has ended already.
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
