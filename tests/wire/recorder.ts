/**
 * What the tests of the scanner share: a connection without its socket that notes what it reads, and frames to read.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { HEADER_BYTES } from "../../lib/limits.ts";
import { encodeFrame, FIRST_EXTENSION, type Header, putHeader, Type } from "../../lib/wire/header.ts";
import { typeName } from "../../lib/wire/type_name.ts";
import { type FrameHandler, type Role, Scanner } from "../../lib/wire/scanner.ts";
import { MAX_PAYLOAD, SESSION, VALID, type Vector } from "./vectors.ts";

/**
 * The reading half of a connection: what is left of one chunk stands at the front of the next, and a HELLO or WELCOME
 * that was taken greets the scanner.
 *
 * Holds every scan against the contract of {@linkcode FrameHandler}: each byte is handed on once and in order, or belongs to
 * an extension; after a refusal nothing more is offered.
 */
export class Recorder implements FrameHandler {
  readonly scanner: Scanner;
  /** What was offered, in short: `3 on 5` is a run, `PING` a frame, `PING refused` one that was not taken. */
  readonly calls: string[] = [];
  /** Every frame that was taken, in hex, no matter whether it came alone or in a run. */
  readonly frames: string[] = [];
  /** Whether to take what is offered. */
  accepts: () => boolean = () => true;
  /** How many messages to take of a run that is taken. */
  takes: (count: number) => number = (count) => count;

  readonly #role: Role;
  #buffer = new Uint8Array(0);
  #end = 0;
  #handedOn = 0;
  #refused = false;

  constructor(
    role: Role,
    { maxPayload = MAX_PAYLOAD, maxRun }: { maxPayload?: number; maxRun?: number } = {},
  ) {
    this.#role = role;
    this.scanner = new Scanner(role, maxPayload, maxRun);
  }

  /** How many bytes wait for the rest of their frame, or to be offered again. */
  get left(): number {
    return this.#end;
  }

  /** Says that the greeting is done. */
  greet(): this {
    this.scanner.greeted(this.#role === "server" ? SESSION : undefined);
    return this;
  }

  /** Receives the next bytes; returns how many were taken of all that waited. */
  push(...pieces: Uint8Array[]): number {
    for (const piece of pieces) {
      // What lies behind the end stays as it was, like in a buffer that is used again: it must not be read.
      if (this.#end + piece.length > this.#buffer.length) {
        const larger = new Uint8Array(2 * (this.#end + piece.length));
        larger.set(this.#buffer);
        this.#buffer = larger;
      }
      this.#buffer.set(piece, this.#end);
      this.#end += piece.length;
    }
    this.#handedOn = 0;
    this.#refused = false;
    const taken = this.scanner.scan(this.#buffer, this.#end, this);
    assert(taken <= this.#end, `took ${taken} of ${this.#end} bytes`);
    this.#assertSkippable(taken);
    this.#buffer.copyWithin(0, taken, this.#end);
    this.#end -= taken;
    return taken;
  }

  run(bytes: Uint8Array, from: number, to: number, count: number, channel: number): number {
    const frames = splitFrames(bytes.subarray(from, to));
    assertEquals(frames.length, count, "a run says how many messages it has");
    for (const frame of frames) assertEquals(fieldsOf(frame).channel, channel, "a run has one channel");
    // A part of a run may be taken: whole messages from its front.
    const takes = this.takes(count);
    const end = from + frames.slice(0, takes).reduce((sum, frame) => sum + frame.length, 0);
    const what = takes < count ? `${takes} of ${count} on ${channel}` : `${count} on ${channel}`;
    if (!this.#offer(what, from, end, frames.slice(0, takes))) return from;
    this.#refused = takes < count;
    return end;
  }

  frame(bytes: Uint8Array, from: number, to: number): boolean {
    const type = bytes[from];
    const taken = this.#offer(typeName(type), from, to, [bytes.slice(from, to)]);
    if (taken && (type === Type.HELLO || type === Type.WELCOME)) this.greet();
    return taken;
  }

  skip(): boolean {
    return true;
  }

  #offer(what: string, from: number, to: number, frames: Uint8Array[]): boolean {
    assert(!this.#refused, `${what} was offered after a refusal`);
    assert(to <= this.#end, `${what} ends at ${to}, but only ${this.#end} bytes have come`);
    this.#assertSkippable(from);
    this.#handedOn = from;
    this.#refused = !this.accepts();
    this.calls.push(this.#refused ? `${what} refused` : what);
    if (this.#refused) return false;
    this.#handedOn = to;
    this.frames.push(...frames.map((frame) => frame.toHex()));
    return true;
  }

  /** Nothing but whole extensions may be passed over between what was handed on and `to`. */
  #assertSkippable(to: number): void {
    assert(this.#handedOn <= to, `byte ${to} was handed on already`);
    for (const { type } of splitFrames(this.#buffer.subarray(this.#handedOn, to)).map(fieldsOf)) {
      assert(type >= FIRST_EXTENSION, `${typeName(type)} was skipped`);
    }
  }
}

/** Reads a header without the help of `lib/wire`. */
function fieldsOf(frame: Uint8Array): Header {
  const view = new DataView(frame.buffer, frame.byteOffset);
  return {
    type: view.getUint8(0),
    flags: view.getUint8(1),
    id: view.getUint16(2),
    length: view.getUint32(4),
    channel: view.getUint32(8),
    sender: view.getUint32(12),
  };
}

/** Copies the frames out of `bytes`, which must hold whole ones only. */
function splitFrames(bytes: Uint8Array): Uint8Array<ArrayBuffer>[] {
  const frames = [];
  for (let at = 0; at < bytes.length;) {
    const next = at + HEADER_BYTES + fieldsOf(bytes.subarray(at)).length;
    assert(next <= bytes.length, "the last frame is not whole");
    frames.push(bytes.slice(at, next));
    at = next;
  }
  return frames;
}

/** A plain message of the session, or as `fields` say. */
export function message(channel: number, text = "", fields: Partial<Header> = {}): Uint8Array<ArrayBuffer> {
  const header = { type: Type.MESSAGE, channel, sender: SESSION, ...fields };
  return encodeFrame(header, new TextEncoder().encode(text));
}

/** A PING of the session: a frame that is not a message. */
export function ping(): Uint8Array<ArrayBuffer> {
  return encodeFrame({ type: Type.PING, sender: SESSION });
}

/** A header alone; its payload may never come. Fields left out are 0, the sender is the session. */
export function headerOnly(fields: Partial<Header> & { type: number }): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(HEADER_BYTES);
  const { type, flags = 0, id = 0, length = 0, channel = 0, sender = SESSION } = fields;
  putHeader(bytes, 0, type, flags, id, length, channel, sender);
  return bytes;
}

/**
 * Everything that one side may say, in an order it may say it: all the golden frames it sends, but for further
 * HELLOs. What the two sides say holds all types.
 */
export function conversation(from: Vector["from"]): Uint8Array<ArrayBuffer>[] {
  const frames = VALID.filter((vector, i) =>
    vector.from === from && (vector.header.type !== Type.HELLO || i === 0)
  );
  return frames.map((vector) => Uint8Array.fromHex(vector.hex));
}

/** Joins `pieces`. */
export function concat(...pieces: Uint8Array[]): Uint8Array<ArrayBuffer> {
  const joined = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    joined.set(piece, at);
    at += piece.length;
  }
  return joined;
}
