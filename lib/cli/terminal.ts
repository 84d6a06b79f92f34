/**
 * What is safe to show on a terminal, and in which colour.
 *
 * @module
 */

/** What would end a line, steer a terminal or turn text around: controls but the tab, separators, directional marks. */
const UNSAFE = /[^\P{Cc}\t]|[\p{Zl}\p{Zp}\p{Bidi_Control}]/gu;

const SHORT: Record<string, string> = { "\n": "\\n", "\r": "\\r" };

/**
 * `text` with everything that a terminal would act on made visible: others write it, and they must not be able to move
 * the cursor, change colours or the title, or pass a line off as somebody else's.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { visible } from "./terminal.ts";
 *
 * assertEquals(visible("\x1b[2Jtwo\nlines"), "\\x1b[2Jtwo\\nlines");
 * ```
 */
export function visible(text: string): string {
  return text.replace(UNSAFE, (char) => SHORT[char] ?? escape(char));
}

/** As {@linkcode visible}, but lines stay lines. */
export function visibleLines(text: string): string {
  return text.split(/\r?\n/).map(visible).join("\n");
}

/** JSON in one line that is as safe: what `JSON.stringify` leaves as it is, a terminal may still act on. */
export function visibleJson(value: unknown): string {
  return JSON.stringify(value).replace(
    UNSAFE,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

function escape(char: string): string {
  const code = char.codePointAt(0)!;
  return code < 0x100 ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u{${code.toString(16)}}`;
}

/** What can be done to text. */
export type Style = "bold" | "dim" | "red" | "green" | "yellow" | "cyan";

const CODES: Record<Style, number> = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, cyan: 36 };

/** Paints text. */
export type Paint = (style: Style, text: string) => string;

/** What paints text for `stream`: nothing where it is no terminal, or NO_COLOR is set. */
export function painter(stream: { isTerminal(): boolean }): Paint {
  if (!stream.isTerminal() || Deno.noColor) return (_style, text) => text;
  return (style, text) => `\x1b[${CODES[style]}m${text}\x1b[0m`;
}
