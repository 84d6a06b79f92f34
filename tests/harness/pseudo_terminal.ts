/**
 * A program at a terminal of its own, whose keyboard is a test and whose screen is an {@linkcode Emulator}.
 *
 * @module
 */

import { within } from "./deadline.ts";
import { Emulator } from "./emulator.ts";
import { Output, ROOT, SOURCE } from "./program.ts";

/**
 * Opens the terminal, which Python's standard library can. Takes commands on stdin: keys in base64, a new size, or a
 * question for the terminal's mode. The output goes to stdout, what is asked for to stderr.
 */
const TERMINAL = `
import base64, fcntl, os, select, struct, sys, termios
def size(file, columns, rows):
    fcntl.ioctl(file, termios.TIOCSWINSZ, struct.pack("HHHH", int(rows), int(columns), 0, 0))
def say(*words):
    print(*words, file=sys.stderr, flush=True)
def mode():
    flags = termios.tcgetattr(terminal)[3]
    say("mode", "cooked" if flags & termios.ICANON and flags & termios.ECHO and flags & termios.ISIG else "raw")
terminal, inner = os.openpty()
size(inner, *sys.argv[1:3])
pid = os.fork()
if pid == 0:
    os.setsid()
    fcntl.ioctl(inner, termios.TIOCSCTTY, 0)
    for file in range(3): os.dup2(inner, file)
    os.closerange(3, 64)
    os.execvp(sys.argv[3], sys.argv[3:])
say("pid", pid)
buffer, status, todo = b"", None, [0, terminal]
while True:
    if status is None:
        ended, code = os.waitpid(pid, os.WNOHANG | os.WUNTRACED)
        if ended and os.WIFSTOPPED(code): say("stopped")
        elif ended: status = code
    ready, _, _ = select.select(todo, [], [], 0.02 if status is None else 0)
    if terminal in ready: os.write(1, os.read(terminal, 65536))
    elif status is not None: break
    if 0 in ready:
        chunk = os.read(0, 65536)
        if not chunk: todo = [terminal]
        buffer += chunk
        *lines, buffer = buffer.split(b"\\n")
        for line in lines:
            kind, _, rest = line.partition(b" ")
            if kind == b"size": size(terminal, *rest.split())
            elif kind == b"mode": mode()
            else:
                keys = base64.b64decode(rest)
                while keys: keys = keys[os.write(terminal, keys[:1024]):]
mode()
say("code", os.waitstatus_to_exitcode(status))
`;

/** How to start a program. */
export interface PseudoTerminalOptions {
  /** The program and its first arguments; the client of this checkout if left out. */
  readonly program?: readonly string[];
  readonly env?: Record<string, string>;
  readonly columns?: number;
  readonly rows?: number;
}

/** The program and its terminal. Disposing of it kills the program. */
export class PseudoTerminal implements AsyncDisposable {
  readonly screen: Emulator;
  /** All bytes that the program wrote, one character for each. */
  raw = "";
  readonly #child: Deno.ChildProcess;
  readonly #commands: WritableStreamDefaultWriter<Uint8Array>;
  readonly #answers: Output;
  readonly #shown: Promise<void>;
  #modes = 0;

  constructor(
    args: readonly string[],
    { program = SOURCE.client, env, columns = 80, rows = 24 }: PseudoTerminalOptions = {},
  ) {
    this.screen = new Emulator(columns, rows);
    const inherited = Object.entries(Deno.env.toObject()).filter(([name]) =>
      !/^(PARLEY_|NO_COLOR$)/.test(name)
    );
    this.#child = new Deno.Command("python3", {
      args: ["-c", TERMINAL, `${columns}`, `${rows}`, ...program, ...args],
      cwd: ROOT,
      clearEnv: true,
      env: { ...Object.fromEntries(inherited), TERM: "xterm-256color", DENO_NO_UPDATE_CHECK: "1", ...env },
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#commands = this.#child.stdin.getWriter();
    this.#answers = new Output("stderr", this.#child.stderr, true);
    this.#shown = this.#show();
  }

  /** Sends what keys send: `\r` is Enter, `\x1b[D` the left arrow. */
  async type(keys: string): Promise<void> {
    await this.#command(`keys ${new TextEncoder().encode(keys).toBase64()}`);
  }

  /** Changes the size of the terminal. */
  async resize(columns: number, rows: number): Promise<void> {
    this.screen.resize(columns, rows);
    await this.#command(`size ${columns} ${rows}`);
  }

  /** The terminal's mode now. */
  async mode(): Promise<string> {
    await this.#command("mode");
    const [, mode] = await this.#answers.until(
      new RegExp(`(?:mode [a-z]+\\s[^]*){${this.#modes++}}mode (\\w+)`),
    );
    return mode;
  }

  /** Resolves when the program has been stopped, as by Ctrl-Z. */
  async stopped(): Promise<void> {
    await this.#answers.until(/stopped\n/);
  }

  /** Sends a signal to the program. */
  async kill(signal: Deno.Signal): Promise<void> {
    const [, pid] = await this.#answers.until(/pid (\d+)\n/);
    Deno.kill(Number(pid), signal);
  }

  /** Resolves when the program has ended, to its exit code and the mode it left the terminal in. */
  async ended(): Promise<{ code: number; mode: string }> {
    const [, mode, code] = await this.#answers.until(/mode (\w+)\ncode (-?\d+)\n/);
    await within(this.#shown, "end of the output");
    await this.screen.settled();
    return { code: Number(code), mode };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill("SIGKILL").catch(() => {});
    await this.#commands.close().catch(() => {});
    await this.#child.status;
    await this.#answers.all();
    await this.#shown;
  }

  async #command(line: string): Promise<void> {
    await this.#commands.write(new TextEncoder().encode(`${line}\n`)).catch(() => {}); // it may have ended
  }

  async #show(): Promise<void> {
    for await (const chunk of this.#child.stdout) {
      this.raw += Array.from(chunk, (byte) => String.fromCharCode(byte)).join("");
      await this.screen.write(chunk);
    }
    await this.screen.settled();
    this.screen.end();
  }
}
