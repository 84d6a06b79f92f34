/**
 * Received messages. Each reads its fields from the bytes it arrived in.
 *
 * @module
 */

import { ParleyError } from "../errors.ts";
import { HEADER_BYTES } from "../limits.ts";
import { KIND_MASK, MESSAGE_HEADERS, u16, u32 } from "../wire/header.ts";
import { decodeMessageHeaders, type MessageHeaders } from "../wire/message_headers.ts";
import { badArgument } from "./checks.ts";
import type { ContentKind, Message, Payload, ReplyOptions, Schema } from "./message_types.ts";

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

/** What a message tells the server on behalf of its consumer. */
export interface Settlements {
  /** Of a message that is delivered for the first time, or again. */
  ack(sequence: number, isAgain: boolean): void;
  /** `delayMs` as in NAK. */
  nak(sequence: number, delayMs: number, isAgain: boolean): void;
  renew(sequence: number): void;
}

/** Where neighbouring messages of a stored channel are in it. */
export interface StoredPlace {
  /** The sequence of the next of them. */
  sequence: number;
  /** That of the last of them. */
  readonly last: number;
  /** See `Message.deliveries`. */
  readonly deliveries: number;
  readonly consumer: Settlements | undefined;
}

const NO_HEADERS: MessageHeaders = Object.freeze({});

const decoder = new TextDecoder();

/** Reads the message in the frame at `bytes[at]`, or the error if it is malformed; see `readMessage`. */
export type ReadMessage = (
  bytes: Uint8Array,
  at: number,
  origin: Origin,
  place?: StoredPlace,
) => Message | ParleyError;

/**
 * The message in the frame at `bytes[at]`, or a `bad_payload` error if its message headers are malformed. The bytes must
 * belong to the message and not change.
 */
export function readMessage(
  bytes: Uint8Array,
  at: number,
  origin: Origin,
  place?: StoredPlace,
): Message | ParleyError {
  const headers = readHeaders(bytes, at, origin);
  if (headers instanceof ParleyError) return headers;
  if (place === undefined) return new ReceivedMessage(bytes, at, origin, headers);
  return new StoredMessage(bytes, at, origin, headers, place);
}

/** The headers of the message at `bytes[at]`, or a `bad_payload` error. */
export function readHeaders(bytes: Uint8Array, at: number, origin: Origin): MessageHeaders | ParleyError {
  if ((bytes[at + 1] & MESSAGE_HEADERS) === 0) return NO_HEADERS;
  const from = at + HEADER_BYTES;
  const decoded = decodeMessageHeaders(bytes.subarray(from, from + u32(bytes, at + 4)));
  if ("headers" in decoded) return decoded.headers;
  const source = `a message of session ${u32(bytes, at + 12)} on ${origin.name} was dropped`;
  return new ParleyError("bad_payload", `${source}: ${decoded.problem}`);
}

/**
 * A message that makes its payload on demand: a `Uint8Array` costs ten times as much as the rest of a small message,
 * and a program that reads text, or only counts, needs none.
 */
export class ReceivedMessage implements Message {
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

  get sequence(): number {
    return 0;
  }

  get deliveries(): number {
    return 1;
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

  ack(): void {
    throw notAConsumers(this.channel);
  }

  nak(_delayMs?: number): void {
    throw notAConsumers(this.channel);
  }

  setAside(): void {
    throw notAConsumers(this.channel);
  }

  renew(): void {
    throw notAConsumers(this.channel);
  }
}

/** The error for settling what no consumer was delivered. */
export function notAConsumers(channel: string): ParleyError {
  return badArgument(`a message on ${channel} that is not a consumer's cannot be acknowledged`);
}

/** A message of a stored channel. */
export class StoredMessage extends ReceivedMessage {
  readonly #sequence: number;
  readonly #deliveries: number;

  constructor(bytes: Uint8Array, at: number, origin: Origin, headers: MessageHeaders, place: StoredPlace) {
    super(bytes, at, origin, headers);
    this.#sequence = place.sequence;
    this.#deliveries = place.deliveries;
  }

  override get sequence(): number {
    return this.#sequence;
  }

  override get deliveries(): number {
    return this.#deliveries;
  }
}
