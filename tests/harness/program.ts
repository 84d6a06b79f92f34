/**
 * A program in a process of its own: Parley's client, its server, or any other. Its output can be awaited.
 *
 * @module
 */

import { assertEquals, assertMatch } from "@std/assert";
import { within } from "./deadline.ts";
import { isGranted, MAY_RUN } from "./permissions.ts";

/** The checkout. */
export const ROOT: string = new URL("../../", import.meta.url).pathname;

/** How long a program may take to write what a test waits for, or to end, in milliseconds. */
const PROGRAM_MS = 20_000;

/** Parley's two programs: the first arguments of a command that starts each. */
export interface Programs {
  readonly name: string;
  readonly server: readonly string[];
  readonly client: readonly string[];
}

function fromSource(program: "server" | "client"): string[] {
  const config = ["--config", `${ROOT}deno.json`, `-P=${program}`];
  return [Deno.execPath(), "run", "--quiet", ...config, `${ROOT}${program}.ts`];
}

/** The programs of this checkout. */
export const SOURCE: Programs = {
  name: "source",
  server: fromSource("server"),
  client: fromSource("client"),
};

/** The executables that `deno task compile` made; `undefined` if there are none. */
export const COMPILED: Programs | undefined = MAY_RUN && hasExecutables()
  ? { name: "compiled", server: [`${ROOT}dist/parley-server`], client: [`${ROOT}dist/parley`] }
  : undefined;

/** With PARLEY_COMPILED=required, tests of the executables fail if these are missing; otherwise they are ignored. */
function hasExecutables(): boolean {
  if (isGranted("env") && Deno.env.get("PARLEY_COMPILED") === "required") return true;
  return isFile(`${ROOT}dist/parley-server`) && isFile(`${ROOT}dist/parley`);
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

/** What no program under test may take from the machine: colours, and this user's contexts. */
const NEUTRAL = { NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1", XDG_STATE_HOME: "/nonexistent" };

/** How to start a program. */
export interface ProgramOptions {
  /** The program and its first arguments; the client of this checkout if left out. */
  readonly program?: readonly string[];
  /** Set beside this process' environment, from which PARLEY_* is removed. */
  readonly env?: Record<string, string>;
  /** Where it runs; the checkout if left out. */
  readonly cwd?: string;
  /** How many descriptors it may have open; as many as this process if left out. */
  readonly descriptors?: number;
  /** Receives each line of stderr. */
  readonly onErrorLine?: (line: string) => void;
  /** Receives each line of stdout. */
  readonly onOutputLine?: (line: string) => void;
  /** Default true. With `false`, `stdout` and `stderr` stay empty: for programs that write without end. */
  readonly keepsOutput?: boolean;
}

/** How a program ended, and all it wrote. */
export interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `parley ARGS` with `stdin` to its end. */
export async function parley(
  args: readonly string[],
  { stdin = "", ...options }: ProgramOptions & { stdin?: string | Uint8Array } = {},
): Promise<Ended> {
  await using program = new Program(args, options);
  await program.type(stdin);
  await program.endInput();
  return await program.ended();
}

/** A running program. Disposing of it kills it. */
export class Program implements AsyncDisposable {
  readonly stdout: Output;
  readonly stderr: Output;
  readonly status: Promise<Deno.CommandStatus>;
  readonly #child: Deno.ChildProcess;
  readonly #stdin: WritableStreamDefaultWriter<Uint8Array>;

  /** Starts `parley ARGS`, or another program. */
  constructor(args: readonly string[], options: ProgramOptions = {}) {
    const { program = SOURCE.client, env = {}, cwd = ROOT, descriptors } = options;
    const inherited = Object.entries(Deno.env.toObject()).filter(([name]) => !name.startsWith("PARLEY_"));
    const limited = descriptors === undefined
      ? program
      : ["sh", "-c", `ulimit -n ${descriptors}; exec "$0" "$@"`, ...program];
    this.#child = new Deno.Command(limited[0], {
      args: [...limited.slice(1), ...args],
      cwd,
      clearEnv: true,
      env: { ...Object.fromEntries(inherited), ...NEUTRAL, ...env },
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.status = this.#child.status;
    const { onOutputLine, onErrorLine, keepsOutput = true } = options;
    this.stdout = new Output("stdout", this.#child.stdout, keepsOutput, onOutputLine);
    this.stderr = new Output("stderr", this.#child.stderr, keepsOutput, onErrorLine);
    this.#stdin = this.#child.stdin.getWriter();
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** Writes to its stdin. */
  async type(text: string | Uint8Array): Promise<void> {
    const bytes = typeof text === "string" ? new TextEncoder().encode(text) : text;
    if (bytes.length > 0) await this.#stdin.write(bytes).catch(() => {}); // it need not read
  }

  /** Ends its stdin. */
  async endInput(): Promise<void> {
    await this.#stdin.close().catch(() => {});
  }

  /** Sends it a signal. */
  kill(signal: Deno.Signal): void {
    this.#child.kill(signal);
  }

  /** Resolves when it has ended and its output has been read. */
  async ended(ms: number = PROGRAM_MS): Promise<Ended> {
    const { code } = await within(this.status, "end of the program", ms);
    return { code, stdout: await this.stdout.all(), stderr: await this.stderr.all() };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.kill("SIGKILL");
    } catch {
      // It has ended already.
    }
    await this.endInput();
    await this.status;
    await Promise.all([this.stdout.all(), this.stderr.all()]);
  }
}

/** The text of an output stream. It is always read: a program whose pipe is full would stop. */
export class Output {
  readonly #name: string;
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #read: Promise<void>;
  #text = "";
  #isEnded = false;
  #more = Promise.withResolvers<void>();

  constructor(
    name: string,
    stream: ReadableStream<Uint8Array>,
    keepsText: boolean,
    onLine?: (line: string) => void,
  ) {
    this.#name = name;
    this.#reader = stream.getReader();
    this.#read = this.#readAll(keepsText, onLine);
  }

  /** What has come so far. */
  get text(): string {
    return this.#text;
  }

  /** Waits until `pattern` has come, and returns its match. */
  async until(pattern: RegExp): Promise<RegExpExecArray> {
    while (true) {
      const match = pattern.exec(this.#text);
      if (match !== null) return match;
      const missing = () => `${pattern} in ${this.#name}, which is ${JSON.stringify(this.#text)},`;
      if (this.#isEnded) throw new Error(`no ${missing()} at its end`);
      await within(this.#more.promise, missing(), PROGRAM_MS);
    }
  }

  /** All of it, once the stream has ended. */
  async all(): Promise<string> {
    await this.#read;
    return this.#text;
  }

  /** Stops reading, as `head` does when it has enough. */
  async stopReading(): Promise<void> {
    await this.#reader.cancel();
  }

  async #readAll(keepsText: boolean, onLine: (line: string) => void = () => {}): Promise<void> {
    const decoder = new TextDecoder();
    let rest = "";
    for (let done = false; !done;) {
      let value: Uint8Array | undefined;
      ({ value, done } = await this.#reader.read());
      const text = decoder.decode(value, { stream: !done });
      if (keepsText) this.#text += text;
      this.#isEnded = done;
      const lines = (rest + text).split("\n");
      rest = lines.pop()!;
      for (const line of lines) onLine(line);
      if (done && rest !== "") onLine(rest);
      this.#more.resolve();
      this.#more = Promise.withResolvers();
    }
  }
}

/** Asserts that a command failed with `code`, said so in one line on stderr that has `words`, and nothing on stdout. */
export function assertFailure({ code, stdout, stderr }: Ended, expected: number, words: RegExp): void {
  const isOneLine = /^parley: [^\n]+\n$/.test(stderr) && !/\n\s+at |Error:/.test(stderr);
  assertEquals({ code, stdout, stderr, isOneLine }, { code: expected, stdout: "", stderr, isOneLine: true });
  assertMatch(stderr, words);
}

/** Options that make a client log what tests wait for. */
export const LOGGED: readonly string[] = ["--log-level", "info", "--log-format", "json"];

/** Registers a test that starts processes. It is ignored where this is not permitted. */
export function processTest(name: string, fn: () => Promise<void>): void {
  Deno.test({ name, ignore: !MAY_RUN, fn });
}

/** A port of this machine that was free a moment ago, for a program that has to be told one. */
export function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return (listener.addr as Deno.NetAddr).port;
}
