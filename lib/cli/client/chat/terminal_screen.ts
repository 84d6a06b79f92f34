/**
 * What a chat shows on a terminal: messages above the line that is being typed.
 *
 * @module
 */

import type { Output } from "../../output.ts";
import { visible } from "../../terminal.ts";
import { type Layout, layOut, width, wrap } from "./layout.ts";
import type { Screen, ShownMessage } from "./screen.ts";

/** The line that is being typed. */
export interface EditedLine {
  readonly line: string;
  readonly cursor: number;
}

/** How a terminal is written to. */
export interface TerminalScreenOptions {
  readonly output: Output;
  /** The size of the terminal now. */
  readonly size: () => { columns: number; rows: number };
  readonly isColoured: boolean;
}

/** Characters that may wait before a message must: the terminal is slower than a network. */
const MAX_PENDING_CHARACTERS = 65_536;

/** Continued rows of a message begin with so many spaces. */
const INDENT = 2;

/** A prompt that takes more of a row than this, in parts of it, is shortened. */
const PROMPT_PARTS = 3;

/** The colours of names: all that can be read on a dark and on a bright screen. Red is for problems. */
const NAME_COLOURS = [36, 32, 33, 35, 34, 96, 92, 93, 95, 94] as const;

/** A terminal in raw mode. The line that is being typed stays at the bottom. */
export class TerminalScreen implements Screen {
  readonly #output: Output;
  readonly #size: TerminalScreenOptions["size"];
  readonly #isColoured: boolean;
  /** The line that is being typed; undefined while there is no prompt. */
  #edited: EditedLine | undefined;
  #prompt = "> ";
  #pending: string[] = [];
  #pendingCharacters = 0;
  #isStale = false;
  #writing: Promise<void> | undefined;
  /** What is on the screen of the prompt, and how wide the terminal was. */
  #shown: Layout & { readonly columns: number } | undefined;

  constructor({ output, size, isColoured }: TerminalScreenOptions) {
    this.#output = output;
    this.#size = size;
    this.#isColoured = isColoured;
  }

  message({ name, note, channel, text }: ShownMessage): Promise<void> | undefined {
    const prefix = channel === undefined ? "" : `[${channel}] `;
    const label = visible(name);
    const head = `${prefix}${label}${note}: `;
    const { columns } = this.#dimensions();
    const rows = text.split(/\r?\n/).flatMap((line, index) => {
      const shown = visible(line).replaceAll("\t", "    ");
      return wrap(shown, columns, index === 0 ? width(head) % columns : INDENT, INDENT);
    });
    const painted = `${this.#style(2, prefix)}${this.#style(`1;${colourOf(name)}`, label + note)}: `;
    return this.#add(painted + rows.join(`\r\n${" ".repeat(INDENT)}`));
  }

  notice(text: string): void {
    this.#lines(text, 2);
  }

  problem(text: string): void {
    this.#lines(text, 33);
  }

  /** Shows a line as it is. */
  line(line: string): void {
    this.#add(line.replaceAll("\n", "\r\n"))?.catch(() => {});
  }

  /** Shows the prompt and what is typed in the cursor's row, and keeps both at the bottom from then on. */
  begin(edited: EditedLine): void {
    this.#edited = edited;
    this.#shown = undefined;
    this.#pending.push("\r\x1b[J");
    this.refresh();
  }

  /** Sets the text before what is typed. */
  prompt(text: string): void {
    this.#prompt = text;
    this.refresh();
  }

  /** What is typed, or the terminal's size, has changed. */
  refresh(): void {
    this.#isStale = true;
    this.#schedule();
  }

  /** Clears the terminal, except for what is typed. */
  clear(): void {
    this.#shown = undefined;
    this.#pending.push("\x1b[2J\x1b[H");
    this.refresh();
  }

  /** Takes the prompt away. Resolves when everything is written. */
  async end(): Promise<void> {
    this.#edited = undefined;
    this.refresh();
    await this.drawn();
  }

  /** Resolves when everything is written. */
  async drawn(): Promise<void> {
    await this.#writing;
  }

  #lines(text: string, style: number): void {
    const { columns } = this.#dimensions();
    for (const line of text.split("\n")) {
      const rows = wrap(`* ${line}`, columns, 0, INDENT).map((row) => this.#style(style, row));
      this.#add(rows.join(`\r\n${" ".repeat(INDENT)}`))?.catch(() => {});
    }
  }

  #add(line: string): Promise<void> | undefined {
    this.#pending.push(`${line}\r\n`);
    this.#pendingCharacters += line.length;
    this.#schedule();
    return this.#pendingCharacters < MAX_PENDING_CHARACTERS ? undefined : this.#writing;
  }

  #schedule(): void {
    this.#writing ??= this.#write();
  }

  /** Lines that are added while the terminal takes others share a write, and one prompt. */
  async #write(): Promise<void> {
    await undefined; // and so do those of one turn of the event loop
    try {
      while (this.#isStale || this.#pending.length > 0) {
        this.#output.text(this.#draw())?.catch(() => {});
        await this.#output.flush();
      }
    } catch {
      // `Output.broken` ends the command.
    } finally {
      this.#writing = undefined;
    }
  }

  /** What makes the terminal show everything pending, with the prompt below. */
  #draw(): string {
    const { columns, rows } = this.#dimensions();
    const lines = this.#erase(columns) + this.#pending.join("");
    this.#pending = [];
    this.#pendingCharacters = 0;
    this.#isStale = false;
    if (this.#edited === undefined) return lines;
    const { line, cursor } = this.#edited;
    const prompt = this.#shortPrompt(columns);
    const layout = layOut(prompt, line, cursor, columns, Math.max(1, Math.floor(rows / 2)));
    this.#shown = { ...layout, columns };
    const [first, ...others] = layout.rows;
    const painted = layout.above > 0 ? first : this.#style(1, prompt) + first.slice(prompt.length);
    const below = layout.rows.length - 1 - layout.cursorRow;
    return lines + [painted, ...others].join("\r\n") +
      (below > 0 ? `\x1b[${below}A` : "") + "\r" +
      (layout.cursorColumn > 0 ? `\x1b[${layout.cursorColumn}C` : "");
  }

  /**
   * Erases the prompt and everything below it. Terminals that have become narrower have broken each row that no longer
   * fits into several.
   */
  #erase(columns: number): string {
    const shown = this.#shown;
    this.#shown = undefined;
    if (shown === undefined) return "";
    let up = shown.cursorRow;
    if (columns < shown.columns) {
      const above = shown.rows.slice(0, shown.cursorRow);
      up = above.reduce((sum, row) => sum + Math.max(1, Math.ceil(width(row) / columns)), 0) +
        Math.floor(shown.cursorColumn / columns);
    }
    return `${up > 0 ? `\x1b[${up}A` : ""}\r\x1b[J`;
  }

  #shortPrompt(columns: number): string {
    const prompt = this.#prompt;
    return width(prompt) <= columns / PROMPT_PARTS ? prompt : "> ";
  }

  /** Some terminals say that they have no size. */
  #dimensions(): { columns: number; rows: number } {
    const { columns, rows } = this.#size();
    return { columns: Math.max(8, columns || 80), rows: rows || 24 };
  }

  #style(code: number | string, text: string): string {
    return this.#isColoured && text !== "" ? `\x1b[${code}m${text}\x1b[0m` : text;
  }
}

/** The colour of a name: always the same one, in every chat. */
function colourOf(name: string): number {
  let hash = 0x811c9dc5; // FNV-1a
  for (let at = 0; at < name.length; at++) hash = Math.imul(hash ^ name.charCodeAt(at), 0x01000193);
  return NAME_COLOURS[(hash >>> 0) % NAME_COLOURS.length];
}
