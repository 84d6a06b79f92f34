/**
 * Received messages. Each reads its fields from the bytes it arrived in.
 *
 * @module
 */

import { ParleyError } from "../errors.ts";
import { HEADER_BYTES } from "../limits.ts";
import { KIND_MASK, MESSAGE_HEADERS, Type, u16, u32 } from "../wire/header.ts";
import { SET_ASIDE_NOW } from "../wire/sequences.ts";
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

/**
 * The message in the frame at `bytes[at]`, or a `bad_payload` error if its message headers are malformed. The bytes must
 * belong to the message and not change. A REQUEST can be answered if its origin says how.
 */
export function readMessage(
  bytes: Uint8Array,
  at: number,
  origin: Origin,
  place?: StoredPlace,
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
  if (place === undefined) return new ReceivedMessage(bytes, at, origin, headers);
  return new StoredMessage(bytes, at, origin, headers, place);
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

function notAConsumers(channel: string): ParleyError {
  return badArgument(`a message on ${channel} that is not a consumer's cannot be acknowledged`);
}

/** A message of a stored channel, and whether its consumer has settled it. */
export class StoredMessage extends ReceivedMessage {
  /** Whether `ack`, `nak` or `setAside` was called. Only the first of them counts. */
  isSettled = false;
  readonly consumer: Settlements | undefined;
  readonly #sequence: number;
  readonly #deliveries: number;

  constructor(bytes: Uint8Array, at: number, origin: Origin, headers: MessageHeaders, place: StoredPlace) {
    super(bytes, at, origin, headers);
    this.#sequence = place.sequence;
    this.#deliveries = place.deliveries;
    this.consumer = place.consumer;
  }

  override get sequence(): number {
    return this.#sequence;
  }

  override get deliveries(): number {
    return this.#deliveries;
  }

  override ack(): void {
    this.#settle()?.ack(this.#sequence, this.#deliveries > 1);
  }

  override nak(delayMs: number = 0): void {
    if (!(delayMs >= 0 && delayMs < SET_ASIDE_NOW)) {
      throw badArgument(`delayMs must be a number from 0 to ${SET_ASIDE_NOW - 1}, not ${delayMs}`);
    }
    this.#settle()?.nak(this.#sequence, Math.floor(delayMs), this.#deliveries > 1);
  }

  override setAside(): void {
    this.#settle()?.nak(this.#sequence, SET_ASIDE_NOW, this.#deliveries > 1);
  }

  override renew(): void {
    if (this.consumer === undefined) throw notAConsumers(this.channel);
    this.renewIfOpen();
  }

  /** Renews it unless it is settled. */
  renewIfOpen(): void {
    if (!this.isSettled) this.consumer?.renew(this.#sequence);
  }

  /** What to tell of the message; undefined if that was done before. */
  #settle(): Settlements | undefined {
    if (this.consumer === undefined) throw notAConsumers(this.channel);
    if (this.isSettled) return undefined;
    this.isSettled = true;
    return this.consumer;
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
