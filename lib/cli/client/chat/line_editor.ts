/**
 * The line that is being typed. Node's readline knows the keys and keeps the history; this decides which keys it gets,
 * takes pasted text as it is, and moves over whole characters as people count them.
 *
 * It shows nothing: `screen.ts` does. readline would write to the terminal itself, and knows nothing of messages that
 * arrive above the line.
 *
 * @module
 */

import { EventEmitter } from "node:events";
import { createInterface, emitKeypressEvents, type Interface, type Key } from "node:readline";
import { PassThrough, Writable } from "node:stream";
import { BREAK, graphemes, TAB } from "./layout.ts";

/** What the person at the keyboard wants. */
export interface EditorEvents {
  /** Enter: here is the line, and the next one begins. */
  submitted(text: string): void;
  /** Tab. Returns what to put in place of the last `typed` UTF-16 units before the cursor; undefined for nothing. */
  completing(beforeCursor: string): { readonly typed: number; readonly text: string } | undefined;
  /** Ctrl-D on an empty line. */
  ended(): void;
  /** Ctrl-C. */
  interrupted(): void;
  /** Ctrl-Z. */
  suspended(): void;
  /** Ctrl-L. */
  cleared(): void;
}

/** The keys that delete or pass one character, with its side of the cursor. */
const STEPS: Readonly<Record<string, "before" | "behind">> = {
  left: "before",
  right: "behind",
  backspace: "before",
  delete: "behind",
};

/** A character is searched for in so many UTF-16 units on one side of the cursor; emoji are shorter. */
const CHARACTER_UNITS = 64;

/** The older of two runtimes reports a mark of pasted text in two parts. */
const PASTE = /^\[20([01])(~?)$/;

// deno-lint-ignore no-control-regex -- pasted control characters are dropped
const CONTROLS = /[\x00-\x1f\x7f-\x9f]/g;

/** Edits lines; see the module's comment. */
export class LineEditor implements Disposable {
  readonly #readline: Interface;
  readonly #keys = new EventEmitter();
  readonly #events: EditorEvents;
  /** Characters of this chunk that readline has not got yet: each call of it costs time in proportion to the line. */
  #typed = "";
  /** Undefined unless text is being pasted. */
  #pasted: string[] | undefined;
  #skipsTilde = false;

  /** `history` has the newest line first. */
  constructor(history: readonly string[], maxHistory: number, events: EditorEvents) {
    this.#events = events;
    const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
    this.#readline = createInterface({
      input: new PassThrough(), // nothing comes from it: keys are passed with write()
      output: Object.assign(nowhere, { columns: Infinity }),
      terminal: true,
      history: history.map(toEditable),
      historySize: maxHistory,
      removeHistoryDuplicates: true,
    });
    this.#readline.on("line", (line) => events.submitted(fromEditable(line)));
    emitKeypressEvents(this.#keys as unknown as PassThrough);
    this.#keys.on("keypress", (text: string | undefined, key: Key) => this.#key(text, key));
  }

  /** The line, as `layOut` takes it. */
  get line(): string {
    return this.#readline.line;
  }

  /** Where the cursor is in it, in UTF-16 units. */
  get cursor(): number {
    return this.#readline.cursor;
  }

  /** Takes what the keyboard sent. */
  feed(chunk: Uint8Array): void {
    this.#keys.emit("data", chunk);
    this.#flush();
  }

  /** Puts text at the cursor. */
  insert(text: string): void {
    if (text !== "") this.#readline.write(toEditable(text));
  }

  [Symbol.dispose](): void {
    this.#keys.removeAllListeners();
    this.#readline.close();
  }

  #key(text: string | undefined, key: Key): void {
    if (this.#skipsTilde) {
      this.#skipsTilde = false;
      if (text === "~") return;
    }
    const mark = PASTE.exec((key as { code?: string }).code ?? "");
    if (mark !== null) {
      this.#skipsTilde = mark[2] === "";
      return mark[1] === "0" ? this.#beginPaste() : this.#endPaste();
    }
    if (this.#pasted !== undefined) return void this.#pasted.push(key.sequence ?? "");
    const isPlain = !key.ctrl && !key.meta;
    if (isPlain && text && key.name !== "return" && !text.match(CONTROLS)) {
      this.#typed += text;
      return;
    }
    this.#flush();
    this.#command(text, key, isPlain);
  }

  #command(text: string | undefined, key: Key, isPlain: boolean): void {
    const { name = "" } = key;
    if (key.ctrl && !key.meta) {
      if (name === "c") return this.#events.interrupted();
      if (name === "z") return this.#events.suspended();
      if (name === "l") return this.#events.cleared();
      if (name === "d" && this.line === "") return this.#events.ended();
    }
    if (isPlain && name === "tab") return this.#complete();
    if (key.meta && (name === "return" || name === "enter")) return this.insert("\n");
    const steps = isPlain && name in STEPS ? this.#codePoints(STEPS[name]) : 1;
    for (let step = 0; step < steps; step++) this.#readline.write(text as string, key);
  }

  #flush(): void {
    const typed = this.#typed;
    this.#typed = "";
    this.insert(typed);
  }

  #complete(): void {
    const completion = this.#events.completing(this.line.slice(0, this.cursor));
    if (completion === undefined) return;
    const typed = this.line.slice(this.cursor - completion.typed, this.cursor);
    if (completion.text.startsWith(typed)) return this.insert(completion.text.slice(typed.length));
    for (const _ of typed) this.#readline.write(null as unknown as string, { name: "backspace" });
    this.insert(completion.text);
  }

  #beginPaste(): void {
    this.#flush();
    this.#pasted = [];
  }

  #endPaste(): void {
    const pasted = this.#pasted?.join("") ?? "";
    this.#pasted = undefined;
    // One line that was copied with its end is still one line.
    this.insert(pasted.replace(/\r\n?/g, "\n").replace(/^([^\n]*)\n$/, "$1"));
  }

  /** How many code points the character beside the cursor has: readline takes one step for each. */
  #codePoints(side: "before" | "behind"): number {
    const { line, cursor } = this;
    const text = side === "before"
      ? line.slice(Math.max(0, cursor - CHARACTER_UNITS), cursor)
      : line.slice(cursor, cursor + CHARACTER_UNITS);
    const characters = [...graphemes(text)];
    return [...(side === "before" ? characters.at(-1) : characters[0]) ?? " "].length;
  }
}

function toEditable(text: string): string {
  return text.replace(CONTROLS, (char) => char === "\n" ? BREAK : char === "\t" ? TAB : "");
}

function fromEditable(line: string): string {
  return line.replaceAll(BREAK, "\n").replaceAll(TAB, "\t");
}
