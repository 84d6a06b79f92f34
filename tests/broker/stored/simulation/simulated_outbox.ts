/**
 * An outbox without a socket: it cuts what it is sent into frames, and keeps them until its client reads.
 *
 * @module
 */

import type { Outbox } from "../../../../lib/broker/peer.ts";
import { HEADER_BYTES } from "../../../../lib/limits.ts";
import { u32 } from "../../../../lib/wire/header.ts";

/** A frame that waits to be read. */
export interface WaitingFrame {
  readonly bytes: Uint8Array;
  /** What the client noted when it was sent. */
  readonly note: unknown;
}

/** See the module's comment. Counts as full from the first refusal until it has drained to half, as the real one does. */
export class SimulatedOutbox implements Outbox {
  /** Bytes that wait. */
  pending = 0;
  /** Not counted. */
  readonly taken = 0;
  readonly frames: WaitingFrame[] = [];
  readonly #limit: number;
  /** Called as each frame is sent, for what the client must note then. */
  readonly #sent: (bytes: Uint8Array) => unknown;
  readonly #violated: (what: string) => void;
  #waiters = new Set<() => void>();
  #isFull = false;
  #isClosed = false;
  #partial = new Uint8Array(0);

  constructor(limit: number, sent: (bytes: Uint8Array) => unknown, violated: (what: string) => void) {
    this.#limit = limit;
    this.#sent = sent;
    this.#violated = violated;
  }

  hasRoom(bytes: number): boolean {
    return this.#isClosed || !this.#isFull && (this.pending === 0 || this.pending + bytes <= this.#limit);
  }

  whenRoom(waiter: () => void, isPatient: boolean = false): void {
    if (!isPatient) this.#violated("a session waits impatiently for one that reads a stored channel");
    this.#waiters.add(waiter);
    this.#isFull = true;
  }

  hasRoomForAnswer(bytes: number): boolean {
    return this.hasRoom(bytes);
  }

  whenRoomForAnswer(waiter: () => void): void {
    this.whenRoom(waiter, true);
  }

  answered(): void {}

  send(bytes: Uint8Array, from: number, to: number): void {
    if (this.#isClosed) return;
    this.pending += to - from;
    let stream = bytes.slice(from, to);
    if (this.#partial.length > 0) {
      const joined = new Uint8Array(this.#partial.length + stream.length);
      joined.set(this.#partial);
      joined.set(stream, this.#partial.length);
      stream = joined;
    }
    let at = 0;
    while (stream.length - at >= HEADER_BYTES) {
      const end = at + HEADER_BYTES + u32(stream, at + 4);
      if (end > stream.length) break;
      const frame = stream.subarray(at, end);
      this.frames.push({ bytes: frame, note: this.#sent(frame) });
      at = end;
    }
    this.#partial = stream.slice(at);
  }

  tick(): void {}

  dropFrames(): void {
    this.#violated("a session that reads stored channels is closed as a slow consumer");
  }

  /** Takes the oldest frame. */
  take(): WaitingFrame | undefined {
    const frame = this.frames.shift();
    if (frame === undefined) return undefined;
    this.pending -= frame.bytes.length;
    if (this.#isFull && this.pending <= this.#limit / 2) this.#wake();
    return frame;
  }

  /** Drops what waits, and takes nothing more. */
  close(): void {
    this.#isClosed = true;
    this.frames.length = this.pending = 0;
    this.#wake();
  }

  #wake(): void {
    this.#isFull = false;
    const waiters = this.#waiters;
    this.#waiters = new Set();
    for (const waiter of waiters) waiter();
  }
}
