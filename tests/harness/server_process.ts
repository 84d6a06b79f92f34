/**
 * A server in a process of its own: its log, its memory and descriptors, and how it ends.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { within } from "./deadline.ts";
import { EXTERNAL_ADDRESS } from "./permissions.ts";
import { type Ended, Program, type ProgramOptions, SOURCE } from "./program.ts";
import { RecordedLog } from "./recorded_log.ts";

/** How long a server may take to start, in milliseconds. */
const START_MS = 20_000;

/** How long a server told to stop may take, in milliseconds: its drain time is 5 s. */
const STOP_MS = 15_000;

/** Reads a server's log line by line. */
export interface LogReader {
  readLine(line: string): void;
}

/** How to start a server. */
export interface ServerProcessOptions<L extends LogReader = RecordedLog>
  extends Omit<ProgramOptions, "onErrorLine"> {
  /** Its port; a free one if left out. */
  readonly listenPort?: number;
  /** Arguments after those for the port and the log's format. */
  readonly args?: readonly string[];
  /** Reads the log; a {@linkcode RecordedLog} if left out. */
  readonly log?: L;
}

/** How a server ended after SIGTERM. */
export interface Stopped {
  readonly code: number;
  /** From the signal to the end, in milliseconds. */
  readonly ms: number;
}

/** A server that listens on a free port of 127.0.0.1, unless its arguments say otherwise. Disposing of it kills it. */
export class ServerProcess<L extends LogReader = RecordedLog> implements AsyncDisposable {
  readonly hostname = "127.0.0.1";
  readonly port: number;
  readonly log: L;
  readonly program: Program;
  /** Its exit code once it has ended. */
  code: number | undefined;

  private constructor(program: Program, port: number, log: L) {
    this.program = program;
    this.port = port;
    this.log = log;
    program.status.then(({ code }) => this.code = code);
  }

  /** Starts a server, the one of this checkout if `program` is left out, and waits until it listens. */
  static async start<L extends LogReader = RecordedLog>(
    { args = [], listenPort = 0, log, ...options }: ServerProcessOptions<L> = {},
  ): Promise<ServerProcess<L>> {
    const reader = log ?? new RecordedLog() as unknown as L;
    const listening = Promise.withResolvers<number>();
    let lastLine = "";
    const program = new Program(["--port", `${listenPort}`, "--log-format", "json", ...args], {
      program: SOURCE.server,
      ...options,
      onErrorLine: (line) => {
        lastLine = line;
        reader.readLine(line);
        const port = /"message":"listening".*"port":(\d+)/.exec(line)?.[1];
        if (port !== undefined) listening.resolve(Number(port));
      },
    });
    program.status.then(async ({ code }) => {
      const said = (await program.stderr.all()).trim() || lastLine;
      listening.reject(new Error(`the server ended with ${code} at once: ${said}`));
    });
    listening.promise.catch(() => {}); // later its end is no failure
    try {
      return new ServerProcess(
        program,
        await within(listening.promise, "listening server", START_MS),
        reader,
      );
    } catch (error) {
      await program[Symbol.asyncDispose]();
      throw error;
    }
  }

  get pid(): number {
    return this.program.pid;
  }

  /** All it has written to stderr. */
  get stderr(): string {
    return this.program.stderr.text;
  }

  get status(): Promise<Deno.CommandStatus> {
    return this.program.status;
  }

  /** Sends it a signal. */
  kill(signal: Deno.Signal): void {
    this.program.kill(signal);
  }

  /** The join link on its stdout, with an address that reaches this machine from itself. */
  async link(): Promise<string> {
    const [link] = await this.program.stdout.until(/^parleys?:\S+(?=\n)/m);
    return EXTERNAL_ADDRESS === undefined ? link.replace(/(?<=:\/\/)[^:]+/, "127.0.0.1") : link;
  }

  /** How many descriptors it has open; 0 if it has ended. */
  descriptors(): number {
    try {
      return [...Deno.readDirSync(`/proc/${this.pid}/fd`)].length;
    } catch {
      return 0;
    }
  }

  /** The memory it uses, in bytes; 0 if it has ended. */
  residentBytes(): number {
    return this.#memory("VmRSS");
  }

  /** The most memory it has used, in bytes; 0 if it has ended. */
  peakBytes(): number {
    return this.#memory("VmHWM");
  }

  /** Sends SIGTERM and waits for the end. */
  async terminate(): Promise<Stopped> {
    const start = performance.now();
    if (this.code === undefined) this.kill("SIGTERM");
    const { code } = await this.program.ended(STOP_MS);
    return { code, ms: performance.now() - start };
  }

  /** Sends SIGTERM, waits for the end, and asserts that the exit code is 0. */
  async stop(): Promise<Ended> {
    await this.terminate();
    const ended = await this.program.ended();
    assertEquals(ended.code, 0, ended.stderr);
    return ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.program[Symbol.asyncDispose]();
  }

  #memory(field: string): number {
    try {
      const text = Deno.readTextFileSync(`/proc/${this.pid}/status`);
      return 1024 * Number(new RegExp(`${field}:\\s+(\\d+) kB`).exec(text)?.[1] ?? 0);
    } catch {
      return 0;
    }
  }
}
