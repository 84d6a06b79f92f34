/**
 * A client made for load: it sends whole batches, and walks over what it receives without copying it.
 *
 * @module
 */

import { HEADER_BYTES } from "../../lib/limits.ts";
import type { Opened } from "../../lib/wire/control.ts";
import { encodeFrame, Type, u16, u32 } from "../../lib/wire/header.ts";
import type { OpenOptions } from "../harness/raw_client.ts";

/** Takes a frame: `bytes[at, end)`, which is used again afterwards. */
export type TakeFrame = (type: number, bytes: Uint8Array, at: number, end: number) => void;

/** The server refused something. */
export class Refused extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(`${code}: ${message}`);
    this.code = code;
  }
}

/** One session. Its methods throw once the connection is gone. */
export class WireClient implements Disposable {
  number = 0;
  readonly #conn: Deno.TcpConn;
  #buffer = new Uint8Array(1024 * 1024);
  #filled = 0;
  #lastId = 0;

  private constructor(conn: Deno.TcpConn) {
    this.#conn = conn;
  }

  /** Connects and greets. */
  static async connect(port: number): Promise<WireClient> {
    const conn = await Deno.connect({ hostname: "127.0.0.1", port });
    conn.setNoDelay(true);
    const client = new WireClient(conn);
    try {
      await client.send(encodeFrame({ type: Type.HELLO }, json({ protocol: "parley/1" })));
      client.number = (await client.#answer<{ number: number }>(Type.WELCOME)).number;
      return client;
    } catch (error) {
      client[Symbol.dispose]();
      throw error;
    }
  }

  [Symbol.dispose](): void {
    try {
      this.#conn.close();
    } catch {
      // It is closed.
    }
  }

  /** Opens a channel before anything else is under way. */
  async open(channel: string, options: OpenOptions): Promise<Opened> {
    const id = ++this.#lastId;
    await this.send(
      encodeFrame({ type: Type.OPEN, id, sender: this.number }, json({ channel, ...options })),
    );
    return await this.#answer<Opened>(Type.OPENED, id);
  }

  /** Sends a frame about sequences: ACK or NAK. */
  settle(type: number, channel: number, payload: Uint8Array): Promise<void> {
    return this.send(encodeFrame({ type, channel, sender: this.number }, payload));
  }

  async send(bytes: Uint8Array): Promise<void> {
    for (let written = 0; written < bytes.length;) written += await this.#conn.write(bytes.subarray(written));
  }

  /** Reads once, and gives `take` each whole frame that has come. Returns false at the end of the stream. */
  async receive(take: TakeFrame): Promise<boolean> {
    // Behind an answer there may be more.
    if (this.#frameEnd(0) === undefined && !await this.#fill()) return false;
    const rest = this.#walk(take);
    this.#buffer.copyWithin(0, rest, this.#filled);
    this.#filled -= rest;
    return true;
  }

  /** Reads once; false at the end of the stream. */
  async #fill(): Promise<boolean> {
    if (this.#filled === this.#buffer.length) {
      const larger = new Uint8Array(2 * this.#buffer.length);
      larger.set(this.#buffer);
      this.#buffer = larger;
    }
    const count = await this.#conn.read(this.#buffer.subarray(this.#filled));
    this.#filled += count ?? 0;
    return count !== null;
  }

  /** The end of the frame at `at`, if all of it has come. */
  #frameEnd(at: number): number | undefined {
    if (this.#filled - at < HEADER_BYTES) return undefined;
    const end = at + HEADER_BYTES + u32(this.#buffer, at + 4);
    return end <= this.#filled ? end : undefined;
  }

  #walk(take: TakeFrame): number {
    const bytes = this.#buffer;
    let at = 0;
    for (let end; (end = this.#frameEnd(at)) !== undefined; at = end) {
      if (bytes[at] === Type.PING) {
        const pong = encodeFrame({ type: Type.PONG, id: u16(bytes, at + 2), sender: this.number });
        this.send(pong).catch(() => {}); // the next read says that the connection is gone
      } else take(bytes[at], bytes, at, end);
    }
    return at;
  }

  /** Takes one frame, of this type. What comes behind it stays for `receive`. */
  async #answer<T>(type: number, id: number = 0): Promise<T> {
    let end;
    while ((end = this.#frameEnd(0)) === undefined) {
      if (!await this.#fill()) throw new Deno.errors.UnexpectedEof("the server ended the connection");
    }
    const [found, foundId] = [this.#buffer[0], u16(this.#buffer, 2)];
    const payload = JSON.parse(new TextDecoder().decode(this.#buffer.subarray(HEADER_BYTES, end)));
    this.#buffer.copyWithin(0, end, this.#filled);
    this.#filled -= end;
    if (found === Type.ERROR) throw new Refused(payload.code, payload.message);
    if (found === type && id === foundId) return payload;
    throw new Error(`expected a frame of type ${type}, got ${found}: ${JSON.stringify(payload)}`);
  }
}

/** Whether the connection broke, as it does when the server is killed. */
export function isBroken(error: unknown): boolean {
  return error instanceof Deno.errors.ConnectionRefused || error instanceof Deno.errors.ConnectionReset ||
    error instanceof Deno.errors.UnexpectedEof || error instanceof Deno.errors.BrokenPipe ||
    error instanceof Deno.errors.ConnectionAborted || error instanceof Deno.errors.BadResource ||
    error instanceof Deno.errors.NotConnected;
}

function json(payload: object): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(payload));
}
