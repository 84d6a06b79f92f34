/**
 * The screen of a chat: messages appear above the line that is being typed.
 *
 * The terminal edits that line itself, so it is enough to erase the prompt and write it again. Text typed but not yet
 * sent is not shown again, but it is not lost.
 *
 * @module
 */

import type { Output } from "../output.ts";
import { type Paint, painter } from "../terminal.ts";

const PROMPT = "> ";
/** Moves to the start of the line and erases it. */
const CLEAR_LINE = "\r\x1b[K";

/** A screen, or, without a terminal, two streams: messages go to stdout, notices to stderr. */
export class Screen implements AsyncDisposable {
  readonly #output: Output;
  readonly #printLine: (line: string) => void;
  readonly #paint: Paint = painter(Deno.stdout);
  readonly #isTerminal = Deno.stdout.isTerminal() && Deno.stdin.isTerminal();
  #hasPrompt = false;

  constructor(output: Output, printLine: (line: string) => void) {
    this.#output = output;
    this.#printLine = printLine;
  }

  /** Shows the prompt, and keeps it at the bottom from then on. */
  prompt(): void {
    this.#hasPrompt = this.#isTerminal;
    if (this.#isTerminal) this.#write(PROMPT);
  }

  /** Shows a message and its sender. Resolves when there is room for more. */
  async message(name: string, text: string): Promise<void> {
    await this.#line(`${this.#paint("bold", `${name}:`)} ${text}`);
  }

  /** Shows an event. */
  notice(text: string): void {
    // If writing fails, the next message fails too, and ends the chat.
    if (this.#isTerminal) this.#line(this.#paint("dim", `* ${text}`))?.catch(() => {});
    else this.#printLine(`* ${text}`);
  }

  /** Erases the prompt. */
  [Symbol.asyncDispose](): Promise<void> {
    if (this.#hasPrompt) this.#write(CLEAR_LINE);
    this.#hasPrompt = false;
    return Promise.resolve();
  }

  #line(line: string): Promise<void> | undefined {
    if (!this.#hasPrompt) return this.#output.line(line);
    return this.#output.text(`${CLEAR_LINE}${line}\n${PROMPT}`);
  }

  #write(text: string): void {
    this.#output.text(text)?.catch(() => {});
  }
}
