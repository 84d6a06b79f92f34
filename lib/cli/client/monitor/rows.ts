/**
 * Rows of a terminal that are never wider than it: pieces of text with styles, and tables.
 *
 * Everything that is shown goes through here, and is escaped here: names are what others choose.
 *
 * @module
 */

import { type Paint, type Style, visible } from "../../terminal.ts";
import { graphemes, width } from "../chat/layout.ts";

/** A part of a row, in one style. */
export interface Piece {
  readonly text: string;
  readonly style?: Style;
}

/** Cuts `text` to at most `columns`; an ellipsis shows that something is missing. It must be safe to show. */
export function cut(text: string, columns: number): string {
  if (width(text) <= columns) return text;
  let [shown, used] = ["", 0];
  for (const grapheme of graphemes(text)) {
    const wide = width(grapheme);
    if (used + wide > columns - 1) break;
    [shown, used] = [shown + grapheme, used + wide];
  }
  return columns < 1 ? "" : `${shown}…`;
}

/** Fills up with spaces to `columns`. */
function pad(text: string, columns: number, isRight: boolean): string {
  const spaces = " ".repeat(Math.max(0, columns - width(text)));
  return isRight ? spaces + text : text + spaces;
}

/** One row of pieces, each with its style, cut at `columns`. */
export function paintRow(pieces: readonly Piece[], columns: number, paint: Paint): string {
  let [row, left] = ["", columns];
  for (const { text, style } of pieces) {
    const shown = cut(visible(text), left);
    left -= width(shown);
    row += style === undefined || shown.trim() === "" ? shown : paint(style, shown);
    if (left <= 0) break;
  }
  return row;
}

/** As many of `fields` as fit behind `label`, with three spaces between them: the first are the most important. */
export function fieldsRow(
  label: string,
  fields: readonly Piece[],
  columns: number,
  paint: Paint,
): string {
  const pieces: Piece[] = [{ text: label.padEnd(LABEL_COLUMNS), style: "dim" }];
  let used = LABEL_COLUMNS;
  for (const [at, field] of fields.entries()) {
    const gap = at === 0 ? 0 : GAP.length;
    const wide = width(visible(field.text));
    if (at > 0 && used + gap + wide > columns) break;
    if (at > 0) pieces.push({ text: GAP });
    pieces.push(field);
    used += gap + wide;
  }
  return paintRow(pieces, columns, paint);
}

/** How wide the label of a row of fields is. */
export const LABEL_COLUMNS = 13;
const GAP = "   ";

/** A column of a table. */
export interface Column<T> {
  readonly title: string;
  /** How wide it is. The first column of a table takes the rest, and at least this. */
  readonly width: number;
  readonly isRight?: boolean;
  /** What it is sorted by, if it can be. */
  readonly sort?: string;
  readonly cell: (entry: T) => Piece;
}

/**
 * A table of `rows` rows, the titles included, whose first column takes the room that the others leave. Columns that do
 * not fit are left out, the last ones first, and the one that it is sorted by at the very last.
 */
export function table<T>(
  all: readonly Column<T>[],
  entries: readonly T[],
  { columns, rows, sort, paint }: {
    readonly columns: number;
    readonly rows: number;
    readonly sort: string;
    readonly paint: Paint;
  },
): string[] {
  const shown = [...all];
  const needed = () => shown.reduce((sum, { width }) => sum + width + 1, -1);
  while (shown.length > 1 && needed() > columns) {
    const last = shown.findLastIndex(({ sort: key }, at) => at > 0 && (key !== sort || shown.length === 2));
    shown.splice(last, 1);
  }
  const widths = shown.map(({ width }, at) => at === 0 ? width + Math.max(0, columns - needed()) : width);
  const line = (pieceOf: (column: Column<T>) => Piece) =>
    paintRow(
      shown.flatMap((column, at) => {
        const { text, style } = pieceOf(column);
        const fitted = pad(cut(visible(text), widths[at]), widths[at], column.isRight ?? false);
        return at === 0 ? [{ text: fitted, style }] : [{ text: " " }, { text: fitted, style }];
      }),
      columns,
      paint,
    );
  const title = ({ title, sort: key }: Column<T>): Piece => ({
    text: key === sort ? `${title}${SORTED}` : title,
    style: "bold",
  });
  return [
    line(title),
    ...entries.slice(0, Math.max(0, rows - 1)).map((entry) => line(({ cell }) => cell(entry))),
  ];
}

/** Behind the title of the column that a table is sorted by. */
const SORTED = "▾";

const BARS = "▁▂▃▄▅▆▇█";

/** Values as bars, the highest of them at the full height. */
export function sparkline(values: readonly number[]): string {
  const top = Math.max(...values, 0);
  return values.map((value) => {
    if (top === 0) return BARS[0];
    return BARS[Math.min(BARS.length - 1, Math.floor(value / top * BARS.length))];
  }).join("");
}
