/**
 * Received messages. Each reads its fields from the bytes it arrived in.
 *
 * @module
 */

import { ParleyError } from "../errors.ts";
import { HEADER_BYTES } from "../limits.ts";
import { KIND_MASK, MESSAGE_HEADERS, Type, u16, u32 } from "../wire/header.ts";
import { decodeMessageHeaders, type MessageHeaders } from "../wire/message_headers.ts";
import type { ContentKind, Message, Payload, PublishOptions } from "./api.ts";
import { badArgument } from "./checks.ts";

/** The `channel` of a direct message. No channel can have this name, because names with `$` belong to the server. */
export const INBOX_NAME = "$inbox";

/** The names of the content kinds, by their bits. */
const KIND_NAMES: readonly ContentKind[] = ["bytes", "text", "json"];

/** Sends the reply to request `id` of session `requester`. */
export type SendReply = (
  id: number,
  requester: number,
  payload: Payload,
  options?: PublishOptions,
) => Promise<void>;

const NO_HEADERS: MessageHeaders = Object.freeze({});

const decoder = new TextDecoder();

/**
 * The message in the frame at `bytes[at]`, or a `bad_payload` error if its message headers are malformed. The bytes must
 * belong to the message and not change. A REQUEST can be answered if `sendReply` is given.
 */
export function readMessage(
  bytes: Uint8Array,
  at: number,
  channel: string,
  number: number,
  sendReply?: SendReply,
): Message | ParleyError {
  let headers = NO_HEADERS;
  if ((bytes[at + 1] & MESSAGE_HEADERS) !== 0) {
    const from = at + HEADER_BYTES;
    const decoded = decodeMessageHeaders(bytes.subarray(from, from + u32(bytes, at + 4)));
    if ("problem" in decoded) {
      const source = `a message of session ${u32(bytes, at + 12)} on ${channel} was dropped`;
      return new ParleyError("bad_payload", `${source}: ${decoded.problem}`);
    }
    headers = decoded.headers;
  }
  if (bytes[at] === Type.REQUEST && sendReply !== undefined) {
    return new ReceivedRequest(bytes, at, channel, number, headers, u16(bytes, at + 2), sendReply);
  }
  return new ReceivedMessage(bytes, at, channel, number, headers);
}

/** Whether `message` is a request that has its reply. */
export function isAnswered(message: Message): boolean {
  return message instanceof ReceivedRequest && message.isAnswered;
}

/**
 * A message that makes its payload on demand: a `Uint8Array` costs ten times as much as the rest of a small message,
 * and a program that reads text, or only counts, needs none.
 */
class ReceivedMessage implements Message {
  readonly channel: string;
  readonly number: number;
  readonly sender: number;
  readonly headers: MessageHeaders;
  readonly #bytes: Uint8Array;
  readonly #at: number;
  #payload: Uint8Array | undefined;

  constructor(bytes: Uint8Array, at: number, channel: string, number: number, headers: MessageHeaders) {
    this.channel = channel;
    this.number = number;
    this.sender = u32(bytes, at + 12);
    this.headers = headers;
    this.#bytes = bytes;
    this.#at = at;
  }

  get kind(): ContentKind {
    return KIND_NAMES[this.#bytes[this.#at + 1] & KIND_MASK];
  }

  get payload(): Uint8Array {
    return this.#payload ??= this.#ownView();
  }

  /** A copy, unless the message has the bytes for itself. */
  #ownView(): Uint8Array {
    const view = this.#view();
    return view.length + HEADER_BYTES === this.#bytes.length ? view : view.slice();
  }

  /** The payload, in a buffer that it may share with other messages. */
  #view(): Uint8Array {
    const from = this.#at + HEADER_BYTES;
    const hasHeaders = (this.#bytes[this.#at + 1] & MESSAGE_HEADERS) !== 0;
    const contentAt = hasHeaders ? from + 2 + u16(this.#bytes, from) : from;
    return this.#bytes.subarray(contentAt, from + u32(this.#bytes, this.#at + 4));
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
    const text = "this message is not a request, so it has no reply; check isRequest first";
    return Promise.reject(badArgument(text));
  }
}

class ReceivedRequest extends ReceivedMessage {
  readonly #id: number;
  /** Undefined once the request is answered. */
  #sendReply: SendReply | undefined;

  constructor(
    bytes: Uint8Array,
    at: number,
    channel: string,
    number: number,
    headers: MessageHeaders,
    id: number,
    sendReply: SendReply,
  ) {
    super(bytes, at, channel, number, headers);
    this.#id = id;
    this.#sendReply = sendReply;
  }

  override get isRequest(): boolean {
    return true;
  }

  get isAnswered(): boolean {
    return this.#sendReply === undefined;
  }

  override reply(payload: Payload, options?: PublishOptions): Promise<void> {
    const sendReply = this.#sendReply;
    if (sendReply === undefined) return Promise.reject(badArgument("this request has its reply already"));
    this.#sendReply = undefined;
    return sendReply(this.#id, this.sender, payload, options).catch((error) => {
      this.#sendReply = sendReply; // nothing was sent
      throw error;
    });
  }
}
