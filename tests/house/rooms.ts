/**
 * The table of rooms of docs/architecture.md: which folders and files of `lib/` there are, and what each may import.
 *
 * The table is the rule; the tests of this folder hold the tree against it.
 */

/** A row of the table. */
export interface Room {
  /** As the table has it: `lib/wire/`, `lib/errors.ts`. */
  readonly path: string;
  /** Where in the document it stands, counted from 1. */
  readonly line: number;
  /** What it may import: rooms by the name of their folder or file. `undefined`: as the folder it is in. */
  readonly mayImport: readonly string[] | undefined;
}

/** Where the table is. */
export const ARCHITECTURE = "docs/architecture.md";

/**
 * Reads the rows `| path | may import | ... |` of the document `markdown`.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { roomsOf } from "./rooms.ts";
 *
 * const table = "| `lib/net/` | `errors`, `wire` | sockets |\n| `lib/net/tls/` | as `net` | TLS |";
 * assertEquals(roomsOf(table), [
 *   { path: "lib/net/", line: 1, mayImport: ["errors", "wire"] },
 *   { path: "lib/net/tls/", line: 2, mayImport: undefined },
 * ]);
 * ```
 */
export function roomsOf(markdown: string): Room[] {
  return markdown.split("\n").flatMap((text, index) => {
    const [, path, imports] = /^\| `(lib\/[^`]*)` +\| ([^|]*)\|/.exec(text) ?? [];
    if (path === undefined) return [];
    const names = [...imports.matchAll(/`([^`]+)`/g)].map(([, name]) => name);
    return [{ path, line: index + 1, mayImport: imports.startsWith("as ") ? undefined : names }];
  });
}

/** The name of a room by which others list it: `wire` for `lib/wire/`, `errors` for `lib/errors.ts`. */
export function roomName(path: string): string {
  return path.replace(/^lib\//, "").replace(/(\/.*|\.ts|\.js)$/, "");
}
