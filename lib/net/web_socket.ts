/**
 * One connection over a WebSocket, for browsers, and where a proxy lets nothing else through.
 *
 * A browser hands on every message as it comes: a page cannot stop the server, as a paused TCP connection does. So what
 * the program does not take is kept up to a bound, and beyond it the connection ends as that of a slow consumer. A page
 * whose script hangs does stop the server, because then the browser's own buffers are full.
 *
 * @module
 */

import { Deadline } from "../deadline.ts";
import type { EndReason } from "../errors.ts";
import { LINGER_MS, WEB_SOCKET_UNREAD_BYTES } from "../limits.ts";
import type { BasicConnection } from "./basic_connection.ts";
import type { ConnectionLimits, Receiver } from "./connection.ts";
import type { WebSocketLike } from "./web_socket_like.ts";
import { WebSocketOutbox } from "./web_socket_outbox.ts";

/** Bytes that were received, and not taken. */
const NOTHING = new Uint8Array(0);

/** The clean ends: 1000 is normal, 1001 a server or page that goes away, 1005 an end without a code. */
const CLEAN_CODES = [1000, 1001, 1005];

/** One connection; see the module's comment. */
export class WebSocketConnection implements BasicConnection {
  readonly outbox: WebSocketOutbox;
  readonly closed: Promise<void>;

  readonly #socket: WebSocketLike;
  readonly #receiver: Receiver;
  readonly #drainMs: number;
  /** What was received and not taken is `[#from, #to)` of it. */
  #bytes: Uint8Array = NOTHING;
  #from = 0;
  #to = 0;
  #isOpen = true;
  #isPaused = true;
  #isDelivering = false;
  #deadline: Deadline | undefined;
  #settled!: () => void;

  /** Takes over a WebSocket that is open. Nothing is delivered before `start`. */
  constructor(socket: WebSocketLike, receiver: Receiver, { pendingBytes, drainMs }: ConnectionLimits) {
    this.#socket = socket;
    this.#receiver = receiver;
    this.#drainMs = drainMs;
    this.outbox = new WebSocketOutbox(socket, pendingBytes);
    this.closed = new Promise((resolve) => this.#settled = resolve);
    socket.onmessage = ({ data }: MessageEvent) => this.#arrived(data);
    socket.onclose = ({ code }: CloseEvent) => {
      // What was not taken may say why, at its end.
      if (this.#isOpen && this.#from < this.#to) receiver.writeFailed?.();
      this.#end(CLEAN_CODES.includes(code) ? "eof" : "reset");
      this.#settle();
    };
  }

  start(): void {
    this.resume();
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#deliver();
  }

  finish(reason: EndReason, withinMs: number = this.#drainMs): void {
    this.destroy(reason, withinMs);
  }

  /** What is pending is written for at most `withinMs`; a WebSocket cannot drop it. */
  destroy(reason: EndReason, withinMs: number = LINGER_MS): void {
    if (!this.#isOpen) return;
    this.outbox.flush();
    this.#end(reason);
    this.#deadline = new Deadline(withinMs, () => this.#settle());
    this.#socket.close();
  }

  #arrived(data: unknown): void {
    if (!this.#isOpen) return;
    // A text message is against the protocol.
    if (typeof data === "string") return this.destroy("bad_frame");
    this.#append(new Uint8Array(data as ArrayBuffer));
    if (!this.#isPaused) this.#deliver();
    else if (this.#to - this.#from > WEB_SOCKET_UNREAD_BYTES) this.#receiver.overflowed?.();
  }

  /** Adds a message to what is kept. If that is nothing, which is usual, nothing is copied. */
  #append(message: Uint8Array): void {
    const kept = this.#to - this.#from;
    if (kept === 0) {
      this.#bytes = message;
      this.#from = 0;
      this.#to = message.length;
      return;
    }
    if (this.#to + message.length > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(2 * kept, kept + message.length));
      grown.set(this.#bytes.subarray(this.#from, this.#to));
      this.#bytes = grown;
      this.#from = 0;
      this.#to = kept;
    }
    this.#bytes.set(message, this.#to);
    this.#to += message.length;
  }

  /** Offers what was received, again if the receiver paused and resumed meanwhile. */
  #deliver(): void {
    if (this.#isDelivering) return;
    this.#isDelivering = true;
    let taken = 1;
    while (this.#isOpen && !this.#isPaused && taken > 0 && this.#from < this.#to) {
      const offered = this.#bytes.subarray(this.#from, this.#to);
      taken = offered.length;
      try {
        taken = this.#receiver.receive(offered, offered.length);
      } catch (error) {
        this.#receiver.failed(error);
      }
      this.#from += taken;
    }
    this.#isDelivering = false;
    if (this.#from === this.#to) this.#bytes = NOTHING;
  }

  #end(reason: EndReason): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#bytes = NOTHING;
    try {
      this.#receiver.ended(reason);
    } catch (error) {
      this.#receiver.failed(error);
    }
    this.outbox.close();
  }

  #settle(): void {
    this.#deadline?.stop();
    this.#socket.onmessage = this.#socket.onclose = null;
    this.#settled();
  }
}
