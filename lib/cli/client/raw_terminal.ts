/**
 * The terminal in raw mode: every key comes to this program, at once and as it is. Without it the terminal cuts lines at
 * 4,095 bytes.
 *
 * However the program ends or is stopped, the terminal is left as it was found, unless it is killed by SIGKILL.
 *
 * @module
 */

import type { Host } from "../host.ts";

/** What the terminal is told at the beginning, and what undoes it. */
export interface TerminalModes {
  readonly enter: string;
  readonly leave: string;
}

/** Pasted text comes between marks, so that it is told from typed text. */
export const MARKED_PASTES: TerminalModes = { enter: "\x1b[?2004h", leave: "\x1b[?2004l" };

/**
 * A screen of its own, after which the one from before is there again; without a cursor, and without lines that the
 * terminal breaks by itself.
 */
export const OWN_SCREEN: TerminalModes = {
  enter: "\x1b[?1049h\x1b[?25l\x1b[?7l",
  leave: "\x1b[?7h\x1b[?25h\x1b[?1049l",
};

/** What happens at a terminal besides keys. */
export interface TerminalEvents {
  /** It has another size. */
  resized(): void;
  /** This program was stopped, and goes on: anything may be on the screen. */
  continued(): void;
}

/** The events of a process that ends without disposing of what it has. */
const SUDDEN_ENDS = ["unload", "error", "unhandledrejection"] as const;

/** Whether a program can draw on the terminal it was started at. */
export function canDraw({ stdin, stdout, env }: Pick<Host, "stdin" | "stdout" | "env">): boolean {
  return stdin.isTerminal() && stdout.isTerminal() && env.TERM !== "dumb";
}

/** The terminal of this process, in raw mode until disposal. */
export class RawTerminal implements Disposable {
  readonly #listeners = new Map<Deno.Signal, () => void>();
  readonly #restore = () => this.#leave();
  readonly #modes: TerminalModes;
  #isRaw = false;

  constructor({ resized, continued }: TerminalEvents, modes: TerminalModes) {
    this.#modes = modes;
    this.#enter();
    for (const type of SUDDEN_ENDS) addEventListener(type, this.#restore);
    if (Deno.build.os === "windows") return;
    this.#listeners.set("SIGWINCH", resized);
    this.#listeners.set("SIGTSTP", () => this.suspend());
    this.#listeners.set("SIGCONT", () => {
      this.#enter();
      continued();
    });
    for (const [signal, listener] of this.#listeners) Deno.addSignalListener(signal, listener);
  }

  /**
   * Stops this program, as Ctrl-Z does, until it is continued. The other programs of its job are stopped too: the shell
   * waits for the first of them, such as npx.
   */
  suspend(): void {
    if (Deno.build.os === "windows" || !this.#isRaw) return;
    this.#leave();
    Deno.kill(0, "SIGSTOP"); // not SIGTSTP, which the listener would get
  }

  [Symbol.dispose](): void {
    for (const [signal, listener] of this.#listeners) Deno.removeSignalListener(signal, listener);
    this.#listeners.clear();
    for (const type of SUDDEN_ENDS) removeEventListener(type, this.#restore);
    this.#leave();
  }

  #enter(): void {
    Deno.stdin.setRaw(true);
    this.#isRaw = true;
    write(this.#modes.enter);
  }

  #leave(): void {
    if (!this.#isRaw) return;
    this.#isRaw = false;
    try {
      write(this.#modes.leave);
      Deno.stdin.setRaw(false);
    } catch {
      // The terminal was closed.
    }
  }
}

function write(text: string): void {
  try {
    Deno.stdout.writeSync(new TextEncoder().encode(text));
  } catch {
    // The terminal was closed.
  }
}

/** The size of the terminal; zeros if it does not tell. */
export function terminalSize(): { columns: number; rows: number } {
  try {
    return Deno.consoleSize();
  } catch {
    return { columns: 0, rows: 0 };
  }
}

/** Sends this program the signal that Ctrl-C sends in other modes of the terminal; false if there is none. */
export function interrupt(): boolean {
  if (Deno.build.os === "windows") return false;
  Deno.kill(Deno.pid, "SIGINT");
  return true;
}
