/**
 * `client.ts` and other programs as processes of their own, for tests that talk to them from outside.
 *
 * @module
 */

import { assertEquals, assertMatch } from "@std/assert";
import { within } from "../../raw_client.ts";

const ROOT = new URL("../../../", import.meta.url);

const isGranted = (name: "run" | "read" | "env") => Deno.permissions.querySync({ name }).state === "granted";

/** Whether processes may be started; where not, tests that need them are ignored. */
export const MAY_RUN = isGranted("run") && isGranted("read") && isGranted("env");

/** Whether there are signals and pipes as Unix has them, too. */
export const MAY_SIGNAL = MAY_RUN && Deno.build.os !== "windows";

const CLIENT = ["run", "--quiet", "-P=client", "client.ts"];

/** How to start a program. */
export interface StartOptions {
  /** Set beside the environment of the test, from which PARLEY_* is taken. */
  readonly env?: Record<string, string>;
  /** The program and its first arguments; `deno run client.ts` if left out. */
  readonly program?: readonly string[];
  /** Where it runs; the checkout if left out. */
  readonly cwd?: string;
}

/** What a program left behind. */
export interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `parley ARGS` with `stdin` to its end. */
export async function parley(
  args: readonly string[],
  { stdin = "", ...options }: StartOptions & { stdin?: string | Uint8Array } = {},
): Promise<Ended> {
  await using program = new Program(args, options);
  await program.type(stdin);
  await program.endInput();
  return await program.ended();
}

/** A running program. */
export class Program implements AsyncDisposable {
  /** What it has written so far, and will. */
  readonly stdout: Text;
  readonly stderr: Text;
  readonly #child: Deno.ChildProcess;
  readonly #stdin: WritableStreamDefaultWriter<Uint8Array>;

  /** Starts `parley ARGS`, or another program. */
  constructor(args: readonly string[], options: StartOptions = {}) {
    const { env = {}, program = [Deno.execPath(), ...CLIENT], cwd = ROOT } = options;
    const inherited = Object.entries(Deno.env.toObject()).filter(([name]) => !name.startsWith("PARLEY_"));
    this.#child = new Deno.Command(program[0], {
      args: [...program.slice(1), ...args],
      cwd,
      clearEnv: true,
      env: { ...Object.fromEntries(inherited), NO_COLOR: "1", ...env },
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.stdout = new Text("stdout", this.#child.stdout);
    this.stderr = new Text("stderr", this.#child.stderr);
    this.#stdin = this.#child.stdin.getWriter();
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

  /** Resolves when it has ended. */
  async ended(): Promise<Ended> {
    const { code } = await within(this.#child.status, "end of the program", 20_000);
    return { code, stdout: await this.stdout.all(), stderr: await this.stderr.all() };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // It has ended already.
    }
    await this.endInput();
    await this.#child.status;
    await Promise.all([this.stdout.all(), this.stderr.all()]);
  }
}

/** What comes from a stream, to be waited for. */
export class Text {
  readonly #name: string;
  readonly #read: Promise<void>;
  #text = "";
  #isEnded = false;
  #more = Promise.withResolvers<void>();
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;

  constructor(name: string, stream: ReadableStream<Uint8Array>) {
    this.#name = name;
    this.#reader = stream.getReader();
    this.#read = this.#readAll();
  }

  /** Waits until `pattern` has come, and returns its match. */
  async until(pattern: RegExp): Promise<RegExpExecArray> {
    while (true) {
      const match = pattern.exec(this.#text);
      if (match !== null) return match;
      const got = () => `${this.#name} with ${pattern}, which is ${JSON.stringify(this.#text)},`;
      if (this.#isEnded) throw new Error(`no ${got()} ever`);
      await within(this.#more.promise, got(), 20_000);
    }
  }

  /** All of it, at the end. */
  async all(): Promise<string> {
    await this.#read;
    return this.#text;
  }

  /** Reads no more, as `head` does when it has enough. */
  async stopReading(): Promise<void> {
    await this.#reader.cancel();
  }

  async #readAll(): Promise<void> {
    const decoder = new TextDecoder();
    while (true) {
      const { value, done } = await this.#reader.read();
      this.#text += decoder.decode(value, { stream: !done });
      this.#isEnded = done;
      this.#more.resolve();
      this.#more = Promise.withResolvers();
      if (done) return;
    }
  }
}

/** Asserts that a command failed with `code`, said so in one line on stderr that has `words`, and nothing on stdout. */
export function assertFailure({ code, stdout, stderr }: Ended, expected: number, words: RegExp): void {
  const isOneLine = /^parley: [^\n]+\n$/.test(stderr) && !/\n\s+at |Error:/.test(stderr);
  assertEquals({ code, stdout, stderr, isOneLine }, { code: expected, stdout: "", stderr, isOneLine: true });
  assertMatch(stderr, words);
}

/** Log lines that tests wait for. */
export const LOGGED = ["--log-level", "info", "--log-format", "json"];

/** Registers a test that starts processes, where that is permitted. */
export function processTest(name: string, fn: () => Promise<void>): void {
  Deno.test({ name, ignore: !MAY_SIGNAL, fn });
}
