/**
 * A received message, taken out of the bytes it came in.
 *
 * @module
 */

import { ParleyError } from "../errors.ts";
import { HEADER_BYTES } from "../limits.ts";
import { KIND_MASK, Type, u16, u32 } from "../wire/header.ts";
import type { ContentKind, Message, Payload, PublishOptions } from "./api.ts";
import { KIND_NAMES } from "./payload.ts";

/** What `channel` says of a direct message; no channel can be called so, because `$` is the server's. */
export const INBOX_NAME = "$inbox";

/** Sends the reply to request `id` of session `asker`. */
export type Answer = (id: number, asker: number, payload: Payload, options?: PublishOptions) => Promise<void>;

const decoder = new TextDecoder();

/**
 * Takes the message of the frame at `bytes[at]`, which must be the message's to keep, and not change. `answer` makes it
 * one that can be answered.
 */
export function takeMessage(
  bytes: Uint8Array,
  at: number,
  channel: string,
  number: number,
  answer?: Answer,
): Message {
  if (bytes[at] === Type.REQUEST && answer !== undefined) {
    return new ReceivedRequest(bytes, at, channel, number, u16(bytes, at + 2), answer);
  }
  return new ReceivedMessage(bytes, at, channel, number);
}

/**
 * A message that reads its fields when asked: making a `Uint8Array` costs ten times what the rest of a small message
 * does, and who wants its text, or only counts, needs none.
 */
class ReceivedMessage implements Message {
  readonly channel: string;
  readonly number: number;
  readonly sender: number;
  readonly #bytes: Uint8Array;
  readonly #at: number;
  #payload: Uint8Array | undefined;

  constructor(bytes: Uint8Array, at: number, channel: string, number: number) {
    this.channel = channel;
    this.number = number;
    this.sender = u32(bytes, at + 12);
    this.#bytes = bytes;
    this.#at = at;
  }

  get kind(): ContentKind {
    return KIND_NAMES[this.#bytes[this.#at + 1] & KIND_MASK];
  }

  get payload(): Uint8Array {
    return this.#payload ??= this.#ownView();
  }

  /** A copy, unless there are no neighbours. */
  #ownView(): Uint8Array {
    const view = this.#view();
    return view.length + HEADER_BYTES === this.#bytes.length ? view : view.slice();
  }

  /** The payload, shared with its neighbours. */
  #view(): Uint8Array {
    const from = this.#at + HEADER_BYTES;
    return this.#bytes.subarray(from, from + u32(this.#bytes, this.#at + 4));
  }

  get isRequest(): boolean {
    return false;
  }

  text(): string {
    return decoder.decode(this.#payload ?? this.#view());
  }

  json(): unknown {
    try {
      return JSON.parse(this.text());
    } catch (cause) {
      const text = `a message of session ${this.sender} on ${this.channel} (kind ${this.kind}) is not JSON`;
      throw new ParleyError("bad_payload", text, { cause });
    }
  }

  reply(_payload: Payload, _options?: PublishOptions): Promise<void> {
    return Promise.reject(
      new ParleyError(
        "bad_argument",
        "only a request can be answered; this is a message, see its isRequest",
      ),
    );
  }
}

class ReceivedRequest extends ReceivedMessage {
  readonly #id: number;
  #answer: Answer | undefined;

  constructor(
    bytes: Uint8Array,
    at: number,
    channel: string,
    number: number,
    id: number,
    answer: Answer,
  ) {
    super(bytes, at, channel, number);
    this.#id = id;
    this.#answer = answer;
  }

  override get isRequest(): boolean {
    return true;
  }

  override reply(payload: Payload, options?: PublishOptions): Promise<void> {
    const answer = this.#answer;
    if (answer === undefined) {
      return Promise.reject(new ParleyError("bad_argument", "this request is answered already"));
    }
    this.#answer = undefined;
    return answer(this.#id, this.sender, payload, options).catch((error) => {
      this.#answer = answer; // nothing was sent
      throw error;
    });
  }
}
