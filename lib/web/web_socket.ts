/**
 * A WebSocket as the byte stream that the rest of Parley reads and writes.
 *
 * The binary messages joined are the stream; what is written at once is one message. Nothing is read from the network
 * while nobody reads the stream, so a client that floods is held back, as over TCP. What comes in meanwhile is one read
 * of the network and one message at most.
 *
 * There is no half-closed WebSocket. A Close frame of the client is the end of the stream, and what waits for the client
 * is dropped: browsers hand on nothing after it. A Close frame of the server comes after all that it has written; the
 * client's messages are read on until it has answered.
 *
 * @module
 */

import { ParleyError } from "../errors.ts";
import { LINGER_MS } from "../limits.ts";
import type { Socket } from "../net/socket.ts";
import type { WebSocket } from "./ws.d.ts";

const BINARY = { binary: true, compress: false } as const;

/** The pieces of a message in a slow network are longer than this. */
const MIN_PIECE_BYTES = 256;

/** What a WebSocket needs of the connection it is on; see `SocketStream`. */
export interface ClosableStream {
  readonly destroyed: boolean;
  readonly ended: Promise<void>;
  destroySoon(): void;
  closeNow(): void;
  destroy(): void;
  once(event: "finish", listener: () => void): unknown;
}

/** A read that waits for bytes. */
interface PendingRead extends PromiseWithResolvers<number | null> {
  readonly bytes: Uint8Array;
}

/** One connection; see the module's comment. */
export class WebSocketStream implements Socket {
  readonly #ws: WebSocket;
  readonly #stream: ClosableStream;
  readonly #maxMessageBytes: number;
  /** What was received and not read, in order; the first from `#taken` on. */
  #messages: Uint8Array[] = [];
  #taken = 0;
  #reading: PendingRead | undefined;
  /** What the next read, and each one after it, fails with or ends with. */
  #end: Error | "eof" | undefined;
  /** A text message has come; then also, that the next read is to say so. */
  #wasText = false;
  #isText = false;
  #isClosing = false;
  /** What came is no WebSocket. */
  #isBroken = false;

  /** @param maxMessageBytes the largest message once the handshake is over */
  constructor(ws: WebSocket, stream: ClosableStream, maxMessageBytes: number) {
    this.#ws = ws;
    this.#stream = stream;
    this.#maxMessageBytes = maxMessageBytes;
    ws.pause();
    ws.on("message", (data, isBinary) => this.#arrived(data, isBinary));
    ws.on("close", (code) => this.#ended(code === 1006 ? new Error("the connection broke") : "eof"));
    ws.on("error", (error) => {
      this.#isBroken = true;
      this.#ended(violationOf(error, ws._receiver._maxPayload));
    });
    // `ws` ends the stream once both sides have sent a Close frame, and waits for the client to close the connection.
    stream.once("finish", () => {
      this.#ended("eof");
      if (!this.#isBroken) stream.closeNow();
    });
  }

  read(bytes: Uint8Array): Promise<number | null> {
    const count = this.#take(bytes);
    if (count > 0) return Promise.resolve(count);
    if (this.#isText) {
      this.#isText = false;
      return Promise.reject(textRefused());
    }
    if (this.#end === "eof") return Promise.resolve(null);
    if (this.#end !== undefined) return this.#failRead(this.#end);
    this.#reading = { bytes, ...Promise.withResolvers<number | null>() };
    this.#ws.resume();
    return this.#reading.promise;
  }

  write(bytes: Uint8Array): Promise<number> {
    // The first that is written is WELCOME, or the end.
    this.#ws._receiver._maxPayload = this.#maxMessageBytes;
    this.#ws._receiver._maxBufferedChunks = this.#maxMessageBytes / MIN_PIECE_BYTES;
    return new Promise((resolve, reject) => {
      this.#ws.send(bytes, BINARY, (error) => error ? reject(error) : resolve(bytes.length));
    });
  }

  /** Sends a Close frame. Why the server closes is in the frame before it. */
  closeWrite(): Promise<void> {
    this.#close(this.#wasText ? 1003 : 1000);
    return Promise.resolve();
  }

  /** Ends it: what was written, a Close frame among it, has a moment to leave. */
  close(): void {
    if (this.#stream.destroyed) return;
    this.#ended(new Error("the connection is closed"));
    this.#close(1001);
    this.#stream.destroySoon();
    if (!this.#stream.destroyed) {
      const deadline = setTimeout(() => this.abort(), LINGER_MS);
      this.#stream.ended.then(() => clearTimeout(deadline));
    }
  }

  abort(): void {
    this.#stream.destroy();
  }

  /** After a message that the protocol forbids nothing can come. */
  #failRead(error: Error): Promise<never> {
    if (error instanceof ParleyError) this.#end = "eof";
    return Promise.reject(error);
  }

  #close(code: number): void {
    if (this.#isClosing) return;
    this.#isClosing = true;
    this.#ws.close(code);
  }

  #arrived(data: Uint8Array, isBinary: boolean): void {
    if (this.#end !== undefined || this.#wasText) return;
    if (!isBinary) {
      this.#isText = this.#wasText = true; // what came before it is read first
      const reading = this.#reading;
      this.#reading = undefined;
      if (reading !== undefined) this.read(reading.bytes).then(reading.resolve, reading.reject);
      return;
    }
    if (data.length === 0) return;
    this.#messages.push(data);
    const reading = this.#reading;
    if (reading === undefined) return;
    this.#reading = undefined;
    reading.resolve(this.#take(reading.bytes));
    this.#ws.pause();
  }

  /** Moves what there is into `bytes`. */
  #take(bytes: Uint8Array): number {
    let count = 0;
    while (count < bytes.length && this.#messages.length > 0) {
      const [message] = this.#messages;
      const part = message.subarray(this.#taken, this.#taken + bytes.length - count);
      bytes.set(part, count);
      count += part.length;
      this.#taken += part.length;
      if (this.#taken < message.length) continue;
      this.#taken = 0;
      this.#messages.shift();
    }
    return count;
  }

  #ended(end: Error | "eof"): void {
    this.#end ??= end;
    const reading = this.#reading;
    this.#reading = undefined;
    if (this.#end === "eof") reading?.resolve(null);
    else if (reading !== undefined) this.#failRead(this.#end).catch(reading.reject);
  }
}

function textRefused(): ParleyError {
  return new ParleyError(
    "bad_frame",
    "a text message came; the messages of subprotocol parley.1 are binary (in a browser, send an ArrayBuffer)",
  );
}

/** What `ws` found wrong, which it has also answered with a Close frame. */
function violationOf(error: Error & { code?: string }, maxBytes: number): Error {
  if (error.code === "WS_ERR_UNSUPPORTED_MESSAGE_LENGTH") {
    const text = `a message of more than ${maxBytes} bytes came; send it in several`;
    return new ParleyError("too_large", text);
  }
  return new Error(`no WebSocket: ${error.message}`);
}
