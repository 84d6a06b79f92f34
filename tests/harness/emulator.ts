/**
 * A terminal without a window: what a person would see of a program's output.
 *
 * @module
 */

import headless from "@xterm/headless";
import { within } from "./deadline.ts";

/** How long a program may take to show what a test waits for, in milliseconds. */
const UNTIL_MS = 20_000;

/** A terminal emulator. */
export class Emulator {
  readonly #terminal: headless.Terminal;
  #written: Promise<void> = Promise.resolve();
  #isEnded = false;
  #changed = Promise.withResolvers<void>();

  constructor(columns = 80, rows = 24) {
    this.#terminal = new headless.Terminal({
      cols: columns,
      rows,
      scrollback: 10_000,
      allowProposedApi: true,
    });
  }

  get size(): { columns: number; rows: number } {
    return { columns: this.#terminal.cols, rows: this.#terminal.rows };
  }

  /** The title that a program has set. */
  title = "";

  /** Interprets `bytes`, as `Deno.stdout.write` would pass them on. */
  write(bytes: Uint8Array): Promise<number> {
    this.#written = new Promise((resolve) => this.#terminal.write(bytes.slice(), resolve));
    this.#written.then(() => {
      this.#changed.resolve();
      this.#changed = Promise.withResolvers();
    });
    return Promise.resolve(bytes.length);
  }

  /** Changes its size; what is on it is broken anew. */
  resize(columns: number, rows: number): void {
    this.#terminal.resize(columns, rows);
  }

  /** What is on the screen and above it, row by row, without spaces at the end and empty rows at the bottom. */
  get rows(): string[] {
    const { active } = this.#terminal.buffer;
    const all = Array.from({ length: active.length }, (_, at) => active.getLine(at)!.translateToString(true));
    return all.join("\n").trimEnd().split("\n").map((row) => row.trimEnd());
  }

  /** The cursor's row, as an index of {@linkcode rows}, and its column. */
  get cursor(): [row: number, column: number] {
    const { baseY, cursorY, cursorX } = this.#terminal.buffer.active;
    return [baseY + cursorY, cursorX];
  }

  /** The foreground colour of a cell: a number of the palette; -1 is the default. */
  colour(row: number, column: number): number {
    const cell = this.#terminal.buffer.active.getLine(row)!.getCell(column)!;
    return cell.isFgDefault() ? -1 : cell.getFgColor();
  }

  /** Waits until the rows match `pattern`; the rows are joined with newlines. */
  async until(pattern: RegExp): Promise<void> {
    while (!pattern.test(this.rows.join("\n"))) {
      const missing = `${pattern} on the screen:\n${this.rows.join("\n")}\n`;
      if (this.#isEnded) throw new Error(`no ${missing}`);
      await within(this.#changed.promise, missing, UNTIL_MS);
    }
  }

  /** Nothing more will be written. */
  end(): void {
    this.#isEnded = true;
    this.#changed.resolve();
  }

  /** Resolves when everything written has been interpreted. */
  settled(): Promise<void> {
    return this.#written;
  }
}
