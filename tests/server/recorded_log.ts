/**
 * A log that tests read: what the server says of itself is often the only event there is to wait for.
 *
 * @module
 */

import type { Log } from "../../lib/logging/log.ts";
import { within } from "../raw_client.ts";

/** One line of the log. */
export type Line = { readonly level: string; readonly message: string } & Record<string, unknown>;

/** Keeps every line, and lets tests wait for one. */
export class RecordedLog {
  readonly lines: Line[] = [];
  /** What `serve` takes. */
  readonly log: Log = this.#with({});
  #woken = Promise.withResolvers<void>();

  /** Keeps one more line. */
  push(line: Line): void {
    this.lines.push(line);
    this.#woken.resolve();
    this.#woken = Promise.withResolvers();
  }

  /**
   * Keeps the lines of a process' stderr. Reads to the end, always: a server whose log nobody reads stands still once
   * the pipe is full.
   */
  async follow(stderr: ReadableStream<Uint8Array>, heard: (text: string) => void = () => {}): Promise<void> {
    let rest = "";
    for await (const chunk of stderr.pipeThrough(new TextDecoderStream())) {
      heard(chunk);
      const lines = (rest + chunk).split("\n");
      rest = lines.pop()!;
      for (const line of lines) this.push(parseLine(line));
    }
  }

  /** The lines with this message. */
  all(message: string): Line[] {
    return this.lines.filter((line) => line.message === message);
  }

  /** Waits for a line with this message and these properties. */
  async until(message: string, properties: Record<string, unknown> = {}): Promise<Line> {
    const wanted = Object.entries({ ...properties, message });
    while (true) {
      const line = this.lines.find((line) => wanted.every(([key, value]) => line[key] === value));
      if (line !== undefined) return line;
      await within(this.#woken.promise, `line ${JSON.stringify({ message, ...properties })} in the log`);
    }
  }

  #with(context: Record<string, unknown>): Log {
    const at = (level: string) => (message: string, properties: Record<string, unknown> = {}) => {
      this.push({ ...context, ...properties, level, message });
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

/** A line of the log; what is none, such as a panic of the runtime, is kept as it is. */
function parseLine(line: string): Line {
  try {
    return JSON.parse(line);
  } catch {
    return { level: "none", message: line };
  }
}
