/**
 * Reads messages from a channel or an inbox.
 *
 * @module
 */

import type { Message } from "../../lib/client/api.ts";

/** The next message of an iterable. */
export async function next(messages: AsyncIterable<Message>): Promise<Message> {
  for await (const message of messages) return message;
  throw new Error("the iteration ended");
}

/** The next `count` messages, as text. */
export async function texts(messages: AsyncIterable<Message>, count: number): Promise<string[]> {
  const found: string[] = [];
  for await (const message of messages) {
    found.push(message.text());
    if (found.length === count) break;
  }
  return found;
}
