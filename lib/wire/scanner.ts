/**
 * Cuts a byte stream into whole frames and into runs of neighbouring messages, and checks each header.
 *
 * This is the only place where a server looks at every message, so it does as little as the protocol allows: it reads
 * four integers, compares four, and allocates nothing. A *run* is a stretch of plain messages (no id, no receipt) of
 * one channel: a session that may receive the first may receive all of them, byte for byte, so the rest of the server
 * handles a run as one slice.
 *
 * @module
 */

import { HEADER_BYTES, MAX_CONTROL_BYTES, MAX_RUN_BYTES, SEQUENCE_BYTES } from "../limits.ts";
import {
  FIRST_EXTENSION,
  INBOX,
  KIND_MASK,
  MESSAGE_HEADERS,
  RECEIPT,
  RESERVED_FLAGS,
  RULES,
  Type,
  typeName,
  type TypeRule,
  u16,
  u32,
} from "./header.ts";
import { bad, notAFrame, type Violation, violation } from "./violation.ts";

/** Takes what a scanner finds. Offsets are into the chunk, which is reused as soon as `scan` returns. */
export interface FrameHandler {
  /**
   * Takes `count` neighbouring plain messages of one channel (a number, or an inbox), `bytes[from, to)`.
   *
   * @returns the offset up to which they were taken: `to`, or the start of the first message that was not. Less than
   * `to` ends the scan, and the rest comes again in the next one
   */
  run(bytes: Uint8Array, from: number, to: number, count: number, channel: number): number;
  /**
   * Takes one frame of any other kind, `bytes[from, to)`.
   *
   * @returns whether it was taken; `false` ends the scan, and the frame comes again in the next one
   */
  frame(bytes: Uint8Array, from: number, to: number): boolean;
  /** Is told of an extension frame, which is skipped. Returns as `frame` does. */
  skip(bytes: number): boolean;
}

/** The end of the connection that reads. It decides which types may come, and whether `sender` is checked. */
export type Role = "server" | "client";

const PLAIN_MESSAGE = Type.MESSAGE << 24;
/** The bits of a header's first word that are the same in every plain message: all but kind and headers flag. */
const NOT_FREE = 0xff00_ffff | (RESERVED_FLAGS << 16) | (RECEIPT << 16);
const KIND_BITS = KIND_MASK << 16;

/** Cuts the byte stream of one connection into runs and frames. */
export class Scanner {
  /** Set once the stream has broken the protocol. Nothing is read any more. */
  violation: Violation | undefined;

  readonly #role: Role;
  readonly #maxRun: number;
  readonly #maxFrame: number;
  #greeted = false;
  /** The only `sender` that the other end may use, or `undefined` if any will do. */
  #sender: number | undefined;

  /**
   * @param role the end that reads
   * @param maxPayload the largest payload of a message, in bytes
   * @param maxRun the longest run handed on at once, in bytes; a single longer message is a run of its own
   */
  constructor(role: Role, maxPayload: number, maxRun: number = MAX_RUN_BYTES) {
    this.#role = role;
    this.#maxFrame = HEADER_BYTES + maxPayload;
    this.#maxRun = maxRun;
  }

  /** Allows messages from now on: HELLO and WELCOME are done. A server expects `sender` in every frame. */
  greeted(sender?: number): void {
    this.#greeted = true;
    this.#sender = sender;
  }

  /**
   * Hands every whole frame in `bytes[0, end)` to `handler`, in order.
   *
   * Costs one pass over the headers; payloads are not touched. What is left (less than a frame, or what the handler did
   * not take) must stand at the front of the next chunk.
   *
   * @returns how many bytes were taken; if `violation` is set, all before the offending frame
   */
  scan(bytes: Uint8Array, end: number, handler: FrameHandler): number {
    const view = new DataView(bytes.buffer, bytes.byteOffset, end); // reads four bytes at once
    let taken = 0; // everything before it has been handed on
    let at = 0; // the run that is being gathered is [taken, at)
    let count = 0;
    let channel = 0;
    while (end - at >= HEADER_BYTES && this.violation === undefined) {
      const size = HEADER_BYTES + view.getUint32(at + 4);
      const next = at + size;
      const target = view.getInt32(at + 8); // signed: equality is all the walk needs
      if (this.#isPlain(view, at, size, target)) {
        if (next > end) break;
        if (count > 0 && (target !== channel || next - taken > this.#maxRun)) {
          taken = handler.run(bytes, taken, at, count, channel >>> 0);
          if (taken !== at) return taken;
          count = 0;
        }
        channel = target;
        count++;
        at = next;
        if (end - at >= size && view.getInt32(at + 8) === target) {
          // Most neighbours have the very same header, which four comparisons tell.
          const same = countSame(view, at, size, Math.min(end, taken + this.#maxRun));
          count += same;
          at += same * size;
        }
        continue;
      }
      if (count > 0) {
        taken = handler.run(bytes, taken, at, count, channel >>> 0);
        if (taken !== at) return taken;
        count = 0;
      }
      this.violation = this.#check(bytes, at);
      if (this.violation !== undefined || next > end) return taken;
      const isTaken = bytes[at] < FIRST_EXTENSION ? handler.frame(bytes, at, next) : handler.skip(size);
      if (!isTaken) return taken;
      taken = at = next;
    }
    if (count > 0) taken = handler.run(bytes, taken, at, count, channel >>> 0);
    return taken;
  }

  /** Whether the header at `at` is a message without id and receipt, to a channel or inbox, and without a fault. */
  #isPlain(view: DataView, at: number, size: number, target: number): boolean {
    const word = view.getInt32(at);
    return (word & NOT_FREE) === PLAIN_MESSAGE && (word & KIND_BITS) !== KIND_BITS && target !== 0 &&
      size <= this.#maxFrame && this.#greeted &&
      (this.#sender === undefined || view.getInt32(at + 12) === this.#sender);
  }

  /** Returns what is wrong with the header at `at`, if anything is. Plain messages do not come here. */
  #check(bytes: Uint8Array, at: number): Violation | undefined {
    const type = bytes[at];
    const length = u32(bytes, at + 4);
    const rule = RULES[type];
    if (rule === undefined && type < FIRST_EXTENSION) return notAFrame(bytes, at);
    if (!this.#greeted && !this.#mayBeFirst(type)) {
      const first = this.#role === "server" ? "HELLO" : "WELCOME";
      return violation(
        bytes,
        at,
        "type",
        "bad_hello",
        `expected ${first} as the first frame, got ${typeName(type)}`,
      );
    }
    const limit = this.#payloadLimit(rule);
    if (length > limit) {
      const what = rule?.payload === "json" ? `payload of ${rule.name}` : "payload";
      return violation(bytes, at, "length", "too_large", `${what} of ${length} bytes; the limit is ${limit}`);
    }
    const sender = u32(bytes, at + 12);
    if (this.#sender !== undefined && sender !== this.#sender) {
      return bad(bytes, at, "sender", `sender is ${sender}, but this session's number is ${this.#sender}`);
    }
    // The other fields of an extension are not ours to check.
    return rule && this.#checkFields(rule, bytes, at, length, sender);
  }

  #payloadLimit(rule: TypeRule | undefined): number {
    // Once greeted, a client takes larger control payloads than a server: a list of members may be long.
    if (!this.#greeted || (this.#role === "server" && rule?.payload === "json")) return MAX_CONTROL_BYTES;
    return this.#maxFrame - HEADER_BYTES;
  }

  #checkFields(
    rule: TypeRule,
    bytes: Uint8Array,
    at: number,
    length: number,
    sender: number,
  ): Violation | undefined {
    const { name } = rule;
    const flags = bytes[at + 1];
    const id = u16(bytes, at + 2);
    const channel = u32(bytes, at + 8);
    const writer = this.#role === "server" ? "client" : "server";
    if (rule.from !== "both" && rule.from !== writer) {
      return bad(bytes, at, "type", `a ${writer} must not send ${name}`);
    }
    if (name === "HELLO" && this.#greeted) return bad(bytes, at, "type", "a second HELLO in one session");
    if (name === "HELLO" && sender !== 0) {
      return bad(bytes, at, "sender", `sender of HELLO must be 0, got ${sender}`);
    }
    if ((flags & RESERVED_FLAGS) !== 0) {
      return bad(bytes, at, "flags", `flags 0x${flags.toString(16)} set bits that must be 0`);
    }
    if ((flags & KIND_MASK) === KIND_MASK) {
      return bad(bytes, at, "flags", "content kind 3 is reserved; use 0, 1 or 2");
    }
    if ((flags & MESSAGE_HEADERS) !== 0 && rule.payload !== "content") {
      return bad(bytes, at, "flags", `${name} cannot have message headers (flag 0x08)`);
    }
    if (rule.id === "zero" && id !== 0) return bad(bytes, at, "id", `id of ${name} must be 0, got ${id}`);
    if (rule.id === "set" && id === 0) return bad(bytes, at, "id", `id of ${name} must not be 0`);
    if (name === "MESSAGE" && ((flags & RECEIPT) !== 0) !== (id !== 0)) {
      const got = `id ${id} and flags 0x${flags.toString(16)}`;
      return bad(bytes, at, "id", `MESSAGE with ${got}: id and receipt flag go together`);
    }
    if (name === "ACK" && this.#role === "server" && id !== 0) {
      return bad(bytes, at, "id", `id of a client's ACK must be 0, got ${id}`);
    }
    return this.#checkChannel(rule, bytes, at, channel) ?? this.#checkLength(rule, bytes, at, length);
  }

  #checkChannel(rule: TypeRule, bytes: Uint8Array, at: number, channel: number): Violation | undefined {
    const { name } = rule;
    const isInbox = channel >= INBOX;
    if (rule.channel === "zero" && channel !== 0) {
      return bad(bytes, at, "channel", `channel of ${name} must be 0, got ${channel}`);
    }
    if (rule.channel === "target" && channel === 0) {
      return bad(bytes, at, "channel", `${name} needs a channel or an inbox, got 0`);
    }
    if (rule.channel === "number" && (channel === 0 || isInbox)) {
      return bad(bytes, at, "channel", `${name} needs a channel number, got ${isInbox ? "an inbox" : "0"}`);
    }
    if (rule.channel === "inbox" && !isInbox) {
      return bad(bytes, at, "channel", `${name} goes to an inbox, got channel ${channel}`);
    }
    return undefined;
  }

  #checkLength(rule: TypeRule, bytes: Uint8Array, at: number, length: number): Violation | undefined {
    const { name, payload } = rule;
    if (typeof payload === "string") return undefined;
    if ("max" in payload) {
      if (length <= payload.max) return undefined;
      return violation(
        bytes,
        at,
        "length",
        "too_large",
        `${name} carries at most ${payload.max} bytes, got ${length}`,
      );
    }
    const allowed = name === "ACK" && this.#role === "client" ? [SEQUENCE_BYTES] : payload;
    if (allowed.includes(length)) return undefined;
    const code = length > Math.max(...allowed) ? "too_large" : "bad_frame";
    return violation(
      bytes,
      at,
      "length",
      code,
      `${name} carries ${allowed.join(" or ")} bytes, got ${length}`,
    );
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
