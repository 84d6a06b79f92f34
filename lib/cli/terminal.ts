/**
 * Text that is safe to show on a terminal, and its colours.
 *
 * @module
 */

/** Characters that end a line, control a terminal or reverse text: controls except tab, separators, bidi marks. */
const UNSAFE = /[^\P{Cc}\t]|[\p{Zl}\p{Zp}\p{Bidi_Control}]/gu;

const SHORT_ESCAPES: Record<string, string> = { "\n": "\\n", "\r": "\\r" };

/**
 * Escapes everything in `text` that a terminal would act on. Other sessions write this text: it must not move the
 * cursor, change colours or the title, or forge a line.
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
  return text.replace(UNSAFE, (char) => SHORT_ESCAPES[char] ?? escape(char));
}

/** As {@linkcode visible}, but keeps line breaks. */
export function visibleLines(text: string): string {
  return text.split(/\r?\n/).map(visible).join("\n");
}

/** Formats JSON in one line, and also escapes what `JSON.stringify` leaves and a terminal would act on. */
export function visibleJson(value: unknown): string {
  return escapeJson(JSON.stringify(value));
}

/** As {@linkcode visible}, for text that is JSON and stays the same JSON. */
export function escapeJson(json: string): string {
  return json.replace(UNSAFE, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

function escape(char: string): string {
  const code = char.codePointAt(0)!;
  return code < 0x100 ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u{${code.toString(16)}}`;
}

/**
 * Wraps `text` at spaces so that no line is longer than `width`, behind `label`; further lines are indented as far. A word
 * that is longer stays whole.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { wrapBehind } from "./terminal.ts";
 *
 * assertEquals(wrapBehind("do  ", "start the server", 14), "do  start the\n    server");
 * ```
 */
export function wrapBehind(label: string, text: string, width: number): string {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const last = lines.at(-1);
    if (last !== undefined && label.length + last.length + 1 + word.length <= width) {
      lines[lines.length - 1] = `${last} ${word}`;
    } else lines.push(word);
  }
  return label + lines.join(`\n${" ".repeat(label.length)}`);
}

/** A style of text. */
export type Style = "bold" | "dim" | "red" | "green" | "yellow" | "cyan";

const CODES: Record<Style, number> = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, cyan: 36 };

/** Returns `text` in a style. */
export type Paint = (style: Style, text: string) => string;

/** Returns the {@linkcode Paint} for `stream`. It changes nothing if `stream` is not a terminal, or NO_COLOR is set. */
export function painter(stream: { isTerminal(): boolean }): Paint {
  if (!stream.isTerminal() || Deno.noColor) return (_style, text) => text;
  return (style, text) => `\x1b[${CODES[style]}m${text}\x1b[0m`;
}
