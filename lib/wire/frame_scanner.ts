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
  type TypeRule,
  u16,
  u32,
} from "./header.ts";

/** What can be wrong with a header. `violation.ts` says it in words, which a client need not load until it happens. */
export type Fault =
  | "unknown"
  | "first"
  | "limit"
  | "sender"
  | "direction"
  | "second_hello"
  | "hello_sender"
  | "flags"
  | "kind"
  | "headers"
  | "id"
  | "receipt"
  | "ack_id"
  | "channel"
  | "length";

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
export class FrameScanner {
  /** Set once the stream has broken the protocol. Nothing is read any more. */
  fault: Fault | undefined;
  readonly role: Role;
  /** The only `sender` that the other end may use, or `undefined` if any will do. */
  sender: number | undefined;

  readonly #maxRun: number;
  readonly #maxFrame: number;
  /** Whether HELLO and WELCOME are done. */
  protected isGreeted = false;

  /**
   * @param role the end that reads
   * @param maxPayload the largest payload of a message, in bytes
   * @param maxRun the longest run handed on at once, in bytes; a single longer message is a run of its own
   */
  constructor(role: Role, maxPayload: number, maxRun: number = MAX_RUN_BYTES) {
    this.role = role;
    this.#maxFrame = HEADER_BYTES + maxPayload;
    this.#maxRun = maxRun;
  }

  /** Allows messages from now on: HELLO and WELCOME are done. A server expects `sender` in every frame. */
  greeted(sender?: number): void {
    this.isGreeted = true;
    this.sender = sender;
  }

  /**
   * Hands every whole frame in `bytes[0, end)` to `handler`, in order.
   *
   * Costs one pass over the headers; payloads are not touched. What is left (less than a frame, or what the handler did
   * not take) must stand at the front of the next chunk.
   *
   * @returns how many bytes were taken; if `fault` is set, all before the offending frame
   */
  scan(bytes: Uint8Array, end: number, handler: FrameHandler): number {
    const view = new DataView(bytes.buffer, bytes.byteOffset, end); // reads four bytes at once
    let taken = 0; // everything before it has been handed on
    let at = 0; // the run that is being gathered is [taken, at)
    let count = 0;
    let channel = 0;
    while (end - at >= HEADER_BYTES && this.fault === undefined) {
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
      this.fault = this.#faultOf(bytes, at);
      if (this.fault !== undefined || next > end) return taken;
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
      size <= this.#maxFrame && this.isGreeted &&
      (this.sender === undefined || view.getInt32(at + 12) === this.sender);
  }

  /** What is wrong with the header at `at`, if anything is. Plain messages do not come here. */
  #faultOf(bytes: Uint8Array, at: number): Fault | undefined {
    const type = bytes[at];
    const rule = RULES[type];
    if (rule === undefined && type < FIRST_EXTENSION) return "unknown";
    if (!this.isGreeted && !this.#mayBeFirst(type)) return "first";
    const length = u32(bytes, at + 4);
    if (length > this.payloadLimit(rule)) return "limit";
    const sender = u32(bytes, at + 12);
    if (this.sender !== undefined && sender !== this.sender) return "sender";
    // The other fields of an extension are not ours to check.
    return rule && this.#fieldFault(rule, type, bytes, at, length, sender);
  }

  #fieldFault(
    rule: TypeRule,
    type: number,
    bytes: Uint8Array,
    at: number,
    length: number,
    sender: number,
  ): Fault | undefined {
    const flags = bytes[at + 1];
    const id = u16(bytes, at + 2);
    const channel = u32(bytes, at + 8);
    if (rule.from === this.role) return "direction";
    const own = this.ownFault(type, id, sender);
    if (own !== undefined) return own;
    if ((flags & RESERVED_FLAGS) !== 0) return "flags";
    if ((flags & KIND_MASK) === KIND_MASK) return "kind";
    if ((flags & MESSAGE_HEADERS) !== 0 && rule.payload !== "content") return "headers";
    if (rule.id === "zero" ? id !== 0 : rule.id === "set" && id === 0) return "id";
    if (type === Type.MESSAGE && ((flags & RECEIPT) !== 0) !== (id !== 0)) return "receipt";
    if (!mayBe(rule.channel, channel)) return "channel";
    const { payload } = rule;
    if (typeof payload === "string") return undefined;
    const isRight = "max" in payload ? length <= payload.max : lengthsOf(rule, this.role).includes(length);
    return isRight ? undefined : "length";
  }

  /** What only a `Scanner` of a server finds. */
  protected ownFault(_type: number, _id: number, _sender: number): Fault | undefined {
    return undefined;
  }

  /** The longest payload of a frame with this rule, in bytes. */
  payloadLimit(rule: TypeRule | undefined): number {
    // Once greeted, a client takes larger control payloads than a server: a list of members may be long.
    if (!this.isGreeted || (this.role === "server" && rule?.payload === "json")) return MAX_CONTROL_BYTES;
    return this.#maxFrame - HEADER_BYTES;
  }

  #mayBeFirst(type: number): boolean {
    return this.role === "server" ? type === Type.HELLO : type === Type.WELCOME || type === Type.ERROR;
  }
}

/** Whether a channel field is as its rule says. */
function mayBe(rule: TypeRule["channel"], channel: number): boolean {
  if (rule === "zero") return channel === 0;
  if (rule === "inbox") return channel >= INBOX;
  return rule === "any" || channel !== 0 && (rule === "target" || channel < INBOX);
}

/** The lengths that the payload of an ACK, POSITION, NAK or RENEW may have, if `role` reads it. */
export function lengthsOf({ name, payload }: TypeRule, role: Role): readonly number[] {
  return name === "ACK" && role === "client" ? [SEQUENCE_BYTES] : payload as readonly number[];
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
