/**
 * Received messages. Each reads its fields from the bytes it arrived in.
 *
 * @module
 */

import { ParleyError } from "../errors.ts";
import { HEADER_BYTES } from "../limits.ts";
import { KIND_MASK, MESSAGE_HEADERS, Type, u16, u32 } from "../wire/header.ts";
import { decodeMessageHeaders, type MessageHeaders } from "../wire/message_headers.ts";
import { badArgument, checkOptions } from "./checks.ts";
import type { ContentKind, Message, Payload, ReplyOptions, Request, Schema } from "./message_types.ts";
import { RESOLVED } from "./waiting.ts";

/** The `channel` of a direct message. No channel can have this name, because names with `$` belong to the server. */
export const INBOX_NAME = "$inbox";

/** The names of the content kinds, by their bits. */
const KIND_NAMES: readonly ContentKind[] = ["bytes", "text", "json"];

/** Sends the reply to request `id` of session `requester`. */
export type SendReply = (
  id: number,
  requester: number,
  payload: Payload,
  options?: ReplyOptions,
) => Promise<void>;

/** Where messages come from: one channel of one session. */
export interface Origin {
  /** The channel's name. */
  readonly name: string;
  /** Its number. */
  readonly channelId: number;
  /** Sends the reply to a request. */
  readonly sendReply?: SendReply;
}

const NO_HEADERS: MessageHeaders = Object.freeze({});

const decoder = new TextDecoder();

/**
 * The message in the frame at `bytes[at]`, or a `bad_payload` error if its message headers are malformed. The bytes must
 * belong to the message and not change. A REQUEST can be answered if its origin says how.
 */
export function readMessage(
  bytes: Uint8Array,
  at: number,
  origin: Origin,
): Message | ParleyError {
  let headers = NO_HEADERS;
  if ((bytes[at + 1] & MESSAGE_HEADERS) !== 0) {
    const from = at + HEADER_BYTES;
    const decoded = decodeMessageHeaders(bytes.subarray(from, from + u32(bytes, at + 4)));
    if ("problem" in decoded) {
      const source = `a message of session ${u32(bytes, at + 12)} on ${origin.name} was dropped`;
      return new ParleyError("bad_payload", `${source}: ${decoded.problem}`);
    }
    headers = decoded.headers;
  }
  if (bytes[at] === Type.REQUEST && origin.sendReply !== undefined) {
    return new ReceivedRequest(bytes, at, origin, headers, u16(bytes, at + 2), origin.sendReply);
  }
  return new ReceivedMessage(bytes, at, origin, headers);
}

/**
 * A message that makes its payload on demand: a `Uint8Array` costs ten times as much as the rest of a small message,
 * and a program that reads text, or only counts, needs none.
 */
class ReceivedMessage implements Message {
  readonly channel: string;
  readonly channelId: number;
  readonly sender: number;
  readonly headers: MessageHeaders;
  readonly #bytes: Uint8Array;
  readonly #at: number;
  #payload: Uint8Array | undefined;

  constructor(bytes: Uint8Array, at: number, origin: Origin, headers: MessageHeaders) {
    this.channel = origin.name;
    this.channelId = origin.channelId;
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

  text(): string {
    return decoder.decode(this.#payload ?? this.#view());
  }

  json<T = unknown>(schema?: Schema<T>): T {
    const source = `a message of session ${this.sender} on ${this.channel}`;
    let value: unknown;
    try {
      value = JSON.parse(this.text());
    } catch (cause) {
      throw new ParleyError("bad_payload", `${source} (kind ${this.kind}) is not JSON`, { cause });
    }
    if (schema === undefined) return value as T;
    const result = schema["~standard"].validate(value);
    if ("then" in result) throw badArgument("json() takes a schema that is not asynchronous");
    if (result.issues === undefined) return result.value;
    throw new ParleyError("bad_payload", `${source} is not as expected: ${result.issues[0]?.message}`);
  }
}

/** A request, and whether it has its reply. */
export class ReceivedRequest extends ReceivedMessage implements Request {
  /** Where its responder holds it. */
  place = 0;
  readonly #id: number;
  readonly #sendReply: SendReply;
  #isAnswered = false;
  #abort: AbortController | undefined;
  #aborted: { readonly reason: unknown } | undefined;

  constructor(
    bytes: Uint8Array,
    at: number,
    origin: Origin,
    headers: MessageHeaders,
    id: number,
    sendReply: SendReply,
  ) {
    super(bytes, at, origin, headers);
    this.#id = id;
    this.#sendReply = sendReply;
  }

  /** Made on demand, because most handlers do not ask for it. */
  get signal(): AbortSignal {
    if (this.#abort === undefined) {
      this.#abort = new AbortController();
      if (this.#aborted !== undefined) this.#abort.abort(this.#aborted.reason);
    }
    return this.#abort.signal;
  }

  /** Whether the reply was sent. */
  get isAnswered(): boolean {
    return this.#isAnswered;
  }

  /** Aborts `signal`. */
  abort(reason: unknown): void {
    this.#aborted ??= { reason };
    this.#abort?.abort(reason);
  }

  reply(payload: Payload, options?: ReplyOptions): Promise<void> {
    if (this.#isAnswered) return Promise.reject(badArgument("this request has its reply already"));
    try {
      checkOptions("reply", options);
    } catch (error) {
      return Promise.reject(error);
    }
    this.#isAnswered = true;
    const sent = this.#sendReply(this.#id, this.sender, payload, options);
    if (sent !== RESOLVED) sent.catch(() => this.#isAnswered = false); // nothing was sent
    return sent;
  }
}
