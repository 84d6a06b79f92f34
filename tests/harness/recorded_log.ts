/**
 * A server's log, kept: often the only event that a test can wait for.
 *
 * @module
 */

import type { Log } from "../../lib/logging/log.ts";
import { within } from "./deadline.ts";

/** One line of the log. */
export type Line = { readonly level: string; readonly message: string } & Record<string, unknown>;

/** Keeps every line, and lets tests wait for one. */
export class RecordedLog {
  readonly lines: Line[] = [];
  /** What `serve` takes. */
  readonly log: Log = this.#with({});
  #woken = Promise.withResolvers<void>();

  /** Keeps a line that a server process wrote. What is no JSON, such as a panic of the runtime, gets level `none`. */
  readLine(line: string): void {
    this.#push(parseLine(line));
  }

  /** The lines with this message. */
  all(message: string): Line[] {
    return this.lines.filter((line) => line.message === message);
  }

  /** Waits for a line with this message and these properties. */
  until(message: string, properties: Record<string, unknown> = {}): Promise<Line> {
    const wanted = Object.entries({ ...properties, message });
    return this.#until(
      (line) => wanted.every(([key, value]) => line[key] === value),
      JSON.stringify({ message, ...properties }),
    );
  }

  /** Waits for a line whose message begins with `message` and whose JSON has `words` in it. */
  untilLike(message: string, words: string = ""): Promise<Line> {
    return this.#until(
      (line) => line.message.startsWith(message) && JSON.stringify(line).includes(words),
      `"${message}..." with ${words}`,
    );
  }

  async #until(isWanted: (line: Line) => boolean, what: string): Promise<Line> {
    for (let seen = 0;;) {
      for (; seen < this.lines.length; seen++) if (isWanted(this.lines[seen])) return this.lines[seen];
      await within(this.#woken.promise, `line ${what} in the log`);
    }
  }

  #push(line: Line): void {
    this.lines.push(line);
    this.#woken.resolve();
    this.#woken = Promise.withResolvers();
  }

  #with(context: Record<string, unknown>): Log {
    const at = (level: string) => (message: string, properties: Record<string, unknown> = {}) => {
      this.#push({ ...context, ...properties, level, message });
    };
    return {
      with: (more) => this.#with({ ...context, ...more }),
      debug: at("debug"),
      info: at("info"),
      warn: at("warn"),
      error: at("error"),
    };
  }
}

function parseLine(line: string): Line {
  try {
    return JSON.parse(line);
  } catch {
    return { level: "none", message: line };
  }
}
