/**
 * A socket whose reads and writes complete only when the model says so: at most one of each in a turn.
 *
 * @module
 */

import type { Socket } from "../../../lib/net/socket.ts";

/** What the kernel buffers for a client that does not read. */
const UNREAD_BYTES = 4 * 1024;
/** What one write takes at most: with it a client that reads takes some 160 MB a second. */
const MAX_WRITE_BYTES = 32 * 1024;

/** The server's end of a connection, and the client's access to the other end. */
export class SimulatedSocket implements Socket {
  /** Whether the server has closed it. */
  closed = false;
  /** Whether the server has sent the end of the stream. */
  saidEnd = false;
  /** Whether the client takes what the server writes. */
  isRead = true;
  /** The most bytes that one read brings. */
  readonly maxRead: number;
  #inbound: Uint8Array[] = [];
  /** Index of the first chunk of `#inbound` that has not been read. */
  #at = 0;
  #inboundBytes = 0;
  #endOfInput = false;
  #outbound: Uint8Array[] = [];
  #outboundBytes = 0;
  #read: { bytes: Uint8Array; settle: PromiseWithResolvers<number | null> } | undefined;
  #write: { bytes: Uint8Array; settle: PromiseWithResolvers<number> } | undefined;

  constructor(maxRead: number) {
    this.maxRead = maxRead;
  }

  // The client's end

  /** Bytes that the client has sent and the server has not read. */
  get unreadBytes(): number {
    return this.#inboundBytes;
  }

  /** Whether the server has a read pending. */
  get isReading(): boolean {
    return this.#read !== undefined;
  }

  /** Sends bytes to the server. */
  send(bytes: Uint8Array): void {
    if (bytes.length === 0 || this.#endOfInput) return;
    this.#inbound.push(bytes);
    this.#inboundBytes += bytes.length;
  }

  /** Sends the end of the stream. */
  end(): void {
    this.#endOfInput = true;
  }

  /** Takes everything that the server has written. */
  take(): Uint8Array[] {
    const taken = this.#outbound;
    this.#outbound = [];
    this.#outboundBytes = 0;
    return taken;
  }

  /** Fails pending operations, as a reset does. */
  reset(): void {
    this.#endOfInput = true;
    this.#inbound = [];
    this.#at = 0;
    this.#inboundBytes = 0;
    this.#fail(new Deno.errors.ConnectionReset("reset by the client"));
  }

  /** Completes the pending read and the pending write as far as possible; returns whether any made progress. */
  progress(): boolean {
    const hasRead = this.#completeRead();
    return this.#completeWrite() || hasRead;
  }

  // The server's end

  read(bytes: Uint8Array): Promise<number | null> {
    if (this.#read !== undefined) throw new Error("two reads at once");
    this.#read = { bytes, settle: Promise.withResolvers() };
    return this.#read.settle.promise;
  }

  write(bytes: Uint8Array): Promise<number> {
    if (this.#write !== undefined) throw new Error("two writes at once");
    if (this.closed || this.saidEnd) throw new Error("a write after the end");
    this.#write = { bytes, settle: Promise.withResolvers() };
    return this.#write.settle.promise;
  }

  closeWrite(): Promise<void> {
    this.saidEnd = true;
    return Promise.resolve();
  }

  close(): void {
    if (this.closed) throw new Error("closed twice");
    this.closed = true;
    this.#fail(new Deno.errors.Interrupted("closed"));
  }

  #completeRead(): boolean {
    const isEmpty = this.#inboundBytes === 0;
    if (this.#read === undefined || (isEmpty && !this.#endOfInput)) return false;
    const { bytes, settle } = this.#read;
    this.#read = undefined;
    if (isEmpty) {
      settle.resolve(null);
      return true;
    }
    const room = Math.min(bytes.length, this.maxRead);
    let count = 0;
    while (count < room && this.#at < this.#inbound.length) {
      const chunk = this.#inbound[this.#at];
      const part = chunk.subarray(0, room - count);
      bytes.set(part, count);
      count += part.length;
      if (part.length === chunk.length) this.#at++;
      else this.#inbound[this.#at] = chunk.subarray(part.length);
    }
    if (this.#at === this.#inbound.length) {
      this.#inbound = [];
      this.#at = 0;
    }
    this.#inboundBytes -= count;
    settle.resolve(count);
    return true;
  }

  #completeWrite(): boolean {
    if (this.#write === undefined) return false;
    const { bytes, settle } = this.#write;
    const space = this.isRead ? MAX_WRITE_BYTES : UNREAD_BYTES - this.#outboundBytes;
    const count = Math.min(bytes.length, space);
    if (count <= 0) return false;
    this.#write = undefined;
    this.#outbound.push(bytes.slice(0, count));
    this.#outboundBytes += count;
    settle.resolve(count);
    return true;
  }

  #fail(error: Error): void {
    this.#read?.settle.reject(error);
    this.#write?.settle.reject(error);
    this.#read = this.#write = undefined;
  }
}
