/**
 * How far a long operation is, on one line of a terminal.
 *
 * @module
 */

/** Moves to the start of the line and erases it. */
export const CLEAR_LINE = "\r\x1b[K";

const WIDTH = 30;

/** A bar, full by `share`, 0 to 1. */
export function formatBar(share: number): string {
  const full = Math.round(WIDTH * Math.max(0, Math.min(1, share)));
  return "█".repeat(full) + "░".repeat(WIDTH - full);
}

/** Shows on stderr how far an operation is, if that is a terminal. */
export class ProgressLine {
  #isShown = false;

  /** Shows `done` of `total`. */
  show(done: number, total: number): void {
    if (!Deno.stderr.isTerminal()) return;
    this.#isShown = true;
    const share = total === 0 ? 1 : done / total;
    this.#write(`${CLEAR_LINE}${formatBar(share)} ${Math.floor(share * 100)}%`);
  }

  /** Erases the line. */
  clear(): void {
    if (this.#isShown) this.#write(CLEAR_LINE);
  }

  #write(text: string): void {
    Deno.stderr.writeSync(new TextEncoder().encode(text));
  }
}
