/**
 * Text in rows of a terminal: the line that is being typed, with its cursor, and messages with their indent.
 *
 * Rows are broken here rather than by the terminal. So the height of what is typed is known, and the rows after the first
 * one of a message are indented: padding cannot make a part of it look like a message of another session.
 *
 * @module
 */

import stringWidth from "string-width";
import { visible } from "../../terminal.ts";

/**
 * Stand for a line break and a tab in a line that is being edited. Both are noncharacters of Unicode, so no text has
 * them, and a line editor takes them for ordinary characters.
 */
export const [BREAK, TAB] = ["\ufdd0", "\ufdd1"];

const TAB_COLUMNS = 8;

const SEGMENTER = new Intl.Segmenter(undefined, { granularity: "grapheme" });

const ASCII = /^[\x20-\x7e]*$/;

/** How many columns `text` takes. It must not have control characters. */
export function width(text: string): number {
  return ASCII.test(text) ? text.length : stringWidth(text);
}

/** The characters of `text` as people count them: a letter with its accents, an emoji of several code points. */
export function graphemes(text: string): Iterable<string> {
  return ASCII.test(text) ? text : Array.from(SEGMENTER.segment(text), ({ segment }) => segment);
}

/** What is typed, in rows. */
export interface Layout {
  /** Safe to show. The first one begins with the prompt, unless rows above were left out. */
  readonly rows: readonly string[];
  /** The cursor's row, counted from the first of `rows`, and its column; both from 0. */
  readonly cursorRow: number;
  readonly cursorColumn: number;
  /** How many rows above were left out. */
  readonly above: number;
}

/**
 * Lays out a prompt and the line behind it.
 *
 * @param cursor where the cursor is in `line`, in UTF-16 units
 * @param columns the width of the terminal
 * @param maxRows how many rows to return; of a longer text those around the cursor
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { layOut } from "./layout.ts";
 *
 * const { rows, cursorRow, cursorColumn } = layOut("> ", "漢字 and more", 2, 8, 5);
 * assertEquals(rows, ["> 漢字 a", "nd more"]);
 * assertEquals([cursorRow, cursorColumn], [0, 6]);
 * ```
 */
export function layOut(
  prompt: string,
  line: string,
  cursor: number,
  columns: number,
  maxRows: number,
): Layout {
  const rows: string[] = [];
  let [row, column, at] = [prompt, width(prompt), 0];
  let [cursorRow, cursorColumn] = [-1, 0];
  const endRow = () => {
    rows.push(row);
    [row, column] = ["", 0];
  };
  for (const grapheme of graphemes(line)) {
    const shown = grapheme === TAB
      ? " ".repeat(TAB_COLUMNS - column % TAB_COLUMNS)
      : grapheme === BREAK
      ? ""
      : visible(grapheme);
    const wide = width(shown);
    if (column + wide > columns && grapheme !== TAB) endRow();
    if (at + grapheme.length > cursor && cursorRow < 0) {
      if (column >= columns) endRow();
      [cursorRow, cursorColumn] = [rows.length, column];
    }
    at += grapheme.length;
    row += grapheme === TAB ? shown.slice(0, columns - column) : shown;
    column = Math.min(columns, column + wide);
    if (grapheme === BREAK) endRow();
  }
  if (cursorRow < 0) {
    if (column >= columns) endRow();
    [cursorRow, cursorColumn] = [rows.length, column];
  }
  rows.push(row);
  // The rows around the cursor, with as much as possible of what is before it.
  const above = Math.max(0, Math.min(rows.length - maxRows, cursorRow - maxRows + 1));
  return { rows: rows.slice(above, above + maxRows), cursorRow: cursorRow - above, cursorColumn, above };
}

/**
 * Breaks `text` into rows of at most `columns`, between words if that leaves no row half empty.
 *
 * @param used how many columns of the first row are taken
 * @param indent how many columns of every other row stay empty; the rows that are returned do not have it
 */
export function wrap(text: string, columns: number, used: number, indent: number): string[] {
  const rows: string[] = [];
  let room = columns - used;
  let [row, column] = ["", 0];
  /** Where the last word of the row begins. */
  let [word, wordColumn] = [0, 0];
  for (const grapheme of graphemes(text)) {
    const wide = width(grapheme);
    if (column + wide > room && row !== "") {
      if (grapheme === " ") {
        rows.push(row);
        [row, column] = ["", 0];
      } else {
        const cut = wordColumn > room / 2 ? word : row.length;
        rows.push(row.slice(0, cut).trimEnd());
        row = row.slice(cut);
        column = width(row);
      }
      [word, wordColumn] = [0, 0];
      room = columns - indent;
      if (grapheme === " ") continue;
    }
    row += grapheme;
    column += wide;
    if (grapheme === " ") [word, wordColumn] = [row.length, column];
  }
  rows.push(row);
  return rows;
}
