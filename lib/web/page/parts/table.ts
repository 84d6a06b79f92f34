/**
 * Tables: headers that sort, and rows that become cards on a phone.
 *
 * @module
 */

import { type ComponentChild, html, type VNode } from "../html.ts";

/** A column of a table. */
export interface Column<T> {
  readonly label: string;
  /** What a cell holds. */
  readonly cell: (row: T) => ComponentChild;
  /** By what the server sorts when this header is pressed; left out, it cannot be sorted. */
  readonly sort?: string;
  /** Numbers stand on the right. */
  readonly isNumber?: boolean;
  /** The column that names the row; one of each table. */
  readonly isName?: boolean;
}

/** What a table shows. */
export interface TableProps<T> {
  /** Read out, and not shown. */
  readonly caption: string;
  readonly columns: readonly Column<T>[];
  readonly rows: readonly T[];
  readonly keyOf: (row: T) => string | number;
  /** What the server sorts by now. */
  readonly sort?: string;
  readonly onSort?: (sort: string) => void;
  /** Shown in place of no rows: what to do. */
  readonly empty?: ComponentChild;
}

/** A table. The roles are said again, because a table that is laid out as cards loses them. */
export function Table<T>(props: TableProps<T>): VNode {
  const { caption, columns, rows, keyOf, sort, onSort, empty } = props;
  if (rows.length === 0 && empty !== undefined) return html`<div class="empty">${empty}</div>`;
  return html`
    <div class="tabular">
      <table role="table" class="table">
        <caption class="unseen">${caption}</caption>
        <thead role="rowgroup">
          <tr role="row">
          ${columns.map((column) => header(column, sort, onSort))}
        </tr>
        </thead>
        <tbody role="rowgroup">
        ${rows.map((row) =>
          html`<tr role="row" key=${keyOf(row)}>${columns.map((column) => cell(column, row))}</tr>`
        )}
      </tbody>
      </table>
    </div>
  `;
}

function header<T>(column: Column<T>, sort: string | undefined, onSort?: (sort: string) => void): VNode {
  const { label, isNumber } = column;
  const isSorted = column.sort !== undefined && column.sort === sort;
  const content = column.sort === undefined || onSort === undefined
    ? label
    : html`<button type="button" class="sort" onClick=${() => onSort(column.sort!)}>
        ${label}<span class=${isSorted ? "arrow" : "arrow off"} aria-hidden="true">▾</span></button>`;
  return html`
    <th role="columnheader" scope="col" class=${isNumber ? "number" : undefined}
      aria-sort=${isSorted ? "descending" : undefined}>${content}</th>
  `;
}

function cell<T>(column: Column<T>, row: T): VNode {
  const { label, isNumber, isName } = column;
  const content = html`<div class="cell">${column.cell(row)}</div>`;
  if (isName) return html`<th role="rowheader" scope="row" class="name">${content}</th>`;
  return html`<td role="cell" data-label=${label} class=${isNumber ? "number" : undefined}>${content}</td>`;
}
