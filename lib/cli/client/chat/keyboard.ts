/**
 * A chat at a terminal: what is typed, and what becomes of it.
 *
 * @module
 */

import { describeFailure } from "../../failures.ts";
import { visible } from "../../terminal.ts";
import { interrupt, MARKED_PASTES, RawTerminal } from "../raw_terminal.ts";
import { chatHelp, complete, type Entry, parseEntry, usageOf } from "./commands.ts";
import type { Conversation } from "./conversation.ts";
import { type History, MAX_LINES } from "./history.ts";
import { LineEditor } from "./line_editor.ts";
import type { TerminalScreen } from "./terminal_screen.ts";

/** What a keyboard works on. */
export interface KeyboardOptions {
  readonly conversation: Conversation;
  readonly screen: TerminalScreen;
  readonly history: History;
}

/** How many choices Tab shows. */
const CHOICES_SHOWN = 50;

/** A prompt has at most so many characters of the channel's name. */
const CHANNEL_CHARACTERS = 24;

/** Reads the keyboard, from `start` to disposal. */
export class Keyboard implements AsyncDisposable {
  /** Resolves when the person at the keyboard ends the chat. */
  readonly ended: Promise<void>;

  readonly #conversation: Conversation;
  readonly #screen: TerminalScreen;
  readonly #history: History;
  readonly #editor: LineEditor;
  readonly #end: () => void;
  #terminal: RawTerminal | undefined;
  /** What was entered is done in order. */
  #last: Promise<void> = Promise.resolve();

  private constructor({ conversation, screen, history }: KeyboardOptions, earlier: string[]) {
    this.#conversation = conversation;
    this.#screen = screen;
    this.#history = history;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.ended = promise;
    this.#end = resolve;
    this.#editor = new LineEditor(earlier, MAX_LINES, {
      submitted: (text) => this.#submitted(text),
      completing: (beforeCursor) => this.#complete(beforeCursor),
      ended: () => void this.#last.then(resolve), // what was entered is sent
      interrupted: () => interrupt() || resolve(),
      suspended: () => this.#suspend(),
      cleared: () => screen.clear(),
    });
  }

  /** Loads the history, and begins to read `chunks`. */
  static async start(options: KeyboardOptions, chunks: AsyncIterable<Uint8Array>): Promise<Keyboard> {
    const keyboard = new Keyboard(options, await options.history.load());
    keyboard.#begin(chunks);
    return keyboard;
  }

  /** Shows the channel and the state of the connection in the prompt. */
  updatePrompt(): void {
    const { current = "", isConnected } = this.#conversation;
    const channel = current.length > CHANNEL_CHARACTERS
      ? `${current.slice(0, CHANNEL_CHARACTERS - 1)}…`
      : current;
    this.#screen.prompt(
      [channel, isConnected ? "" : "(offline)"].filter((part) => part !== "").join(" ") + "> ",
    );
  }

  /** Leaves the terminal as it was. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#screen.end();
    this.#terminal?.[Symbol.dispose]();
    this.#editor[Symbol.dispose]();
    await this.#history.saved();
  }

  #begin(chunks: AsyncIterable<Uint8Array>): void {
    this.#terminal = new RawTerminal({
      resized: () => this.#screen.refresh(),
      continued: () => this.#screen.begin(this.#editor),
    }, MARKED_PASTES);
    this.updatePrompt();
    this.#screen.begin(this.#editor);
    this.#read(chunks).then(this.#end, this.#end); // the terminal was closed
  }

  async #read(chunks: AsyncIterable<Uint8Array>): Promise<void> {
    for await (const chunk of chunks) {
      this.#editor.feed(chunk);
      this.#screen.refresh();
    }
  }

  #submitted(line: string): void {
    if (line.trim() === "") return;
    this.#history.add(line);
    const entry = parseEntry(line);
    this.#last = this.#last.then(() => this.#perform(entry)).catch((error) => {
      this.#screen.problem((entry.kind === "text" ? "not sent: " : "") + describeFailure(error));
      // What was not sent can be changed and sent again.
      if (this.#editor.line === "") this.#editor.insert(line);
      this.#screen.refresh();
    });
  }

  async #perform(entry: Entry): Promise<void> {
    const conversation = this.#conversation;
    if (entry.kind === "unknown") return this.#screen.problem(visible(entry.problem));
    if (entry.kind === "text") return await conversation.say(entry.text);
    const { name, argument } = entry;
    switch (name) {
      case "join":
        if (argument === "") return this.#screen.problem(`/join needs a channel: ${usageOf(name)}`);
        return await conversation.join(argument);
      case "leave":
        return await conversation.leave(argument);
      case "who":
        return conversation.who(argument);
      case "msg":
        return await conversation.tell(argument);
      case "ask":
        return this.#report(conversation.ask(argument)); // others need not wait for the reply
      case "history":
        return await conversation.history(argument);
      case "help":
        return this.#screen.notice(chatHelp());
      default:
        return this.#end();
    }
  }

  #report(work: Promise<void>): void {
    work.catch((error) => this.#screen.problem(describeFailure(error)));
  }

  #complete(beforeCursor: string): { typed: number; text: string } | undefined {
    const { known: channels, joined, people, own } = this.#conversation;
    const names = [...people.present].filter(([id]) => id !== own).map(([id]) => people.label(id));
    const completion = complete(beforeCursor, { channels, joined, names });
    if (completion === undefined) return undefined;
    const { choices, ...change } = completion;
    if (choices.length > 0) {
      const more = choices.length > CHOICES_SHOWN ? ` and ${choices.length - CHOICES_SHOWN} more` : "";
      this.#screen.notice(choices.slice(0, CHOICES_SHOWN).map(visible).join("  ") + more);
    }
    return change;
  }

  async #suspend(): Promise<void> {
    await this.#screen.end();
    this.#terminal?.suspend();
  }
}
