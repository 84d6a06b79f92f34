/**
 * The screen of a chat: what others say comes above the line that is being typed.
 *
 * The terminal edits the line itself, so all that is needed is to take the prompt away and put it back. What was typed
 * and not yet sent is not shown again, but it is not lost.
 *
 * @module
 */

import { type Output, printError } from "../output.ts";
import { type Paint, painter } from "../terminal.ts";

const PROMPT = "> ";
/** To the beginning of the line, and away with it. */
const CLEAR_LINE = "\r\x1b[K";

/** A screen, or, where there is no terminal, two streams: messages on stdout, notices on stderr. */
export class Screen implements AsyncDisposable {
  readonly #output: Output;
  readonly #paint: Paint = painter(Deno.stdout);
  readonly #isTerminal = Deno.stdout.isTerminal() && Deno.stdin.isTerminal();
  #hasPrompt = false;

  constructor(output: Output) {
    this.#output = output;
  }

  /** Shows the prompt; from now on it stays at the bottom. */
  prompt(): void {
    this.#hasPrompt = this.#isTerminal;
    if (this.#isTerminal) this.#write(PROMPT);
  }

  /** Shows what somebody said. Resolves when there is room for more. */
  async message(name: string, text: string): Promise<void> {
    await this.#line(`${this.#paint("bold", `${name}:`)} ${text}`);
  }

  /** Shows what happened. */
  notice(text: string): void {
    if (this.#isTerminal) this.#line(this.#paint("dim", `* ${text}`))?.catch(() => {}); // the next message tells
    else printError(`* ${text}`);
  }

  /** Takes the prompt away. */
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
