/**
 * How far a long operation is, on one line of a terminal.
 *
 * @module
 */

/** Moves to the start of the line and erases it. */
const CLEAR_LINE = "\r\x1b[K";
const WIDTH = 30;

/** See the module's comment. */
export class ProgressLine {
  #isShown = false;

  /** Shows `done` of `total`, if stderr is a terminal. */
  show(done: number, total: number): void {
    if (!Deno.stderr.isTerminal()) return;
    this.#isShown = true;
    const share = total === 0 ? 1 : done / total;
    const bar = "#".repeat(Math.round(share * WIDTH)).padEnd(WIDTH, ".");
    this.#write(`${CLEAR_LINE}[${bar}] ${Math.floor(share * 100)}%`);
  }

  /** Erases the line. */
  clear(): void {
    if (this.#isShown) this.#write(CLEAR_LINE);
  }

  #write(text: string): void {
    Deno.stderr.writeSync(new TextEncoder().encode(text));
  }
}
