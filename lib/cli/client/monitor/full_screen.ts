/**
 * A whole terminal that is drawn again and again, without flicker: only rows that have changed are written, and the
 * terminal shows all of them at once.
 *
 * @module
 */

import type { Output } from "../../output.ts";
import type { Paint } from "../../terminal.ts";

/** How the terminal is drawn on. */
export interface FullScreenOptions {
  readonly output: Output;
  /** The size of the terminal now. */
  readonly size: () => { columns: number; rows: number };
  readonly paint: Paint;
  /** The rows to show, at most `rows` of them, none wider than `columns`. */
  readonly draw: (size: { columns: number; rows: number }, paint: Paint) => readonly string[];
}

/** The terminal collects what comes between these, and shows it at once. Those that do not know them ignore them. */
const [BEGIN, END] = ["\x1b[?2026h", "\x1b[?2026l"];

/** Draws rows on a terminal that has a screen of its own. */
export class FullScreen {
  readonly #options: FullScreenOptions;
  /** What the terminal shows; undefined if that is not known. */
  #shown: readonly string[] | undefined;
  #columns = 0;
  #isStale = false;
  #isPaused = false;
  #drawing: Promise<void> | undefined;

  constructor(options: FullScreenOptions) {
    this.#options = options;
  }

  /** Draws soon. What changes while the terminal still takes the last drawing is drawn once. */
  refresh(): void {
    this.#isStale = true;
    this.#drawing ??= this.#drawAll();
  }

  /** Draws nothing until the next `repaint`. Resolves when what was begun is written. */
  async pause(): Promise<void> {
    this.#isPaused = true;
    await this.#drawing;
  }

  /** Draws everything again: the terminal may show anything. */
  repaint(): void {
    this.#isPaused = false;
    this.#shown = undefined;
    this.refresh();
  }

  /** Resolves when everything is drawn. */
  async drawn(): Promise<void> {
    await this.#drawing;
  }

  async #drawAll(): Promise<void> {
    await undefined; // what changes in one turn of the event loop is drawn once
    try {
      while (this.#isStale && !this.#isPaused) {
        this.#isStale = false;
        this.#options.output.text(this.#draw())?.catch(() => {});
        await this.#options.output.flush();
      }
    } catch {
      // `Output.broken` ends the command.
    } finally {
      this.#drawing = undefined;
    }
  }

  #draw(): string {
    const { size, draw, paint } = this.#options;
    const { columns: given, rows: height } = size(); // some terminals say that they have no size
    const [columns, rows] = [given || 80, height || 24];
    const all = draw({ columns, rows }, paint).slice(0, rows);
    const before = this.#columns === columns && this.#shown?.length === all.length ? this.#shown : undefined;
    const changed = all
      .map((row, at) => row === before?.[at] ? "" : `\x1b[${at + 1};1H\x1b[K${row}`)
      .join("");
    this.#shown = all;
    this.#columns = columns;
    if (before !== undefined && changed === "") return "";
    return BEGIN + (before === undefined ? "\x1b[H\x1b[2J" : "") + changed + END;
  }
}
