/**
 * The lines typed in earlier chats, in a file that only its user can read.
 *
 * @module
 */

import * as v from "valibot";
import type { Storage } from "../../../state/storage.ts";

const FILE = "chat_history.jsonl";

/** Lines kept; a person seldom goes further back. */
export const MAX_LINES = 1_000;

/** Longer lines are pasted rather than typed, and would make the file large. */
const MAX_CHARACTERS = 4_096;

/** What is never written to the file: join links and tokens, and direct messages, which are private. */
const PRIVATE = /parleys?:\/\/|\beyJ[\w-]|^\/msg\b/i;

const Line = v.string();

/** The history of one user. Chats at the same time share it. */
export class History {
  /** Undefined also after a failure. */
  #storage: Storage | undefined;
  readonly #report: (error: unknown) => void;
  #unsaved: string[] = [];
  #saving: Promise<void> = Promise.resolve();

  /** Without `storage` nothing is kept. `report` is called once if the file cannot be read or written. */
  constructor(storage: Storage | undefined, report: (error: unknown) => void) {
    this.#storage = storage;
    this.#report = report;
  }

  /** The lines of earlier chats, newest first. */
  async load(): Promise<string[]> {
    try {
      return (await this.#read()).reverse();
    } catch (error) {
      this.#fail(error);
      return [];
    }
  }

  /** Keeps a line in the background, unless it is private or begins with a space. */
  add(line: string): void {
    if (line.trim() === "" || line.startsWith(" ") || line.length > MAX_CHARACTERS || PRIVATE.test(line)) {
      return;
    }
    this.#unsaved.push(line);
    this.#saving = this.#saving.then(() => this.#save()).catch((error) => this.#fail(error));
  }

  /** Resolves when everything is written. */
  saved(): Promise<void> {
    return this.#saving;
  }

  #fail(error: unknown): void {
    this.#storage = undefined;
    this.#report(error);
  }

  async #save(): Promise<void> {
    const storage = this.#storage;
    const unsaved = this.#unsaved;
    if (storage === undefined || unsaved.length === 0) return;
    this.#unsaved = [];
    await storage.exclusive(async () => {
      // Each line once, where it was typed last.
      const newestFirst = new Set([...await this.#read(), ...unsaved].reverse());
      const lines = [...newestFirst].slice(0, MAX_LINES).reverse();
      await storage.write(FILE, lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
    });
  }

  /** Oldest first. Lines that are damaged are left out. */
  async #read(): Promise<string[]> {
    const text = await this.#storage?.read(FILE) ?? "";
    return text.split("\n").flatMap((line) => {
      try {
        return [v.parse(Line, JSON.parse(line))];
      } catch {
        return [];
      }
    }).slice(-MAX_LINES);
  }
}
