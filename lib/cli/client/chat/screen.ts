/**
 * What a chat shows, and how without a terminal: in two streams.
 *
 * @module
 */

import type { Output } from "../../output.ts";
import { visible } from "../../terminal.ts";

/** A message to show. */
export interface ShownMessage {
  /** The sender's name, and what is behind it, such as ` (to you)`. */
  readonly name: string;
  readonly note: string;
  /** Before the name: the channel, unless it is the one that is talked on. */
  readonly channel: string | undefined;
  /** The text as it was sent. */
  readonly text: string;
}

/** Where a chat shows what happens. */
export interface Screen {
  /** Shows a message. If it returns a promise, too much is pending: await it. */
  message(message: ShownMessage): Promise<void> | undefined;
  /** Shows an event in lines that are safe to show. */
  notice(text: string): void;
  /** The same for what went wrong. */
  problem(text: string): void;
}

/** Without a terminal: messages go to stdout, one line each, and all else to stderr. */
export class StreamScreen implements Screen {
  readonly #output: Output;
  readonly #printLine: (line: string) => void;

  constructor(output: Output, printLine: (line: string) => void) {
    this.#output = output;
    this.#printLine = printLine;
  }

  message({ name, note, channel, text }: ShownMessage): Promise<void> | undefined {
    const prefix = channel === undefined ? "" : `[${channel}] `;
    return this.#output.line(`${prefix}${visible(name)}${note}: ${visible(text)}`);
  }

  notice(text: string): void {
    for (const line of text.split("\n")) this.#printLine(`* ${line}`);
  }

  problem(text: string): void {
    this.notice(text);
  }
}
