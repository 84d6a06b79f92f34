/**
 * Writes frames into the outbox.
 *
 * @module
 */

import { ParleyError } from "../errors.ts";
import { HEADER_BYTES } from "../limits.ts";
import type { BasicOutbox } from "../net/basic_connection.ts";
import { Kind, MESSAGE_HEADERS, putHeader, readHeader } from "../wire/header.ts";
import { encodeMessageHeaders, type MessageHeaders } from "../wire/message_headers.ts";
import { badArgument } from "./checks.ts";
import { SCRATCH_BYTES } from "./limits.ts";
import type { ContentKind, Payload, ReplyOptions } from "./message_types.ts";
import type { Trace } from "./options.ts";

/** The kind bits of the flags, by the name of the kind. */
const KIND_BITS: Record<ContentKind, number> = { bytes: Kind.BYTES, text: Kind.TEXT, json: Kind.JSON };

const NOTHING = new Uint8Array(0);

/** The scratch buffer before text needs more. */
const SMALL_SCRATCH_BYTES = 64;

/** Up to this many bytes of payload, a loop is faster than `set`, which needs a view. */
const LOOP_BYTES = 32;

const encoder = new TextEncoder();

/** Writes the frames of one session. Short text is encoded without allocation. */
export class FrameWriter {
  /** The session's number, which every frame carries; 0 in HELLO. */
  sender = 0;
  /** The largest payload of a message, in bytes. */
  maxPayload = Infinity;

  readonly #outbox: BasicOutbox;
  readonly #trace: Trace | undefined;
  /** Room for a header and little text at first: a program may have thousands of clients that send none. */
  #scratch = new Uint8Array(SMALL_SCRATCH_BYTES);
  #scratchText = this.#scratch.subarray(HEADER_BYTES);

  /** Writes into `outbox`, and shows each frame to `trace`. */
  constructor(outbox: BasicOutbox, trace: Trace | undefined) {
    this.#outbox = outbox;
    this.#trace = trace;
  }

  /**
   * Queues a MESSAGE, REQUEST or REPLY.
   *
   * @throws {ParleyError} `too_large`, `bad_argument`
   */
  message(
    type: number,
    id: number,
    channel: number,
    payload: Payload,
    options: ReplyOptions | undefined,
  ): void {
    if (options?.headers !== undefined) {
      const encoded = encodeMessage(payload, options);
      return this.encoded(type, id, channel, encoded);
    }
    const kind = options?.kind;
    const flags = kind === undefined ? kindOf(payload) : kindBits(kind);
    if (typeof payload === "string" && this.#fitsScratch(payload.length)) {
      const { written } = encoder.encodeInto(payload, this.#scratchText);
      this.#put(type, flags, id, channel, written);
      this.#outbox.send(this.#scratch, 0, HEADER_BYTES + written);
      if (this.#trace !== undefined) this.#show(this.#scratchText.subarray(0, written));
    } else {
      const bytes = encode(payload);
      checkSize(bytes.length, this.maxPayload);
      this.frame(type, flags, id, channel, bytes);
    }
  }

  /** Queues a frame of any type. The server's limit on payloads is not checked. */
  frame(type: number, flags: number, id: number, channel: number, payload: Uint8Array = NOTHING): void {
    const { length } = payload;
    if (length <= LOOP_BYTES && this.#trace === undefined) {
      const at = this.#outbox.reserve(HEADER_BYTES + length);
      if (at >= 0) { // written where it is sent from, instead of copied there
        const bytes = this.#outbox.tail;
        putHeader(bytes, at, type, flags, id, length, channel, this.sender);
        for (let i = 0, to = at + HEADER_BYTES; i < length; i++) bytes[to + i] = payload[i];
        return;
      }
    }
    this.#put(type, flags, id, channel, length);
    this.#outbox.send(this.#scratch, 0, HEADER_BYTES);
    if (length > 0) this.#outbox.send(payload, 0, length);
    if (this.#trace !== undefined) this.#show(payload);
  }

  /** Queues `bytes[0, length)`: whole frames with the number of this session. */
  frames(bytes: Uint8Array, length: number): void {
    this.#outbox.send(bytes, 0, length);
    if (this.#trace === undefined) return;
    for (let at = 0; at < length;) {
      const header = readHeader(bytes, at);
      const next = at + HEADER_BYTES + header.length;
      this.#trace("out", header, bytes.subarray(at + HEADER_BYTES, next), this.sender);
      at = next;
    }
  }

  /** Queues a control frame. */
  control(type: number, id: number, payload: unknown): void {
    this.frame(type, 0, id, 0, encoder.encode(JSON.stringify(payload)));
  }

  /** Makes the scratch buffer large, if that makes room for text of `bytes`. */
  #grows(bytes: number): boolean {
    if (bytes > SCRATCH_BYTES - HEADER_BYTES) return false;
    this.#scratch = new Uint8Array(SCRATCH_BYTES);
    this.#scratchText = this.#scratch.subarray(HEADER_BYTES);
    return true;
  }

  /** Whether text of this length fits the scratch buffer and the server's limit, however it is encoded. */
  #fitsScratch(length: number): boolean {
    // One UTF-16 code unit takes at most three bytes in UTF-8.
    if (length * 3 > this.#scratchText.length && !this.#grows(length * 3)) return false;
    return length * 3 <= this.maxPayload;
  }

  /**
   * Queues a message that is encoded already.
   *
   * @throws {ParleyError} `too_large`
   */
  encoded(type: number, id: number, channel: number, { flags, bytes }: EncodedMessage): void {
    checkSize(bytes.length, this.maxPayload);
    this.frame(type, flags, id, channel, bytes);
  }

  #put(type: number, flags: number, id: number, channel: number, length: number): void {
    putHeader(this.#scratch, 0, type, flags, id, length, channel, this.sender);
  }

  #show(payload: Uint8Array): void {
    this.#trace?.("out", readHeader(this.#scratch), payload, this.sender);
  }
}

/** The payload of a message with its headers, and the flags that say what it is. */
export interface EncodedMessage {
  readonly flags: number;
  readonly bytes: Uint8Array;
}

/**
 * Encodes a message. The bytes are the caller's own if it gave bytes and no headers.
 *
 * @throws {ParleyError} `bad_argument`
 */
export function encodeMessage(payload: Payload, options: ReplyOptions | undefined): EncodedMessage {
  const kind = options?.kind;
  const flags = kind === undefined ? kindOf(payload) : kindBits(kind);
  if (options?.headers === undefined) return { flags, bytes: encode(payload) };
  const bytes = join(encodeHeaders(options.headers), encode(payload));
  return { flags: flags | MESSAGE_HEADERS, bytes };
}

/** @throws {ParleyError} `too_large` */
export function checkSize(length: number, max: number): void {
  if (length <= max) return;
  throw new ParleyError("too_large", `a payload of ${length} bytes; this server takes at most ${max}`);
}

function kindBits(kind: ContentKind): number {
  const bits = KIND_BITS[kind];
  if (bits === undefined) throw badArgument(`kind must be bytes, text or json, not ${JSON.stringify(kind)}`);
  return bits;
}

/** The kind that the payload's type suggests. */
function kindOf(payload: Payload): number {
  if (typeof payload === "string") return Kind.TEXT;
  return payload instanceof Uint8Array ? Kind.BYTES : Kind.JSON;
}

function encode(payload: Payload): Uint8Array {
  if (typeof payload === "string") return encoder.encode(payload);
  return payload instanceof Uint8Array ? payload : encodeJson(payload);
}

function encodeHeaders(headers: MessageHeaders): Uint8Array {
  if (typeof headers !== "object" || headers === null || Array.isArray(headers)) {
    throw badArgument("headers must be an object whose values are strings");
  }
  const wrong = Object.entries(headers).find(([, value]) => typeof value !== "string");
  if (wrong !== undefined) {
    throw badArgument(`the message header "${wrong[0]}" must be a string, not ${typeof wrong[1]}`);
  }
  try {
    return encodeMessageHeaders(headers);
  } catch (error) {
    throw badArgument((error as Error).message);
  }
}

function join(first: Uint8Array, second: Uint8Array): Uint8Array {
  const joined = new Uint8Array(first.length + second.length);
  joined.set(first);
  joined.set(second, first.length);
  return joined;
}

function encodeJson(payload: Payload): Uint8Array {
  const isWrapped = typeof payload === "object" && payload !== null && "json" in payload;
  const text = isWrapped ? stringify(payload.json) : undefined;
  if (text === undefined) {
    throw badArgument("a payload is text, a Uint8Array, or { json: value } with a value that JSON can hold");
  }
  return encoder.encode(text);
}

/** JSON, or undefined for a value that it cannot hold: a function, a cycle, a bigint. */
function stringify(value: unknown): string | undefined {
  try {
    return JSON.stringify(value);
  } catch {
    return undefined;
  }
}
