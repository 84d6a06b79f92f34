/**
 * A raw protocol client for tests: it sends the bytes it is told to send and reads only when asked, so a test decides
 * what the server receives, and when. Every wait has a deadline.
 *
 * @module
 */

import { assert, assertEquals, assertInstanceOf } from "@std/assert";
import type { ErrorCode } from "../../lib/errors.ts";
import { HEADER_BYTES } from "../../lib/limits.ts";
import type { Member, Opened, Welcome } from "../../lib/wire/control.ts";
import { encodeFrame, type Header, INBOX, readHeader, RECEIPT, Type } from "../../lib/wire/header.ts";
import { typeName } from "../../lib/wire/type_name.ts";
import { DEADLINE_MS, within } from "./deadline.ts";

/** A frame as it came. */
export interface Frame extends Header {
  readonly payload: Uint8Array;
}

/** What an ERROR frame says, and which frame it answers. */
export interface Rejection {
  readonly code: ErrorCode;
  readonly message: string;
  readonly fatal: boolean;
  readonly id: number;
  readonly channel: number;
}

/** Options of {@linkcode RawClient.open}. */
export interface OpenOptions {
  /** Default: true, because most tests subscribe. */
  subscribe?: boolean;
  respond?: boolean;
  group?: string;
  echo?: boolean;
  presence?: boolean;
  /** Of stored channels; see "Stored channels" in docs/protocol.md. */
  from?: "new" | "all" | "last" | { sequence: number; epoch?: string } | { time: string };
  producer?: string;
  retry?: boolean;
  consumer?: string;
  exclusive?: boolean;
  window?: number;
  ackSeconds?: number;
  deliveries?: number;
}

/** The members of an OPENED with `presence`. */
export type Opening = Opened & { members?: Member[] };

/** Where a server listens. */
type Address = { readonly hostname: string; readonly port: number };
/** Bytes, text as UTF-8, anything else as JSON. */
type Payload = Uint8Array | string | object;

/** The payload of `frame` as text. */
export function text({ payload }: Frame): string {
  return new TextDecoder().decode(payload);
}

/** The payloads of `frames` as text. */
export function texts(frames: Frame[]): string[] {
  return frames.map(text);
}

/** The payload of `frame` as JSON. */
export function json<T = Record<string, unknown>>(frame: Frame): T {
  return JSON.parse(text(frame));
}

/** One connection to a server; see the module's comment. */
export class RawClient implements Disposable {
  /** The session's number, 0 before WELCOME. */
  number = 0;
  welcome!: Welcome;
  /** The sequence of the next message, by the number of its channel; see {@linkcode stored}. */
  readonly positions = new Map<number, number>();
  readonly #conn: Deno.TcpConn;
  #buffer = new Uint8Array(64 * 1024);
  /** `#buffer[#from, #to)` has come and has not been looked at. */
  #from = 0;
  #to = 0;
  #lastId = 0;

  constructor(conn: Deno.TcpConn) {
    this.#conn = conn;
  }

  /** Connects, and sends nothing. */
  static async connect({ hostname, port }: Address): Promise<RawClient> {
    const conn = await Deno.connect({ hostname, port });
    conn.setNoDelay(true);
    return new RawClient(conn);
  }

  /** Connects and completes the Parley handshake. */
  static async greet(address: Address, hello: { name?: string; token?: string } = {}): Promise<RawClient> {
    const client = await RawClient.connect(address);
    await client.hello(hello);
    return client;
  }

  /** Its own port. */
  get port(): number {
    return this.#conn.localAddr.port;
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** Closes the socket, without a BYE. */
  close(): void {
    try {
      this.#conn.close();
    } catch (error) {
      assertInstanceOf(error, Deno.errors.BadResource); // closed before, by the test itself
    }
  }

  /** Sends the end of the stream. */
  closeWrite(): Promise<void> {
    return this.#conn.closeWrite();
  }

  // Sending

  /** Sends HELLO and reads the WELCOME. */
  async hello(hello: { name?: string; token?: string } = {}): Promise<Welcome> {
    await this.send(this.frame(Type.HELLO, {}, { protocol: "parley/1", ...hello }));
    this.welcome = json<Welcome>(await this.expect(Type.WELCOME));
    this.number = this.welcome.number;
    return this.welcome;
  }

  /** Makes a frame of this session's; fields left out are 0. */
  frame(type: number, header: Partial<Header> = {}, payload: Payload = ""): Uint8Array<ArrayBuffer> {
    const bytes = payload instanceof Uint8Array
      ? payload
      : new TextEncoder().encode(typeof payload === "string" ? payload : JSON.stringify(payload));
    return encodeFrame({ sender: this.number, ...header, type }, bytes);
  }

  /** Makes a MESSAGE. */
  message(channel: number, payload: Payload = ""): Uint8Array<ArrayBuffer> {
    return this.frame(Type.MESSAGE, { channel }, payload);
  }

  /** Makes a MESSAGE that wants a receipt. */
  durable(id: number, channel: number, payload: Payload = ""): Uint8Array<ArrayBuffer> {
    return this.frame(Type.MESSAGE, { channel, id, flags: RECEIPT }, payload);
  }

  /** Makes a REQUEST. */
  request(id: number, channel: number, payload: Payload = ""): Uint8Array<ArrayBuffer> {
    return this.frame(Type.REQUEST, { id, channel }, payload);
  }

  /** Makes a REPLY to session `to`. */
  reply(id: number, to: number, payload: Payload = ""): Uint8Array<ArrayBuffer> {
    return this.frame(Type.REPLY, { id, channel: inbox(to) }, payload);
  }

  /** Writes all `parts` at once; waits for as long as the server does not read. */
  async send(...parts: Uint8Array[]): Promise<void> {
    const bytes = parts.length === 1 ? parts[0] : concat(parts);
    for (let written = 0; written < bytes.length;) {
      written += await this.#conn.write(bytes.subarray(written));
    }
  }

  /** Opens a channel or pattern; subscribed, unless told otherwise. */
  async open(channel: string, options: OpenOptions = {}): Promise<Opening> {
    const id = this.nextId();
    await this.send(this.frame(Type.OPEN, { id }, { channel, subscribe: true, ...options }));
    const opened = await this.expect(Type.OPENED);
    assertEquals(opened.id, id);
    const opening = json<Opening>(opened);
    assertEquals(opened.channel, opening.number);
    return opening;
  }

  /** Opens a channel without subscribing, and gives its number. */
  async openToPublish(channel: string): Promise<number> {
    return (await this.open(channel, { subscribe: false })).number;
  }

  /** Opens a channel or pattern to respond on, without subscribing. */
  respond(channel: string): Promise<Opening> {
    return this.open(channel, { subscribe: false, respond: true });
  }

  /** Leaves a channel or pattern; gives the number LEFT names. */
  async leave(channel: string): Promise<number> {
    const id = this.nextId();
    await this.send(this.frame(Type.LEAVE, { id }, { channel }));
    const left = await this.expect(Type.LEFT);
    assertEquals(left.id, id);
    assertEquals(json(left), { channel });
    return left.channel;
  }

  /** An id this client has not used. */
  nextId(): number {
    return ++this.#lastId;
  }

  // Receiving

  /** The next frame, or `undefined` at the end of the stream, orderly or not. */
  async nextOrEnd(withinMs: number = DEADLINE_MS): Promise<Frame | undefined> {
    const deadline = performance.now() + withinMs;
    while (true) {
      const frame = this.#take();
      if (frame !== undefined) return frame;
      const left = Math.max(1, deadline - performance.now());
      if (!await within(this.#fill(), "whole frame", left)) return undefined;
    }
  }

  /** The next frame. */
  async next(withinMs?: number): Promise<Frame> {
    const frame = await this.nextOrEnd(withinMs);
    assert(frame !== undefined, "expected a frame, got the end of the stream");
    return frame;
  }

  /** The next frame, which must be of `type`. */
  async expect(type: number, withinMs?: number): Promise<Frame> {
    const frame = await this.next(withinMs);
    const what = frame.type === type ? "" : ` ${text(frame)}`;
    assertEquals(typeName(frame.type) + what, typeName(type));
    return frame;
  }

  /** The next `count` messages of stored channels, as `sequence text`, each with the POSITION before it if there is one. */
  async stored(count: number): Promise<string[]> {
    const messages: string[] = [];
    while (messages.length < count) {
      const frame = await this.next();
      if (frame.type === Type.POSITION) {
        const view = new DataView(frame.payload.buffer, frame.payload.byteOffset);
        this.positions.set(frame.channel, Number(view.getBigUint64(0)));
        const before = frame.payload.length > 8 ? ` again ${view.getUint32(8)}` : "";
        messages.push(`at ${view.getBigUint64(0)}${before}`);
        count++;
        continue;
      }
      assertEquals(typeName(frame.type), "MESSAGE", text(frame));
      const sequence = this.positions.get(frame.channel) ?? 0;
      this.positions.set(frame.channel, sequence + 1);
      messages.push(`${sequence} ${text(frame)}`);
    }
    return messages;
  }

  /** The next frame, which must be an ACK; its id and sequence. */
  async acked(): Promise<{ id: number; sequence: number }> {
    const { id, payload } = await this.expect(Type.ACK);
    return { id, sequence: Number(new DataView(payload.buffer, payload.byteOffset).getBigUint64(0)) };
  }

  /** The next `count` frames, which must be of `type`. */
  async expectMany(count: number, type: number = Type.MESSAGE): Promise<Frame[]> {
    const frames: Frame[] = [];
    while (frames.length < count) frames.push(await this.expect(type));
    return frames;
  }

  /** The next frame, which must be an ERROR with `code`. */
  async refused(code: ErrorCode): Promise<Rejection> {
    const frame = await this.expect(Type.ERROR);
    const rejection: Rejection = { ...json<Rejection>(frame), id: frame.id, channel: frame.channel };
    assertEquals(rejection.code, code, rejection.message);
    assertEquals([frame.sender, frame.flags], [0, 0]);
    return rejection;
  }

  /** The next frame, which must be a fatal ERROR with `code`, and after it the end of the stream. */
  async ended(code: ErrorCode): Promise<Rejection> {
    const rejection = await this.refused(code);
    assertEquals(rejection.fatal, true);
    await this.end();
    return rejection;
  }

  /** The end of the stream, with nothing before it. */
  async end(): Promise<void> {
    const frame = await this.nextOrEnd();
    if (frame !== undefined) {
      throw new Error(`expected the end of the stream, got ${typeName(frame.type)} ${text(frame)}`);
    }
  }

  /** Everything up to the end of the stream. */
  async rest(): Promise<Frame[]> {
    const frames: Frame[] = [];
    for (let frame; (frame = await this.nextOrEnd()) !== undefined;) frames.push(frame);
    return frames;
  }

  /**
   * Waits, with PING and PONG, until the server has processed all that was sent; returns what came before the PONG. What
   * has been processed is also on its way to other sessions: it comes before the PONG of their own barrier.
   */
  async barrier(): Promise<Frame[]> {
    const id = this.nextId();
    await this.send(this.frame(Type.PING, { id }));
    return await this.upToPong(id);
  }

  /** What comes before the PONG with `id`. */
  async upToPong(id: number): Promise<Frame[]> {
    const frames: Frame[] = [];
    while (true) {
      const frame = await this.next();
      if (frame.type === Type.PONG && frame.id === id) return frames;
      frames.push(frame);
    }
  }

  #take(): Frame | undefined {
    const has = this.#to - this.#from;
    if (has < HEADER_BYTES) return undefined;
    const header = readHeader(this.#buffer, this.#from);
    if (has < HEADER_BYTES + header.length) return undefined;
    const start = this.#from + HEADER_BYTES;
    this.#from = start + header.length;
    return { ...header, payload: this.#buffer.slice(start, this.#from) };
  }

  /** Reads once; whether there was anything. */
  async #fill(): Promise<boolean> {
    this.#buffer.copyWithin(0, this.#from, this.#to);
    this.#to -= this.#from;
    this.#from = 0;
    if (this.#to === this.#buffer.length) {
      const larger = new Uint8Array(this.#buffer.length * 2);
      larger.set(this.#buffer);
      this.#buffer = larger;
    }
    try {
      const count = await this.#conn.read(this.#buffer.subarray(this.#to));
      this.#to += count ?? 0;
      return count !== null;
    } catch (error) {
      assertInstanceOf(error, Deno.errors.ConnectionReset);
      return false;
    }
  }
}

/** The channel that stands for the inbox of session `number`. */
export function inbox(number: number): number {
  return (number | INBOX) >>> 0;
}

/** All `parts` in one piece. */
export function concat(parts: Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
