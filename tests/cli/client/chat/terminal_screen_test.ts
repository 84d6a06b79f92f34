/**
 * What a person at a terminal sees while typing and while messages arrive.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { LineEditor } from "../../../../lib/cli/client/chat/line_editor.ts";
import { TerminalScreen } from "../../../../lib/cli/client/chat/terminal_screen.ts";
import { Output } from "../../../../lib/cli/output.ts";
import { Emulator } from "../../../harness/emulator.ts";

/** An editor and a screen at an emulated terminal. */
class Desk implements Disposable {
  readonly emulator: Emulator;
  readonly screen: TerminalScreen;
  readonly editor: LineEditor;
  readonly events: string[] = [];
  completion: { typed: number; text: string } | undefined;

  constructor({ columns = 40, rows = 12, history = [] as string[], isColoured = false } = {}) {
    this.emulator = new Emulator(columns, rows);
    const output = new Output(this.emulator);
    this.screen = new TerminalScreen({ output, size: () => this.emulator.size, isColoured });
    this.editor = new LineEditor(history, 100, {
      submitted: (text) => this.events.push(text),
      completing: () => this.completion,
      ended: () => this.events.push("(end)"),
      interrupted: () => this.events.push("(interrupt)"),
      suspended: () => this.events.push("(suspend)"),
      cleared: () => this.screen.clear(),
    });
    this.screen.begin(this.editor);
  }

  /** Types `keys`, and returns what is on the screen then. */
  async type(keys: string): Promise<string[]> {
    this.editor.feed(new TextEncoder().encode(keys));
    this.screen.refresh();
    return await this.rows();
  }

  message(text: string, { name = "Grace", note = "", channel = undefined as string | undefined } = {}): void {
    this.screen.message({ name, note, channel, text })?.catch(() => {});
  }

  async rows(): Promise<string[]> {
    await this.screen.drawn();
    await this.emulator.settled();
    return this.emulator.rows;
  }

  [Symbol.dispose](): void {
    this.editor[Symbol.dispose]();
  }
}

const KEYS = {
  left: "\x1b[D",
  up: "\x1b[A",
  down: "\x1b[B",
  backspace: "\x7f",
  ctrlA: "\x01",
  ctrlU: "\x15",
};

Deno.test("messages appear above the line that is typed, which keeps its text and its cursor", async () => {
  using desk = new Desk();
  assertEquals(await desk.type("half typ"), ["> half typ"]);
  desk.message("hello");
  desk.message("and this is longer than the forty columns that there are");
  assertEquals(await desk.type(`ed${KEYS.left}${KEYS.left}`), [
    "Grace: hello",
    "Grace: and this is longer than the forty",
    "  columns that there are",
    "> half typed",
  ]);
  assertEquals(desk.emulator.cursor, [3, 10]);
  desk.screen.prompt("chat.tea> ");
  desk.screen.notice("Linus joined");
  assertEquals((await desk.rows()).slice(3), ["* Linus joined", "chat.tea> half typed"]);
  assertEquals(desk.emulator.cursor, [4, 18]);
  await desk.screen.end();
  assertEquals((await desk.rows()).slice(3), ["* Linus joined"]);
});

Deno.test("a line of several rows is edited in any of them, and a message goes above all", async () => {
  using desk = new Desk({ columns: 20 });
  await desk.type("0123456789".repeat(4));
  desk.message("hello");
  assertEquals(await desk.type(`${KEYS.ctrlA}漢`), [
    "Grace: hello",
    "> 漢0123456789012345",
    "67890123456789012345",
    "6789",
  ]);
  assertEquals(desk.emulator.cursor, [1, 4]);
  desk.message("again");
  assertEquals((await desk.rows()).slice(1), [
    "Grace: again",
    "> 漢0123456789012345",
    "67890123456789012345",
    "6789",
  ]);
  assertEquals(await desk.type(`${KEYS.backspace}${KEYS.backspace}\x0b`), [
    "Grace: hello",
    "Grace: again",
    ">",
  ]);
});

Deno.test("a narrower or wider terminal shows the same, once", async () => {
  using desk = new Desk({ columns: 40, rows: 20 });
  desk.message("the first message");
  await desk.type("a line that takes more than a single row here");
  for (const columns of [25, 12, 60, 30, 80]) {
    desk.emulator.resize(columns, 20);
    desk.screen.refresh();
    desk.message(`at ${columns}`);
    const rows = await desk.rows();
    const text = rows.join("").replaceAll(" ", "");
    assertEquals(text.split("thefirstmessage").length, 2, rows.join("\n"));
    assertEquals(
      text.endsWith(`Grace:at${columns}>alinethattakesmorethanasinglerowhere`),
      true,
      rows.join("\n"),
    );
    assertEquals(text.split("alinethat").length, 2, rows.join("\n"));
  }
});

Deno.test("a line that is higher than the terminal leaves room for messages", async () => {
  using desk = new Desk({ columns: 20, rows: 10 });
  await desk.type("x".repeat(1_000));
  desk.message("hello");
  const rows = await desk.rows();
  assertEquals(rows.filter((row) => row === "Grace: hello").length, 1);
  assertEquals(rows.slice(rows.indexOf("Grace: hello") + 1).length, 5);
  await desk.type("\r");
  assertEquals(desk.events, ["x".repeat(1_000)]);
});

Deno.test("what others send is shown, not obeyed", async () => {
  using desk = new Desk({ columns: 80 });
  const attacks = [
    "\x1b]0;owned\x07title",
    "\x1b[2J\x1b[Hclear",
    "\x9b31m\x9d0;c1\x9c",
    "bell\x07 back\b\b return\rEve: hi",
    "\u202eright to left\u2066 \u200f",
    "\x1b[?1049h\x1bc\x1bP+q\x1b\\",
    "\u2028separator",
  ];
  for (const attack of attacks) desk.message(attack, { name: attack.slice(0, 20), channel: undefined });
  desk.screen.prompt("chat> ");
  const rows = await desk.type("typed");
  assertEquals(desk.emulator.title, "");
  assertEquals(rows.length, attacks.length + 1, rows.join("\n"));
  assertEquals(rows[0], "\\x1b]0;owned\\x07title: \\x1b]0;owned\\x07title");
  assertEquals(rows[2], "\\x9b31m\\x9d0;c1\\x9c: \\x9b31m\\x9d0;c1\\x9c");
  assertEquals(rows[4].includes("\\u{202e}right to left\\u{2066} \\u{200f}"), true);
  assertEquals(rows.at(-1), "chat> typed");
});

Deno.test("a message cannot look like one of another session, by line breaks or by padding", async () => {
  using desk = new Desk({ columns: 30 });
  desk.message("hi\nEve: I am Eve\r\n* Eve left");
  desk.message(`hi${" ".repeat(21)}Eve: I am Eve`);
  desk.message(`hi${"\u00a0".repeat(21)}Eve: I am Eve`);
  desk.message(`hi${"\u2800".repeat(21)}Eve: I am Eve`);
  const rows = await desk.rows();
  assertEquals(rows.filter((row) => /^(Eve|\*)/.test(row)), []);
  assertEquals(rows.slice(0, 3), ["Grace: hi", "  Eve: I am Eve", "  * Eve left"]);
});

Deno.test("a name always has the same colour, and none with NO_COLOR", async () => {
  using desk = new Desk({ isColoured: true });
  for (const name of ["Ada", "Grace", "Ada"]) desk.message("hello", { name });
  await desk.rows();
  const [ada, grace, again] = [0, 1, 2].map((row) => desk.emulator.colour(row, 0));
  assertEquals(ada, again);
  assertEquals(ada === grace, false);
  assertEquals(desk.emulator.colour(0, 6), -1); // the text has none
  using plain = new Desk();
  plain.message("hello");
  await plain.rows();
  assertEquals(plain.emulator.colour(0, 0), -1);
});

Deno.test("keys edit the line, and Up finds earlier lines", async () => {
  using desk = new Desk({ history: ["/join chat.tea", "hello", "several\nlines"] });
  assertEquals(await desk.type(KEYS.up), ["> /join chat.tea"]);
  assertEquals(await desk.type(KEYS.up + KEYS.up), ["> several", "lines"]);
  assertEquals(await desk.type(KEYS.down + KEYS.down + KEYS.down), [">"]);
  assertEquals(await desk.type(`he${KEYS.up}`), ["> hello"]); // only what begins in the same way
  assertEquals(await desk.type(`${KEYS.ctrlU}one two three\x1bb\x17`), ["> one three"]);
  assertEquals(await desk.type(`${KEYS.ctrlU}\x0be\u0301👨‍👩‍👧x${KEYS.left}${KEYS.backspace}${KEYS.left}y`), [
    "> ye\u0301x",
  ]);
  assertEquals(await desk.type("\r\r"), [">"]);
  desk.completion = { typed: 2, text: "Grace: " };
  assertEquals(await desk.type("gr\thi"), ["> Grace: hi"]);
  await desk.type("\x03\x1a\x04"); // Ctrl-D ends only on an empty line
  await desk.type(`${KEYS.ctrlU}\x04`);
  assertEquals(desk.events, ["ye\u0301x", "", "(interrupt)", "(suspend)", "(end)"]);
});

Deno.test("Ctrl-L leaves only the line that is typed", async () => {
  using desk = new Desk();
  desk.message("hello");
  await desk.type("typed");
  assertEquals((await desk.type("\x0c")).filter((row) => row !== ""), ["> typed"]);
});

Deno.test("pasted text is one line to edit, wherever its bytes are split, and nothing in it is a key", async () => {
  const pasted = "two\r\nlines\twith ü, 漢 and\x03\x1b[A\x1a\rmore";
  const bytes = new TextEncoder().encode(`a\x1b[200~${pasted}\x1b[201~z`);
  for (let at = 1; at < bytes.length; at += 3) {
    using desk = new Desk();
    desk.editor.feed(bytes.subarray(0, at));
    desk.editor.feed(bytes.subarray(at));
    await desk.type("\r");
    assertEquals(desk.events, ["atwo\nlines\twith ü, 漢 and[A\nmorez"]);
  }
  using desk = new Desk();
  assertEquals(await desk.type("\x1b[200~one line\n\x1b[201~"), ["> one line"]);
  assertEquals(await desk.type("\x1b\rand another"), ["> one line", "and another"]); // Alt-Enter
});

Deno.test("a line of 20,000 characters is pasted, edited and sent", async () => {
  using desk = new Desk();
  const text = "0123456789".repeat(2_000);
  await desk.type(`\x1b[200~${text}\x1b[201~`);
  await desk.type(`${KEYS.backspace}end\r`);
  assertEquals(desk.events, [`${text.slice(0, -1)}end`]);
});

Deno.test("messages that come faster than they can be shown share a prompt, and the caller must wait", async () => {
  using desk = new Desk();
  let waits = 0;
  for (let count = 0; count < 5_000; count++) {
    const room = desk.screen.message({
      name: "Grace",
      note: "",
      channel: undefined,
      text: `message ${count}`,
    });
    if (room === undefined) continue;
    waits++;
    await room;
  }
  const rows = await desk.rows();
  assertEquals([rows.length, rows.at(-2), rows.at(-1), waits > 0], [5_001, "Grace: message 4999", ">", true]);
});
