/**
 * The bytes of one outbox that are to be written, in order, in buffers of a pool.
 *
 * @module
 */

import { BUFFER_BYTES, HEADER_BYTES } from "../limits.ts";
import { u32 } from "../wire/header.ts";
import type { Buffer, BufferPool } from "./buffers.ts";

/** Up to this many bytes a loop is faster than `set`, which needs a view. Measured with `deno task bench:core`. */
const LOOP_BYTES = 48;
const LARGEST = BUFFER_BYTES[BUFFER_BYTES.length - 1];

/** A buffer of which `[start, end)` is still to be written. */
interface Segment {
  readonly bytes: Buffer;
  /** Whether other outboxes retain the buffer too, so that nothing may be appended to it. */
  readonly isShared: boolean;
  start: number;
  end: number;
  /** The first frame that does not begin before this segment begins here; past `end` if it begins in a later one. */
  readonly firstFrame: number;
}

/** A queue of bytes: appended by copying or by retaining a shared buffer, taken from the front. */
export class Segments {
  readonly #pool: BufferPool;
  #segments: Segment[] = [];
  /** Bytes copied since the queue was last empty, and in the burst before that: they size the next segment. */
  #sinceEmpty = 0;
  #lastBurst = 0;

  constructor(pool: BufferPool) {
    this.#pool = pool;
  }

  /** The bytes of the first segment, the next to be written; `undefined` if there is none. */
  get first(): Uint8Array | undefined {
    const head = this.#segments[0];
    return head?.bytes.subarray(head.start, head.end);
  }

  /** Whether nothing is to be written. */
  get isEmpty(): boolean {
    return this.#segments.length === 0;
  }

  /** Copies `bytes[from, to)` to the end. */
  append(bytes: Uint8Array, from: number, to: number): void {
    this.#sinceEmpty += to - from;
    const begin = from;
    let tail = this.#segments[this.#segments.length - 1];
    while (from < to) {
      if (tail === undefined || tail.isShared || tail.end === tail.bytes.length) {
        tail = this.#add(to - from, from === begin ? 0 : frameEnd(bytes, begin, from) - from);
      }
      const count = Math.min(to - from, tail.bytes.length - tail.end);
      if (count <= LOOP_BYTES) {
        const target = tail.bytes;
        for (let i = 0, at = tail.end; i < count; i++) target[at + i] = bytes[from + i];
      } else {
        tail.bytes.set(count === bytes.length ? bytes : bytes.subarray(from, from + count), tail.end);
      }
      tail.end += count;
      from += count;
    }
  }

  /** Room for `count` bytes at the end, where the caller writes them into `tail` at once; -1 if there is none there. */
  reserve(count: number): number {
    const tail = this.#segments[this.#segments.length - 1];
    if (tail === undefined || tail.isShared || tail.end + count > tail.bytes.length) return -1;
    const at = tail.end;
    tail.end += count;
    this.#sinceEmpty += count;
    return at;
  }

  /** The buffer of the last segment. */
  get tail(): Uint8Array {
    return this.#segments[this.#segments.length - 1].bytes;
  }

  /** Appends `bytes[start, end)` without copying. The buffer is retained for this queue already. */
  appendShared(bytes: Buffer, start: number, end: number): void {
    this.#segments.push({ bytes, isShared: true, start, end, firstFrame: start });
  }

  /** `count` bytes of the first segment are written. */
  written(count: number): void {
    const head = this.#segments[0];
    head.start += count;
    if (head.start < head.end) return;
    this.#segments.shift();
    this.#giveBack(head);
    if (this.#segments.length > 0) return;
    this.#lastBurst = this.#sinceEmpty;
    this.#sinceEmpty = 0;
  }

  /**
   * Drops every whole frame behind the first segment, which may be in a write. Returns how many bytes they are.
   *
   * Needs every `append` to have been of whole frames. The rest of one frame may stay.
   */
  dropFrames(): number {
    let dropped = 0;
    let kept = 1;
    for (; kept < this.#segments.length; kept++) {
      const segment = this.#segments[kept];
      if (segment.firstFrame === segment.start) break; // the frame before it was whole
      if (segment.firstFrame > segment.end) continue;
      dropped += segment.end - segment.firstFrame;
      segment.end = segment.firstFrame;
      kept++;
      break;
    }
    for (const segment of this.#segments.splice(kept)) {
      dropped += segment.end - segment.start;
      this.#giveBack(segment);
    }
    return dropped;
  }

  /** Gives back all buffers but, if `keepFirst`, the first, which a write in progress still reads from. */
  clear(keepFirst: boolean): void {
    for (const segment of this.#segments.splice(keepFirst ? 1 : 0)) this.#giveBack(segment);
  }

  #giveBack({ bytes, isShared }: Segment): void {
    if (isShared) this.#pool.release(bytes);
    else this.#pool.give(bytes);
  }

  /** Adds a segment for at least `atLeast` bytes; larger if this burst or the last one was. */
  #add(atLeast: number, firstFrame: number): Segment {
    const wanted = Math.max(atLeast, this.#sinceEmpty, this.#lastBurst);
    const bytes = this.#pool.take(Math.min(wanted, LARGEST));
    const segment = { bytes, isShared: false, start: 0, end: 0, firstFrame };
    this.#segments.push(segment);
    return segment;
  }
}

/** The end of the frame that `at` is in, or `at` if it is between two. `bytes` hold whole frames from `begin` on. */
function frameEnd(bytes: Uint8Array, begin: number, at: number): number {
  let end = begin;
  while (end < at) end += HEADER_BYTES + u32(bytes, end + 4);
  return end;
}
