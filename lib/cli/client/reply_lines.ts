/**
 * Answers requests with objects that another program writes: requests go out as lines of JSON with an id, and replies
 * come in as lines with the same id.
 *
 * @module
 */

import type { Request } from "../../client/message_types.ts";
import { formatMilliseconds } from "../../config/option.ts";
import { CommandError } from "../failures.ts";
import { lines, MAX_FIELDS_BYTES, type Source } from "./input.ts";
import { formatMessageJson, type OutgoingMessage, parseMessageJson } from "./message_json.ts";

/** What {@linkcode ReplyLines} needs. */
export interface ReplyLinesOptions {
  /** Prints a line. */
  readonly print: (line: string) => Promise<void> | undefined;
  /** Reports a line that answers nothing. */
  readonly printError: (text: string) => void;
  /** How long a reply may take, in milliseconds. */
  readonly timeoutMs: number;
  /** The most bytes in a reply. */
  readonly maxBytes: number;
}

/** Requests that wait for their replies. */
export class ReplyLines {
  readonly #options: ReplyLinesOptions;
  readonly #waiting = new Map<number, PromiseWithResolvers<OutgoingMessage>>();
  #lastId = 0;

  /** Nothing is answered before {@linkcode read} is called. */
  constructor(options: ReplyLinesOptions) {
    this.#options = options;
  }

  /**
   * Prints the request, and sends the reply when it comes.
   *
   * @throws {CommandError} if none comes in time
   */
  async answer(request: Request): Promise<void> {
    const { print, timeoutMs } = this.#options;
    const id = ++this.#lastId;
    const reply = Promise.withResolvers<OutgoingMessage>();
    this.#waiting.set(id, reply);
    const fail = (reason: string) => reply.reject(new CommandError(reason));
    const timer = setTimeout(() => fail(`no reply within ${formatMilliseconds(timeoutMs)}`), timeoutMs);
    const giveUp = () => fail("the requester is gone");
    request.signal.addEventListener("abort", giveUp);
    try {
      await print(formatMessageJson(request, { id }));
      const { payload, kind, headers } = await reply.promise;
      await request.reply(payload, {
        kind,
        headers: Object.keys(headers).length === 0 ? undefined : headers,
      });
    } finally {
      clearTimeout(timer);
      request.signal.removeEventListener("abort", giveUp);
      this.#waiting.delete(id);
    }
  }

  /** Reads replies until the end of `source`. Then the requests that still wait fail. */
  async read(source: Source): Promise<void> {
    const { maxBytes, printError } = this.#options;
    let number = 0;
    for await (const line of lines(source, 8 * maxBytes + MAX_FIELDS_BYTES)) {
      const label = `line ${++number} of ${source.name}`;
      if (line.length === 0) continue;
      const reply = parseMessageJson(line, label);
      const waiting = reply.id === undefined ? undefined : this.#waiting.get(reply.id);
      if (waiting === undefined) {
        printError(`${label} answers no request that waits; the id of one is needed`);
      }
      waiting?.resolve(reply);
    }
    for (const { reject } of this.#waiting.values()) {
      reject(new CommandError("there are no more replies on stdin"));
    }
  }
}
