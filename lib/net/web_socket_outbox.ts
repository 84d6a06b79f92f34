/**
 * The outgoing bytes of one WebSocket: gathered into large messages, and held back while the network is slower.
 *
 * Its costs are per message of the WebSocket, so what is sent in one turn of the event loop is sent together, in pieces
 * of `WEB_SOCKET_MESSAGE_BYTES`. A WebSocket does not say when it has room again, so `bufferedAmount` is asked for.
 *
 * @module
 */

import { WEB_SOCKET_BUFFERED_BYTES, WEB_SOCKET_MESSAGE_BYTES, WEB_SOCKET_POLL_MS } from "../limits.ts";
import type { BasicOutbox } from "./basic_connection.ts";
import type { WebSocketLike } from "./web_socket_like.ts";

/** The size of the first buffer; it grows. */
const FIRST_BYTES = 4096;

/** The outgoing side of one WebSocket. */
export class WebSocketOutbox implements BasicOutbox {
  readonly #socket: WebSocketLike;
  readonly #limit: number;
  #bytes = new Uint8Array(FIRST_BYTES);
  #length = 0;
  /** What the WebSocket held when it was last asked. */
  #buffered = 0;
  #isScheduled = false;
  /** Whether a waiter was told to wait; until it is called, there is no room. */
  #isFull = false;
  #isClosed = false;
  #waiters: (() => void)[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Says when the event loop has turned; a timer of 0 ms takes up to 4 ms in a browser. */
  readonly #turns = new MessageChannel();

  /** `limit` is how many bytes may be pending. */
  constructor(socket: WebSocketLike, limit: number) {
    this.#socket = socket;
    this.#limit = limit;
    this.#turns.port1.onmessage = () => this.#turn();
  }

  /** Bytes sent that have not left. */
  get pending(): number {
    return this.#length + this.#buffered;
  }

  /** The buffer to write a reserved frame into. */
  get tail(): Uint8Array {
    return this.#bytes;
  }

  hasRoom(bytes: number): boolean {
    return this.#isClosed || !this.#isFull && (this.pending + bytes <= this.#limit || this.pending === 0);
  }

  whenRoom(waiter: () => void): void {
    this.#waiters.push(waiter);
    this.#isFull = true;
    this.#schedule();
  }

  send(bytes: Uint8Array, from: number, to: number): void {
    const at = this.reserve(to - from);
    if (at >= 0) this.#bytes.set(from === 0 && to === bytes.length ? bytes : bytes.subarray(from, to), at);
  }

  /** Room for `count` bytes, which the caller writes into `tail` at once; -1 once it is closed. */
  reserve(count: number): number {
    if (this.#isClosed) return -1;
    const at = this.#length;
    if (at + count > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(at + count, 2 * at));
      grown.set(this.#bytes.subarray(0, at));
      this.#bytes = grown;
    }
    this.#length += count;
    this.#schedule();
    return at;
  }

  /** Hands all to the WebSocket, however much it holds. */
  flush(): void {
    this.#write(Infinity);
  }

  /** Drops what was not handed over, and calls all waiters. */
  close(): void {
    this.#isClosed = true;
    this.#length = 0;
    clearTimeout(this.#timer);
    this.#turns.port1.close();
    this.#turns.port2.close();
    this.#release();
  }

  /** What a turn of the event loop sends first is written at its first await, and the rest together in the next turn. */
  #schedule(): void {
    if (this.#isScheduled || this.#isClosed) return;
    this.#isScheduled = true;
    queueMicrotask(this.#turn);
  }

  readonly #turn = () => {
    if (this.#isClosed) return;
    const before = this.#length;
    this.#write(WEB_SOCKET_BUFFERED_BYTES);
    if (this.#isFull && this.pending <= this.#limit / 2) this.#release();
    this.#isScheduled = before > 0 || this.#isFull;
    if (this.#length > 0 || this.#isFull) this.#timer = setTimeout(this.#turn, WEB_SOCKET_POLL_MS);
    else if (this.#isScheduled) this.#turns.port2.postMessage(0);
  };

  #write(upTo: number): void {
    let sent = 0;
    while (sent < this.#length && this.#socket.bufferedAmount < upTo) {
      const end = Math.min(sent + WEB_SOCKET_MESSAGE_BYTES, this.#length);
      this.#socket.send(this.#bytes.subarray(sent, end));
      sent = end;
    }
    if (sent < this.#length) this.#bytes.copyWithin(0, sent, this.#length);
    else if (this.#bytes.length > WEB_SOCKET_BUFFERED_BYTES) this.#bytes = new Uint8Array(FIRST_BYTES);
    this.#length -= sent;
    this.#buffered = this.#socket.bufferedAmount;
  }

  #release(): void {
    this.#isFull = false;
    for (const waiter of this.#waiters.splice(0)) waiter();
  }
}
