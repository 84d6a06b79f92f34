/**
 * A socket without a network: the test is the peer, and decides when a write is accepted and what a read returns.
 *
 * @module
 */

import { assert } from "@std/assert";
import { BufferPool } from "../../lib/net/buffers.ts";
import type { Socket } from "../../lib/net/socket.ts";
import { concat } from "../harness/raw_client.ts";

/** See the module's comment. */
export class FakeSocket implements Socket {
  /** The accepted bytes of each write. */
  readonly writes: Uint8Array[] = [];
  /** How many bytes one write accepts, unless `acceptsByHand`. */
  maxWrite = Infinity;
  /** Whether writes wait for {@linkcode FakeSocket.accept}. */
  acceptsByHand = false;
  closed = false;
  /** Whether the end of the stream was sent. */
  wroteEnd = false;

  readonly #chunks: (Uint8Array | null)[] = [];
  #reading: { bytes: Uint8Array; settle: PromiseWithResolvers<number | null> } | undefined;
  #writing: { bytes: Uint8Array; settle: PromiseWithResolvers<number> } | undefined;

  /** All accepted bytes, joined. */
  get written(): Uint8Array {
    return concat(this.writes);
  }

  /** Whether a read waits for bytes. */
  get isReading(): boolean {
    return this.#reading !== undefined;
  }

  /** Whether a write waits to be accepted. */
  get isWriting(): boolean {
    return this.#writing !== undefined;
  }

  /** How many bytes the waiting read has room for. */
  get readSize(): number {
    return this.#reading?.bytes.length ?? 0;
  }

  // The peer's side

  /** Sends bytes; `null` is the end of the stream. */
  push(...chunks: (Uint8Array | null)[]): void {
    this.#chunks.push(...chunks);
    this.#serve();
  }

  /** Accepts `count` bytes of the waiting write, or all of them. */
  accept(count: number = Infinity): void {
    const { bytes, settle } = this.#writing!;
    this.#writing = undefined;
    const taken = bytes.slice(0, Math.min(count, bytes.length));
    this.writes.push(taken);
    settle.resolve(taken.length);
  }

  /** Makes the pending read and write fail. */
  fail(error: Error = new Deno.errors.ConnectionReset("reset by the test")): void {
    this.#reading?.settle.reject(error);
    this.#writing?.settle.reject(error);
    this.#reading = this.#writing = undefined;
  }

  // The socket

  read(bytes: Uint8Array): Promise<number | null> {
    assert(this.#reading === undefined, "two reads at once");
    assert(!this.closed && bytes.length > 0);
    this.#reading = { bytes, settle: Promise.withResolvers() };
    const { promise } = this.#reading.settle;
    this.#serve();
    return promise;
  }

  write(bytes: Uint8Array): Promise<number> {
    assert(this.#writing === undefined, "two writes at once");
    assert(!this.closed && !this.wroteEnd && bytes.length > 0);
    this.#writing = { bytes, settle: Promise.withResolvers() };
    const { promise } = this.#writing.settle;
    if (!this.acceptsByHand) this.accept(this.maxWrite);
    return promise;
  }

  closeWrite(): Promise<void> {
    this.wroteEnd = true;
    return Promise.resolve();
  }

  close(): void {
    assert(!this.closed, "closed twice");
    this.closed = true;
    this.fail(new Deno.errors.Interrupted("closed"));
  }

  #serve(): void {
    const chunk = this.#chunks[0];
    if (this.#reading === undefined || chunk === undefined) return;
    const { bytes, settle } = this.#reading;
    this.#reading = undefined;
    this.#chunks.shift();
    if (chunk === null) {
      settle.resolve(null);
      return;
    }
    bytes.set(chunk.subarray(0, bytes.length));
    if (chunk.length > bytes.length) this.#chunks.unshift(chunk.subarray(bytes.length));
    settle.resolve(Math.min(chunk.length, bytes.length));
  }
}

/** A pool that tracks the buffers it has lent, and fails if one is given back twice. */
export class CountingPool extends BufferPool {
  readonly lent = new Set<Uint8Array>();

  override take(bytes: number): Uint8Array<ArrayBuffer> {
    const buffer = super.take(bytes);
    assert(!this.lent.has(buffer), "lent twice");
    this.lent.add(buffer);
    return buffer;
  }

  override give(buffer: Uint8Array<ArrayBuffer>): void {
    assert(this.lent.delete(buffer), "given back twice, or never lent");
    super.give(buffer);
  }
}

/** Runs all pending microtasks: settled promises and what follows from them. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 50; turn++) await null;
}
