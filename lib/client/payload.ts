/**
 * From a program's payload to a frame in the outbox.
 *
 * @module
 */

import { ParleyError } from "../errors.ts";
import { HEADER_BYTES } from "../limits.ts";
import type { Outbox } from "../net/outbox.ts";
import { Kind, putHeader, readHeader } from "../wire/header.ts";
import type { ContentKind, Payload, Trace } from "./api.ts";
import { SCRATCH_BYTES } from "./limits.ts";

/** The kind bits of the flags for each name of a kind. */
const KIND_BITS: Record<ContentKind, number> = { bytes: Kind.BYTES, text: Kind.TEXT, json: Kind.JSON };

/** The names of the kinds, by their bits. */
export const KIND_NAMES: readonly ContentKind[] = ["bytes", "text", "json"];

const encoder = new TextEncoder();

/** Writes frames of one session; short text is encoded without allocating. */
export class FrameWriter {
  /** The session's number, which every frame carries; 0 in HELLO. */
  sender = 0;
  /** The largest payload of a message, in bytes. */
  maxPayload = Infinity;

  readonly #outbox: Outbox;
  readonly #trace: Trace | undefined;
  readonly #scratch = new Uint8Array(SCRATCH_BYTES);
  readonly #scratchText = this.#scratch.subarray(HEADER_BYTES);

  /** Frames go to `outlet`, and each is shown to `trace`. */
  constructor(outbox: Outbox, trace: Trace | undefined) {
    this.#outbox = outbox;
    this.#trace = trace;
  }

  /**
   * Queues a frame with a program's payload.
   *
   * @throws {ParleyError} `too_large`, `bad_argument`
   */
  write(type: number, id: number, channel: number, payload: Payload, kind?: ContentKind): void {
    if (typeof payload === "string") {
      const flags = kind === undefined ? Kind.TEXT : kindBits(kind);
      // A UTF-16 code unit is at most three bytes.
      if (payload.length * 3 <= this.#scratchText.length && payload.length * 3 <= this.maxPayload) {
        const { written } = encoder.encodeInto(payload, this.#scratchText);
        this.#put(type, flags, id, channel, written);
        this.#outbox.send(this.#scratch, 0, HEADER_BYTES + written);
        if (this.#trace !== undefined) this.#show(this.#scratchText.subarray(0, written));
        return;
      }
      this.#message(type, flags, id, channel, encoder.encode(payload));
    } else if (payload instanceof Uint8Array) {
      this.#message(type, kind === undefined ? Kind.BYTES : kindBits(kind), id, channel, payload);
    } else {
      this.#message(type, kind === undefined ? Kind.JSON : kindBits(kind), id, channel, toJson(payload));
    }
  }

  /** Queues a frame of any type, its payload as it is; the session's own business, so no limit applies. */
  frame(type: number, flags: number, id: number, channel: number, payload: Uint8Array): void {
    this.#put(type, flags, id, channel, payload.length);
    this.#outbox.send(this.#scratch, 0, HEADER_BYTES);
    if (payload.length > 0) this.#outbox.send(payload, 0, payload.length);
    if (this.#trace !== undefined) this.#show(payload);
  }

  /** Queues a control frame. */
  control(type: number, id: number, payload: unknown): void {
    this.frame(type, 0, id, 0, encoder.encode(JSON.stringify(payload)));
  }

  #message(type: number, flags: number, id: number, channel: number, payload: Uint8Array): void {
    if (payload.length > this.maxPayload) {
      throw new ParleyError(
        "too_large",
        `a payload of ${payload.length} bytes; this server takes at most ${this.maxPayload}`,
      );
    }
    this.frame(type, flags, id, channel, payload);
  }

  #put(type: number, flags: number, id: number, channel: number, length: number): void {
    putHeader(this.#scratch, 0, type, flags, id, length, channel, this.sender);
  }

  #show(payload: Uint8Array): void {
    this.#trace?.("out", readHeader(this.#scratch), payload);
  }
}

function kindBits(kind: ContentKind): number {
  const bits = KIND_BITS[kind];
  if (bits === undefined) {
    throw new ParleyError("bad_argument", `kind must be bytes, text or json, not ${JSON.stringify(kind)}`);
  }
  return bits;
}

function toJson(payload: Payload): Uint8Array {
  const isWrapped = typeof payload === "object" && payload !== null && "json" in payload;
  const text = isWrapped ? stringify(payload.json) : undefined;
  if (text === undefined) {
    throw new ParleyError(
      "bad_argument",
      "a payload is text, a Uint8Array, or { json: value } with a value that JSON can hold",
    );
  }
  return encoder.encode(text);
}

/** JSON, or nothing for what it cannot hold: functions, cycles, bigints. */
function stringify(value: unknown): string | undefined {
  try {
    return JSON.stringify(value);
  } catch {
    return undefined;
  }
}
