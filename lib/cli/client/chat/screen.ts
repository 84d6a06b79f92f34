/**
 * What a chat shows, and how without a terminal: in two streams.
 *
 * @module
 */

import type { Message } from "../../../client/message_types.ts";
import type { PresenceChange } from "../../../client/options.ts";
import type { Output } from "../../output.ts";
import { visible } from "../../terminal.ts";

/** How a message has come; `stored` is one of `/history`. */
export type ReceivedType = "message" | "direct" | "reply" | "stored";

/** A message of another session, or a stored one. */
export type ReceivedMessage =
  & Pick<Message, "channel" | "sender" | "kind" | "headers" | "payload">
  & Partial<Pick<Message, "sequence">>;

/** A message to show. */
export interface ShownMessage {
  /** The sender's name, and what is behind it, such as ` (to you)`. */
  readonly name: string;
  readonly note: string;
  /** Before the name: the channel, unless it is the one that is talked on. */
  readonly channel: string | undefined;
  /** The text as it was sent. */
  readonly text: string;
  /** What was received; undefined if this client has sent it. */
  readonly received?: { readonly type: ReceivedType; readonly message: ReceivedMessage };
}

/** Where a chat shows what happens. */
export interface Screen {
  /** Shows a message. If it returns a promise, too much is pending: await it. */
  message(message: ShownMessage): Promise<void> | undefined;
  /** Shows an event in lines that are safe to show. */
  notice(text: string): void;
  /** The same for what went wrong. */
  problem(text: string): void;
  /** Shows a session that has joined or left. Without this method, lines of names are shown as notices. */
  presence?(channel: string, change: PresenceChange): void;
  /** Shows the members of a channel, id to name; there may be more than are listed. Without it: as a notice. */
  members?(channel: string, members: ReadonlyMap<number, string>, count: number): void;
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
