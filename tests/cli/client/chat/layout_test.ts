import { assertEquals } from "@std/assert";
import { BREAK, graphemes, layOut, TAB, width, wrap } from "../../../../lib/cli/client/chat/layout.ts";

Deno.test("characters are as wide as terminals show them", () => {
  const widths: [string, number][] = [
    ["plain", 5],
    ["漢字", 4],
    ["😀", 2],
    ["👨‍👩‍👧", 2],
    ["🇩🇪", 2],
    ["e\u0301", 1],
    ["한", 2],
  ];
  for (const [text, columns] of widths) assertEquals([text, width(text)], [text, columns]);
  assertEquals([...graphemes("ae\u0301👨‍👩‍👧")], ["a", "e\u0301", "👨‍👩‍👧"]);
});

Deno.test("a line is laid out in rows that fit, whatever is in it and wherever the cursor is", () => {
  const pieces = ["a", "漢", "😀", "e\u0301", " ", BREAK, TAB, "\x1b", "👨‍👩‍👧"];
  for (const columns of [8, 9, 13]) {
    const line = Array.from({ length: 60 }, (_, at) => pieces[(at * 7 + columns) % pieces.length]).join("");
    for (let cursor = 0; cursor <= line.length; cursor++) {
      const { rows, cursorRow, cursorColumn } = layOut("> ", line, cursor, columns, 100);
      for (const row of rows) assertEquals(width(row) <= columns, true, JSON.stringify({ row, columns }));
      assertEquals([cursorRow < rows.length, cursorColumn < columns], [true, true]);
    }
  }
});

Deno.test("the cursor is in the row and the column of its character", () => {
  const at = (line: string, cursor: number) => {
    const { cursorRow, cursorColumn } = layOut("> ", line, cursor, 10, 100);
    return [cursorRow, cursorColumn];
  };
  assertEquals(at("", 0), [0, 2]);
  assertEquals(at("漢字", 1), [0, 4]);
  assertEquals(at("12345678", 8), [1, 0]); // a full row: the next character comes into the next one
  assertEquals(at("1234567漢", 7), [1, 0]); // which a wide character does earlier
  assertEquals(at(`one${BREAK}two`, 3), [0, 5]);
  assertEquals(at(`one${BREAK}two`, 4), [1, 0]);
  assertEquals(at(`a${TAB}b`, 2), [0, 8]);
});

Deno.test("of a line that is too high, the rows around the cursor are shown", () => {
  const line = "0123456789".repeat(10);
  const shown = (cursor: number) => {
    const { rows, above, cursorRow } = layOut("", line, cursor, 10, 3);
    return [rows.length, above, cursorRow];
  };
  assertEquals([shown(0), shown(55), shown(99)], [[3, 0, 0], [3, 3, 2], [3, 7, 2]]);
});

Deno.test("a message is broken between words, and within a word that is longer than a row", () => {
  assertEquals(wrap("the quick brown fox", 12, 5, 2), ["the", "quick", "brown fox"]);
  assertEquals(wrap("the quick brown fox", 12, 2, 2), ["the quick", "brown fox"]);
  assertEquals(wrap("a abcdefghijklmnopq", 10, 0, 2), ["a abcdefgh", "ijklmnop", "q"]);
  assertEquals(wrap("漢字漢字漢字", 7, 0, 2), ["漢字漢", "字漢", "字"]);
  assertEquals(wrap("", 10, 3, 2), [""]);
});
