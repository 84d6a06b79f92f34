/**
 * Reads captured bytes: as they are, or as hexadecimal text in the form of `xxd`, `hexdump -C`, `od -t x1`, a C array or
 * plain digits.
 *
 * @module
 */

import { ParleyError } from "../../../errors.ts";
import { visibleJson } from "../../terminal.ts";

/** One line of a hex dump. */
interface Line {
  readonly number: number;
  /** Its digits in groups, without the column of text. */
  readonly groups: readonly string[];
  /** The first group stands before a colon, so that it can only be an offset. */
  readonly hasColon: boolean;
}

/** How an offset may be written: `xxd` and `hexdump` write hexadecimal, `od` octal or decimal. */
const RADIXES = [16, 8, 10];

/** An offset has at least so many digits, or a colon behind it. */
const MIN_OFFSET_DIGITS = 4;

/** Text that can be a hex dump begins with two digits, also as `0x20`, `\x20` or `{0x20`. */
const HEX_START = /^[\s{[]*(?:0x|\\x)?[0-9a-f]{2}/i;

/**
 * The bytes of a capture. Text that begins as a hex dump is one; a frame of Parley never consists of text alone,
 * because the first byte of its length is 0.
 *
 * @param maxBytes how many bytes a hex dump may stand for: a line `*` can repeat many
 * @throws {ParleyError} `bad_argument` for a hex dump with an error, and on which line
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { readCapture } from "./capture.ts";
 *
 * const dump = new TextEncoder().encode("00000000: 0400 0001 0000 0000  ........\n");
 * assertEquals(readCapture(dump, 1024), new Uint8Array([4, 0, 0, 1, 0, 0, 0, 0]));
 * ```
 */
export function readCapture(input: Uint8Array, maxBytes: number): Uint8Array {
  const text = asText(input);
  if (text === undefined || !HEX_START.test(text)) return input;
  const lines = text.split("\n").map(readLine).filter(({ groups }) => groups.length > 0);
  const radix = RADIXES.find((radix) => hasOffsets(lines, radix));
  if (radix === undefined && lines.some(({ hasColon }) => hasColon)) {
    throw bad(lines[0].number, "its offset does not fit the number of bytes on the lines before");
  }
  const bytes: number[] = [];
  let last: number[] = [];
  let isRepeating = false;
  for (const { number, groups } of lines) {
    if (groups[0] === "*") {
      isRepeating = true;
      continue;
    }
    const offset = radix === undefined ? undefined : parseInt(groups[0], radix);
    if (isRepeating) {
      if (offset === undefined || last.length === 0 || offset > maxBytes) {
        throw bad(number, "the line * before it stands for lines without end");
      }
      while (bytes.length < offset) append(bytes, last);
    }
    isRepeating = false;
    last = readDigits(radix === undefined ? groups : groups.slice(1), number);
    append(bytes, last);
  }
  return new Uint8Array(bytes);
}

function append(bytes: number[], more: readonly number[]): void {
  for (const byte of more) bytes.push(byte);
}

/** The input as text, if it can be: no control characters but white space, and nothing beyond ASCII. */
function asText(input: Uint8Array): string | undefined {
  for (const byte of input) {
    if (byte < 0x20 ? byte < 9 || byte > 13 : byte > 0x7e) return undefined;
  }
  return new TextDecoder().decode(input);
}

function readLine(line: string, at: number): Line {
  const text = line.replaceAll("\r", "");
  const [, offset, rest] = /^\s*(?:0x)?([0-9a-f]+):\s(.*)$/i.exec(text) ?? [];
  const hasColon = offset !== undefined;
  // `xxd` puts text behind two spaces; `hexdump -C` and `od -t x1z` put it between marks.
  const digits = hasColon ? rest.trimStart().split("  ")[0] : text.replace(/\s\s?[|>].*$/, "");
  const groups = digits.replaceAll(/0x|\\x|[{}[\],;:"]/gi, " ").split(/\s+/).filter((group) => group !== "");
  return { number: at + 1, groups: hasColon ? [offset, ...groups] : groups, hasColon };
}

/** Whether the first group of each line is the offset of the line in `radix`. */
function hasOffsets(lines: readonly Line[], radix: number): boolean {
  let next: number | undefined;
  let isRepeating = false;
  for (const line of lines) {
    const { groups, hasColon } = line;
    if (groups[0] === "*" && groups.length === 1) {
      isRepeating = true;
      continue;
    }
    const [first, ...others] = groups;
    if (!hasColon && first.length < MIN_OFFSET_DIGITS) return false;
    if (others.length === 0 && line !== lines.at(-1)) return false; // only the end may be an offset alone
    const offset = parseInt(first, radix);
    if (!isRepeating && offset !== (next ?? (hasColon ? offset : 0))) return false;
    isRepeating = false;
    next = offset + others.join("").length / 2;
  }
  // One line of zeros may be four bytes of 0, or an offset. An offset is wider than what follows.
  const [{ groups: [first, second], hasColon }] = lines;
  return hasColon || lines.length > 1 || second !== undefined && first.length > second.length;
}

function readDigits(groups: readonly string[], number: number): number[] {
  const wrong = groups.find((group) => /[^0-9a-f]/i.test(group));
  if (wrong !== undefined) {
    throw bad(number, `expected hexadecimal digits, got ${visibleJson(wrong.slice(0, 20))}`);
  }
  const odd = groups.find((group) => group.length % 2 === 1);
  if (odd !== undefined) throw bad(number, `a byte has two digits, got ${visibleJson(odd.slice(0, 20))}`);
  return (groups.join("").match(/../g) ?? []).map((digits) => parseInt(digits, 16));
}

function bad(line: number, problem: string): ParleyError {
  return new ParleyError("bad_argument", `line ${line} of the hex dump: ${problem}`);
}
