/**
 * Chunks of a byte stream in; whole frames, runs of neighbouring messages, or one reason to stop, out.
 *
 * This is the one place where a server looks at every message, so it does as little as the protocol allows: four
 * integers are read, four compared, nothing is allocated. A *run* is a stretch of plain messages (no id, no receipt)
 * of one channel: whoever may receive the first may receive all, byte for byte, so the rest of the server handles it
 * as one slice.
 *
 * @module
 */

import type { ErrorCode } from "../errors.ts";
import { HEADER_BYTES, MAX_HELLO_BYTES, MAX_RUN_BYTES } from "../limits.ts";
import {
  FIRST_EXTENSION,
  INBOX,
  KIND_MASK,
  RECEIPT,
  RESERVED_FLAGS,
  RULES,
  Type,
  typeName,
  u16,
  u32,
} from "./header.ts";

/** Where a scanner puts what it finds. Offsets are into the chunk, which is reused as soon as `scan` returns. */
export interface FrameHandler {
  /**
   * Takes `count` neighbouring plain messages of one channel (a number, or an inbox), `bytes[from, to)`.
   *
   * @returns whether it was taken; `false` stops the scan, and the same bytes come again in the next one
   */
  run(bytes: Uint8Array, from: number, to: number, count: number, channel: number): boolean;
  /** Takes one frame of any other kind, header at `from`; otherwise as `run`. */
  frame(bytes: Uint8Array, from: number, to: number): boolean;
}

/** Why a stream cannot go on. */
export interface Violation {
  readonly code: ErrorCode;
  readonly message: string;
  /** The id and channel of the frame at fault, 0 where it was no frame. */
  readonly id: number;
  readonly channel: number;
}

/** Which end of the connection reads: it decides which types may come, and whether `sender` is checked. */
export type Role = "server" | "client";

const PLAIN_MESSAGE = Type.MESSAGE << 24;
/** Everything of the header's first word but the two kind bits. */
const NOT_KIND = 0xff00_ffff | (RESERVED_FLAGS << 16) | (RECEIPT << 16);
const KIND_BITS = KIND_MASK << 16;

/** Cuts one connection's byte stream into runs and frames, and holds each against the protocol. */
export class Scanner {
  /** Set once the stream broke the protocol; nothing of it is read any more. */
  stop: Violation | undefined;

  readonly #role: Role;
  readonly #maxRun: number;
  readonly #maxFrame: number;
  #greeted = false;
  /** The only `sender` the other end may use, or `undefined` where any will do. */
  #sender: number | undefined;

  /**
   * @param side the end that reads
   * @param maxPayload the largest payload accepted once greeted, in bytes; before that a HELLO's bound holds
   * @param maxRun the longest run handed on at once, in bytes; a single longer message is a run of its own
   */
  constructor(role: Role, maxPayload: number, maxRun: number = MAX_RUN_BYTES) {
    this.#role = role;
    this.#maxFrame = HEADER_BYTES + maxPayload;
    this.#maxRun = maxRun;
  }

  /** The greeting is done: from now on messages may come, on the server's side all from `sender`. */
  greeted(sender?: number): void {
    this.#greeted = true;
    this.#sender = sender;
  }

  /**
   * Hands everything whole in `bytes[0, end)` to `sink`, in order.
   *
   * Costs one pass over the headers, payloads are not touched. What remains (less than a frame, or what the sink did
   * not take) must stand at the front of the next chunk.
   *
   * @returns how many bytes were taken; where `stop` is set, all before the frame at fault
   */
  scan(bytes: Uint8Array, end: number, handler: FrameHandler): number {
    const view = new DataView(bytes.buffer, bytes.byteOffset, end); // reads four bytes at once
    let taken = 0; // everything before it has been handed on
    let at = 0; // the run that is being gathered is [taken, at)
    let count = 0;
    let channel = 0;
    while (end - at >= HEADER_BYTES && this.stop === undefined) {
      const size = HEADER_BYTES + view.getUint32(at + 4);
      const next = at + size;
      const target = view.getInt32(at + 8); // signed: equality is all the walk needs
      if (this.#isPlain(view, at, size, target)) {
        if (next > end) break;
        if (count > 0 && (target !== channel || next - taken > this.#maxRun)) {
          if (!handler.run(bytes, taken, at, count, channel >>> 0)) return taken;
          taken = at;
          count = 0;
        }
        channel = target;
        count++;
        at = next;
        if (end - at >= size && view.getInt32(at + 8) === target) {
          // Most neighbours have the very same header: those are told by four comparisons.
          const same = countSame(view, at, size, Math.min(end, taken + this.#maxRun));
          count += same;
          at += same * size;
        }
        continue;
      }
      if (count > 0) {
        if (!handler.run(bytes, taken, at, count, channel >>> 0)) return taken;
        taken = at;
        count = 0;
      }
      this.stop = this.#violation(bytes, at);
      if (this.stop !== undefined || next > end) return taken;
      if (bytes[at] < FIRST_EXTENSION && !handler.frame(bytes, at, next)) return taken;
      taken = at = next;
    }
    if (count > 0 && handler.run(bytes, taken, at, count, channel >>> 0)) taken = at;
    return taken;
  }

  /** Whether the header at `at` is a message that needs no second look: no id, no receipt, a target, nothing wrong. */
  #isPlain(view: DataView, at: number, size: number, target: number): boolean {
    const word = view.getInt32(at);
    return (word & NOT_KIND) === PLAIN_MESSAGE && (word & KIND_BITS) !== KIND_BITS && target !== 0 &&
      size <= this.#maxFrame && this.#greeted &&
      (this.#sender === undefined || view.getInt32(at + 12) === this.#sender);
  }

  /** What is wrong with the header at `at`, if anything is. Only frames that are not plain messages come here. */
  #violation(bytes: Uint8Array, at: number): Violation | undefined {
    const type = bytes[at];
    const flags = bytes[at + 1];
    const id = u16(bytes, at + 2);
    const length = u32(bytes, at + 4);
    const channel = u32(bytes, at + 8);
    const sender = u32(bytes, at + 12);
    const rule = RULES[type];
    if (rule === undefined && type < FIRST_EXTENSION) {
      return {
        code: "bad_frame",
        message: `${typeName(type)}: not a Parley frame${hint(bytes, at)}`,
        id: 0,
        channel: 0,
      };
    }
    if (!this.#greeted && !this.#mayBeFirst(type)) {
      const first = this.#role === "server" ? "HELLO" : "WELCOME";
      return stop(bytes, at, "bad_hello", `expected ${first} as the first frame, got ${typeName(type)}`);
    }
    const limit = this.#greeted ? this.#maxFrame - HEADER_BYTES : MAX_HELLO_BYTES;
    if (length > limit) {
      return stop(bytes, at, "too_large", `payload of ${length} bytes; at most ${limit} are taken here`);
    }
    if (this.#sender !== undefined && sender !== this.#sender) {
      return bad(bytes, at, `sender is ${sender}, but this session's number is ${this.#sender}`);
    }
    if (rule === undefined) return undefined; // an extension: skipped, so its other fields are its own affair

    const name = rule.name;
    const writer = this.#role === "server" ? "client" : "server";
    if (rule.from !== "both" && rule.from !== writer) {
      return bad(bytes, at, `${name} is not for a ${writer} to send`);
    }
    if (type === Type.HELLO && this.#greeted) {
      return bad(bytes, at, "a second HELLO; the session is greeted already");
    }
    if (type === Type.HELLO && sender !== 0) {
      return bad(bytes, at, `sender of a HELLO must be 0, got ${sender}`);
    }
    if ((flags & RESERVED_FLAGS) !== 0) {
      return bad(bytes, at, `flags 0x${flags.toString(16)} set bits that must be 0`);
    }
    if ((flags & KIND_MASK) === KIND_MASK) return bad(bytes, at, "content kind 3 is reserved; use 0, 1 or 2");
    if (rule.id === "zero" && id !== 0) return bad(bytes, at, `id of ${name} must be 0, got ${id}`);
    if (rule.id === "set" && id === 0) return bad(bytes, at, `id of ${name} must not be 0`);
    if (type === Type.MESSAGE && ((flags & RECEIPT) !== 0) !== (id !== 0)) {
      return bad(
        bytes,
        at,
        `MESSAGE with id ${id} and flags 0x${flags.toString(16)}: id and receipt flag go together`,
      );
    }
    if (type === Type.ACK && this.#role === "server" && id !== 0) {
      return bad(bytes, at, `id of ACK must be 0, got ${id}`);
    }
    const isInbox = channel >= INBOX;
    if (rule.channel === "zero" && channel !== 0) {
      return bad(bytes, at, `channel of ${name} must be 0, got ${channel}`);
    }
    if (rule.channel === "target" && channel === 0) {
      return bad(bytes, at, `${name} needs a channel or an inbox, got 0`);
    }
    if (rule.channel === "number" && (channel === 0 || isInbox)) {
      return bad(bytes, at, `${name} needs a channel number, got ${isInbox ? "an inbox" : "0"}`);
    }
    if (rule.channel === "inbox" && !isInbox) {
      return bad(bytes, at, `${name} goes to an inbox, got channel ${channel}`);
    }
    if (rule.bytes !== undefined && (length < rule.bytes[0] || length > rule.bytes[1])) {
      const [least, most] = rule.bytes;
      const allowed = least === most ? `${least}` : `${least} to ${most}`;
      const code = length > most ? "too_large" : "bad_frame";
      return stop(bytes, at, code, `${name} carries ${allowed} bytes, got ${length}`);
    }
    return undefined;
  }

  #mayBeFirst(type: number): boolean {
    return this.#role === "server" ? type === Type.HELLO : type === Type.WELCOME || type === Type.ERROR;
  }
}

/** How many whole frames of `size` bytes in `[at, end)` have the same header as the one of that size before `at`. */
function countSame(view: DataView, at: number, size: number, end: number): number {
  const before = at - size;
  const word = view.getInt32(before);
  const length = view.getInt32(before + 4);
  const channel = view.getInt32(before + 8);
  const sender = view.getInt32(before + 12);
  const last = end - size;
  let next = at;
  while (
    next <= last && view.getInt32(next) === word && view.getInt32(next + 4) === length &&
    view.getInt32(next + 8) === channel && view.getInt32(next + 12) === sender
  ) {
    next += size;
  }
  return (next - at) / size;
}

function stop(bytes: Uint8Array, at: number, code: ErrorCode, message: string): Violation {
  return { code, message, id: u16(bytes, at + 2), channel: u32(bytes, at + 8) };
}

function bad(bytes: Uint8Array, at: number, message: string): Violation {
  return stop(bytes, at, "bad_frame", message);
}

/** Names what else the bytes may be: most who knock on the wrong port speak one of these two. */
function hint(bytes: Uint8Array, at: number): string {
  if (bytes[at] === 0x16 && bytes[at + 1] === 0x03) return "; this looks like TLS, but the port is plain TCP";
  const word = String.fromCharCode(...bytes.subarray(at, at + 5));
  if (/^(GET |POST |HEAD |PUT |OPTIO|HTTP\/)/.test(word)) return "; this looks like HTTP";
  return "";
}
