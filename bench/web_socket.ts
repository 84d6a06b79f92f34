/**
 * A TCP socket that speaks WebSocket (RFC 6455) to the server, and bytes to its user: what is sent goes into binary
 * messages, what is received is their payload. So a workload is the same over TCP and over a WebSocket.
 *
 * The mask of what is sent is zero, which costs the generator nothing, and the server as much as any other.
 *
 * @module
 */

import { ascii, text, type WebSocketEndpoint } from "./brokers/broker.ts";
import { RawSocket } from "./sockets.ts";

const BINARY = 0x82, PONG = 0x8a;
const OPCODE = 0x0f, PING_OPCODE = 9, CLOSE_OPCODE = 8;
/** Type and length in 64 bits, and the mask. */
const MAX_HEADER_BYTES = 14;
/** What is received by any socket, before it is taken apart. */
const incoming = new Uint8Array(256 * 1024);

/** See the module's comment. */
export class WebSocketSocket extends RawSocket {
  #outgoing = new Uint8Array(MAX_HEADER_BYTES + 1024);
  /** The begin of a header, or of a message of control. */
  #kept = new Uint8Array(0);
  /** Bytes still to come of the message that is being received. */
  #left = 0;

  /** Connects to `port` of 127.0.0.1, and upgrades the connection. */
  static override connect(port: number, endpoint: WebSocketEndpoint = { path: "/" }): WebSocketSocket {
    const socket = new WebSocketSocket(RawSocket.connect(port).fd);
    const { path, protocol } = endpoint;
    const lines = [
      `GET ${path} HTTP/1.1`,
      `Host: 127.0.0.1:${port}`,
      "Upgrade: websocket",
      "Connection: Upgrade",
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
      "Sec-WebSocket-Version: 13",
      ...protocol === undefined ? [] : [`Sec-WebSocket-Protocol: ${protocol}`],
    ];
    socket.#sendRaw(ascii(`${lines.join("\r\n")}\r\n\r\n`));
    // Servers send nothing more before the first message of the client, or what they send begins with a new read.
    socket.#awaitUpgrade();
    return socket;
  }

  /** Sends all of `bytes[from, end)` as one message, however long it takes; returns how many bytes that are. */
  override send(bytes: Uint8Array, from = 0, end: number = bytes.length): number {
    const length = end - from;
    if (this.#outgoing.length < MAX_HEADER_BYTES + length) {
      this.#outgoing = new Uint8Array(MAX_HEADER_BYTES + length);
    }
    const out = this.#outgoing;
    const view = new DataView(out.buffer);
    out[0] = BINARY;
    let at = 2;
    if (length < 126) out[1] = 0x80 | length;
    else if (length < 65_536) {
      out[1] = 0x80 | 126;
      view.setUint16(2, length);
      at = 4;
    } else {
      out[1] = 0x80 | 127;
      view.setBigUint64(2, BigInt(length));
      at = 10;
    }
    out.fill(0, at, at + 4);
    at += 4;
    out.set(from === 0 && end === bytes.length ? bytes : bytes.subarray(from, end), at);
    super.sendAll(out, at + length);
    return length;
  }

  override sendAll(bytes: Uint8Array, end: number = bytes.length): void {
    this.send(bytes, 0, end);
  }

  override receive(into: Uint8Array): number {
    return this.#unwrapped(super.receive(this.#space(into.length)), into);
  }

  override discard(): number {
    return this.#unwrapped(super.receive(this.#space()), undefined);
  }

  protected override receiveSome(into: Uint8Array): number {
    for (;;) {
      const received = super.receiveSome(this.#space(into.length));
      const count = this.#unwrapped(received, into);
      if (received < 0 || count >= 0) return count;
    }
  }

  /** Where to receive behind what is kept: no more than `most` bytes. */
  #space(most: number = Infinity): Uint8Array {
    incoming.set(this.#kept);
    return incoming.subarray(this.#kept.length, Math.min(incoming.length, this.#kept.length + most));
  }

  #sendRaw(bytes: Uint8Array): void {
    super.sendAll(bytes);
  }

  #awaitUpgrade(): void {
    let answer = "";
    const byte = new Uint8Array(1);
    // One byte at a time: what follows is the first message.
    while (!answer.endsWith("\r\n\r\n")) {
      if (super.receiveSome(byte) <= 0) {
        throw new Error(`no upgrade to WebSocket: ${answer.split("\r\n")[0]}`);
      }
      answer += text(byte);
    }
    if (!answer.startsWith("HTTP/1.1 101")) {
      throw new Error(`no upgrade to WebSocket: ${answer.split("\r\n")[0]}`);
    }
  }

  /**
   * Takes `count` bytes that came behind those kept. Returns the number of bytes of messages, which are in `into` if it is
   * given; 0 at the end of the stream, -1 if none has arrived.
   */
  #unwrapped(count: number, into: Uint8Array | undefined): number {
    if (count <= 0) return count;
    const bytes = incoming;
    const end = this.#kept.length + count;
    let at = 0;
    let payload = 0;
    while (at < end) {
      if (this.#left > 0) {
        const part = Math.min(this.#left, end - at);
        into?.set(bytes.subarray(at, at + part), payload);
        payload += part;
        this.#left -= part;
        at += part;
        continue;
      }
      const short = bytes[at + 1] & 0x7f;
      const headerBytes = short === 126 ? 4 : short === 127 ? 10 : 2;
      if (end - at < headerBytes) break;
      const length = short < 126 ? short : lengthOf(bytes, at + 2, headerBytes - 2);
      const opcode = bytes[at] & OPCODE;
      if (opcode === CLOSE_OPCODE) return 0;
      if (opcode === PING_OPCODE) {
        if (end - at < headerBytes + length) break;
        this.#pong(bytes.subarray(at + headerBytes, at + headerBytes + length));
        at += headerBytes + length;
        continue;
      }
      this.#left = length;
      at += headerBytes;
    }
    this.#kept = bytes.slice(at, end);
    return payload === 0 ? -1 : payload;
  }

  #pong(payload: Uint8Array): void {
    const frame = new Uint8Array(6 + payload.length);
    frame[0] = PONG;
    frame[1] = 0x80 | payload.length;
    frame.set(payload, 6);
    this.#sendRaw(frame);
  }
}

function lengthOf(bytes: Uint8Array, at: number, size: number): number {
  let length = 0;
  for (let i = 0; i < size; i++) length = length * 256 + bytes[at + i];
  return length;
}
