/**
 * Reads messages from a subscription or an inbox, which go on.
 *
 * @module
 */

import type { Message } from "../../lib/client/message_types.ts";

/** The next message of an iterable. */
export async function next(messages: AsyncIterable<Message>): Promise<Message> {
  const { value } = await messages[Symbol.asyncIterator]().next();
  if (value === undefined) throw new Error("the iteration ended");
  return value;
}

/** The next `count` messages, as text. */
export async function texts(messages: AsyncIterable<Message>, count: number): Promise<string[]> {
  const found: string[] = [];
  while (found.length < count) found.push((await next(messages)).text());
  return found;
}
