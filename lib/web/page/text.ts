/**
 * Text that others wrote, made safe to read: what does not show, or turns text around, is made visible.
 *
 * @module
 */

/** Controls, separators of lines and paragraphs, marks that set the direction, and what has no width. */
const UNSEEN = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}\u200b-\u200d\u2060\ufeff]/gu;

/** The same, but for line breaks and tabs. */
const UNSEEN_IN_LINES = /[^\P{Cc}\t\n]|[\p{Zl}\p{Zp}\p{Bidi_Control}\u200b-\u200d\u2060\ufeff]/gu;

const SHORT: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

/**
 * A text in one line.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { visible } from "./text.ts";
 *
 * assertEquals(visible("\x1b[2Jtwo\nlines"), "\\x1b[2Jtwo\\nlines");
 * ```
 */
export function visible(text: string): string {
  return text.replace(UNSEEN, escaped);
}

/** A text that keeps its line breaks and tabs. */
export function visibleLines(text: string): string {
  return text.replaceAll("\r\n", "\n").replace(UNSEEN_IN_LINES, escaped);
}

/** Cuts a text at `length` characters, and says so. */
export function cut(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length)}…` : text;
}

function escaped(character: string): string {
  const code = character.codePointAt(0)!;
  return SHORT[character] ??
    (code < 0x100 ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u{${code.toString(16)}}`);
}
