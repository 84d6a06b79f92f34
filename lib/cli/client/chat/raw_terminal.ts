/**
 * The terminal in raw mode: every key comes to this program, at once and as it is. Without it the terminal cuts lines at
 * 4,095 bytes.
 *
 * However the program ends or is stopped, the terminal is left as it was found, unless it is killed by SIGKILL.
 *
 * @module
 */

import type { Host } from "../../host.ts";

/** Pasted text comes between marks, so that it is told from typed text. */
const [MARK_PASTES, LEAVE_PASTES] = ["\x1b[?2004h", "\x1b[?2004l"];

/** What happens at a terminal besides keys. */
export interface TerminalEvents {
  /** It has another size. */
  resized(): void;
  /** This program was stopped, and goes on: anything may be on the screen. */
  continued(): void;
}

/** The events of a process that ends without disposing of what it has. */
const SUDDEN_ENDS = ["unload", "error", "unhandledrejection"] as const;

/** Whether a chat can draw on the terminal it was started at. */
export function canDraw({ stdin, stdout, env }: Pick<Host, "stdin" | "stdout" | "env">): boolean {
  return stdin.isTerminal() && stdout.isTerminal() && env.TERM !== "dumb";
}

/** The terminal of this process, in raw mode until disposal. */
export class RawTerminal implements Disposable {
  readonly #listeners = new Map<Deno.Signal, () => void>();
  readonly #restore = () => this.#leave();
  #isRaw = false;

  constructor({ resized, continued }: TerminalEvents) {
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
    write(MARK_PASTES);
  }

  #leave(): void {
    if (!this.#isRaw) return;
    this.#isRaw = false;
    try {
      write(LEAVE_PASTES);
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
