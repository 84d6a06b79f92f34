/**
 * A raw WebSocket client for tests: it sends the frames that it is told to send, and reads only when asked.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { within } from "../harness/deadline.ts";
import { RawClient } from "../harness/raw_client.ts";

/** A frame of a WebSocket. */
export interface WsFrame {
  readonly opcode: number;
  readonly payload: Uint8Array;
}

/** Opcodes. */
export const TEXT = 1;
export const BINARY = 2;
export const CLOSE = 8;
export const PING = 9;

/** Connects to the host and port of `url`, over TLS if it is `https:`. */
export async function connectTo(url: string, ca?: string): Promise<Deno.TcpConn | Deno.TlsConn> {
  const { protocol, hostname, port } = new URL(url);
  const target = { hostname, port: Number(port) };
  if (protocol === "http:") {
    const conn = await Deno.connect(target);
    conn.setNoDelay(true);
    return conn;
  }
  const conn = await Deno.connectTls({ ...target, caCerts: ca === undefined ? [] : [ca] });
  try {
    await conn.handshake();
    return conn;
  } catch (error) {
    conn.close();
    throw error;
  }
}

/** Reads until the end of the stream, or until what came has `until` in it. */
export async function readText(
  conn: Pick<Deno.Conn, "read">,
  until?: string,
  withinMs?: number,
): Promise<string> {
  let text = "";
  const bytes = new Uint8Array(16 * 1024);
  const decoder = new TextDecoder();
  while (until === undefined || !text.includes(until)) {
    const count = await within(conn.read(bytes), "bytes", withinMs).catch((error) => {
      if (error instanceof Deno.errors.ConnectionReset || error instanceof Deno.errors.UnexpectedEof) {
        return null;
      }
      throw error;
    });
    if (count === null) break;
    text += decoder.decode(bytes.subarray(0, count), { stream: true });
  }
  return text;
}

/** The head of a request for a WebSocket; `headers` replace those of the same name, or with "" leave them out. */
export function upgradeHead(url: string, headers: Record<string, string> = {}, path = "/parley"): string {
  const all = {
    "Host": new URL(url).host,
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Protocol": "parley.1",
    ...headers,
  };
  const lines = Object.entries(all).filter(([, value]) => value !== "").map(([name, value]) =>
    `${name}: ${value}`
  );
  return [`GET ${path} HTTP/1.1`, ...lines, "", ""].join("\r\n");
}

/** One WebSocket; see the module's comment. */
export class RawWebSocket implements Disposable {
  readonly conn: Deno.TcpConn | Deno.TlsConn;
  #buffer = new Uint8Array(0);

  private constructor(conn: Deno.TcpConn | Deno.TlsConn) {
    this.conn = conn;
  }

  /** Connects and completes the handshake of the WebSocket. */
  static async connect(url: string, ca?: string): Promise<RawWebSocket> {
    const conn = await connectTo(url, ca);
    await write(conn, new TextEncoder().encode(upgradeHead(url)));
    let head = "";
    const byte = new Uint8Array(1); // what comes after the head is for `next`
    while (!head.endsWith("\r\n\r\n")) {
      if (await within(conn.read(byte), "the answer to the upgrade") === null) break;
      head += String.fromCharCode(byte[0]);
    }
    assertMatch(head, /^HTTP\/1\.1 101 /);
    assertMatch(head, /sec-websocket-protocol: parley\.1/i);
    return new RawWebSocket(conn);
  }

  /** A client of Parley over it. What it sends at once is one message. */
  client(): RawClient {
    return new RawClient(
      {
        read: (bytes: Uint8Array) => this.#readStream(bytes),
        write: (bytes: Uint8Array) => this.send(BINARY, bytes).then(() => bytes.length),
        close: () => this.conn.close(),
        localAddr: this.conn.localAddr,
      } as unknown as Deno.TcpConn,
    );
  }

  /** Sends one frame. Its mask is 0, so that its payload is as it is. */
  async send(
    opcode: number,
    payload: Uint8Array,
    { isLast = true, length = payload.length } = {},
  ): Promise<void> {
    await write(this.conn, frame(opcode, payload, isLast, length));
  }

  /** The next frame, or `undefined` at the end of the stream. */
  async next(): Promise<WsFrame | undefined> {
    while (true) {
      const taken = this.#parse();
      if (taken !== undefined) return taken;
      const bytes = new Uint8Array(64 * 1024);
      const count = await within(this.conn.read(bytes), "a frame of the WebSocket");
      if (count === null) return undefined;
      const joined = new Uint8Array(this.#buffer.length + count);
      joined.set(this.#buffer);
      joined.set(bytes.subarray(0, count), this.#buffer.length);
      this.#buffer = joined;
    }
  }

  /** Frames up to a Close frame, whose code comes with the payloads before it. */
  async untilClose(): Promise<{ code: number; payloads: Uint8Array[] }> {
    const payloads: Uint8Array[] = [];
    for (let next = await this.next(); next !== undefined; next = await this.next()) {
      if (next.opcode === CLOSE) return { code: next.payload[0] << 8 | next.payload[1], payloads };
      payloads.push(next.payload);
    }
    return { code: 0, payloads };
  }

  [Symbol.dispose](): void {
    try {
      this.conn.close();
    } catch (error) {
      assert(error instanceof Deno.errors.BadResource);
    }
  }

  #rest: Uint8Array = new Uint8Array(0);

  async #readStream(bytes: Uint8Array): Promise<number | null> {
    while (this.#rest.length === 0) {
      const next = await this.next();
      if (next === undefined || next.opcode === CLOSE) return null;
      assertEquals(next.opcode, BINARY);
      this.#rest = next.payload;
    }
    const count = Math.min(bytes.length, this.#rest.length);
    bytes.set(this.#rest.subarray(0, count));
    this.#rest = this.#rest.subarray(count);
    return count;
  }

  #parse(): WsFrame | undefined {
    const bytes = this.#buffer;
    if (bytes.length < 2) return undefined;
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    let length = bytes[1] & 0x7f;
    let at = 2;
    if (length === 126) {
      if (bytes.length < 4) return undefined;
      length = view.getUint16(2);
      at = 4;
    } else if (length === 127) {
      if (bytes.length < 10) return undefined;
      length = Number(view.getBigUint64(2));
      at = 10;
    }
    if (bytes.length < at + length) return undefined;
    this.#buffer = bytes.subarray(at + length);
    return { opcode: bytes[0] & 0xf, payload: bytes.slice(at, at + length) };
  }
}

/** A masked frame. `length` is what its header says. */
export function frame(
  opcode: number,
  payload: Uint8Array,
  isLast = true,
  length = payload.length,
): Uint8Array {
  const header = new Uint8Array(14 + payload.length);
  const view = new DataView(header.buffer);
  header[0] = opcode | (isLast ? 0x80 : 0);
  let at = 2;
  if (length < 126) header[1] = 0x80 | length;
  else if (length < 65536) {
    header[1] = 0x80 | 126;
    view.setUint16(2, length);
    at = 4;
  } else {
    header[1] = 0x80 | 127;
    view.setBigUint64(2, BigInt(length));
    at = 10;
  }
  header.set(payload, at + 4);
  return header.subarray(0, at + 4 + payload.length);
}

/** Writes all of `bytes`. */
export async function write(conn: Pick<Deno.Conn, "write">, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await conn.write(bytes.subarray(at));
}
