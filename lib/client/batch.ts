/**
 * Messages on a durable channel that share a receipt: those of one turn of the event loop, or of some 64 KiB.
 *
 * Only the last of them asks for the receipt, because an ACK covers all messages before it. Which one is the last is
 * known when the batch is sent, so the fields that depend on it, and on the session, are written then.
 *
 * @module
 */

import { ParleyError } from "../errors.ts";
import { HEADER_BYTES } from "../limits.ts";
import { type Header, putHeader, putU32, RECEIPT, Type, u32 } from "../wire/header.ts";
import { PendingCall } from "./call.ts";
import { checkSize, type EncodedMessage, encodeMessage } from "./frame_writer.ts";
import type { Payload, ReplyOptions } from "./message_types.ts";
import { WatchedPromise } from "./waiting.ts";

/** What sends batches. */
export interface BatchOwner {
  /** The receipt has come. */
  acknowledged(batch: Batch): void;
  /** The server has rejected the last message of a batch, or the connection has ended. */
  rejected(batch: Batch, error: unknown): void;
}

/** The first buffer of a batch, in bytes: one short message. */
const FIRST_BYTES = 128;
/** Up to this many bytes of payload, a loop is faster than `set`, which needs a view. */
const LOOP_BYTES = 32;
const NOTHING = new Uint8Array(0);

/** Neighbouring messages of one channel, and the receipt they wait for. */
export class Batch extends PendingCall {
  /** How many messages. */
  count = 0;
  /** Their size, in bytes. */
  length = 0;
  /** Settles for all of them. */
  readonly outcome = WatchedPromise.pending();

  readonly #owner: BatchOwner;
  #bytes: Uint8Array;
  /** Where the last message begins. */
  #last = 0;

  /** @param spare a buffer that is not in use, if there is one */
  constructor(owner: BatchOwner, spare: Uint8Array | undefined) {
    super(Type.ACK, Infinity);
    this.#owner = owner;
    this.#bytes = spare ?? new Uint8Array(FIRST_BYTES);
  }

  /** The frames, which end at `length`. */
  get bytes(): Uint8Array {
    return this.#bytes;
  }

  /**
   * Adds a copy of a message. Returns its size.
   *
   * @throws {ParleyError} `bad_argument`, `too_large`
   */
  add(payload: Payload, options: ReplyOptions | undefined, maxPayload: number): number {
    const message = encodeMessage(payload, options);
    checkSize(message.bytes.length, maxPayload);
    return this.addEncoded(message);
  }

  /** Adds a copy of a message that is encoded already. Returns its size. */
  addEncoded({ flags, bytes }: EncodedMessage): number {
    const { length } = bytes;
    const at = this.length;
    const content = at + HEADER_BYTES;
    const end = content + length;
    if (end > this.#bytes.length) this.#grow(end);
    putHeader(this.#bytes, at, Type.MESSAGE, flags, 0, length, 0, 0);
    if (length > LOOP_BYTES) this.#bytes.set(bytes, content);
    else for (let i = 0; i < length; i++) this.#bytes[content + i] = bytes[i];
    this.#last = at;
    this.length = end;
    this.count++;
    return end - at;
  }

  #grow(needed: number): void {
    const larger = new Uint8Array(Math.max(needed, 2 * this.#bytes.length));
    larger.set(this.#bytes.subarray(0, this.length));
    this.#bytes = larger;
  }

  /** Writes what depends on the session: the channel's number, the sender, and the receipt of the last message. */
  address(channelId: number, sender: number): void {
    const bytes = this.#bytes;
    for (let at = 0; at < this.length; at += HEADER_BYTES + u32(bytes, at + 4)) {
      putU32(bytes, at + 8, channelId);
      putU32(bytes, at + 12, sender);
    }
    const last = this.#last;
    bytes[last + 1] |= RECEIPT;
    bytes[last + 2] = this.id >>> 8;
    bytes[last + 3] = this.id;
  }

  /** The first `count` messages are stored; others of the batch follow. Returns their size. */
  drop(count: number): number {
    let at = 0;
    for (let left = count; left > 0; left--) at += HEADER_BYTES + u32(this.#bytes, at + 4);
    this.#bytes = this.#bytes.subarray(at);
    this.length -= at;
    this.#last -= at;
    this.count -= count;
    return at;
  }

  /** Gives up the buffer, of a batch that will not be sent again. */
  release(): Uint8Array {
    const bytes = this.#bytes;
    this.#bytes = NOTHING;
    return bytes;
  }

  accept(_header: Header, _bytes: Uint8Array, _from: number, _to: number): void {
    this.#owner.acknowledged(this);
  }

  reject(error: unknown): void {
    this.#owner.rejected(this, error);
  }

  late(): ParleyError {
    return new ParleyError("timed_out", "no receipt in time"); // not called: its deadline is Infinity
  }
}
