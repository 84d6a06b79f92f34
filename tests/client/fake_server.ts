/**
 * A server scripted by a test, frame by frame.
 *
 * @module
 */

import { concat } from "@std/bytes";
import { HEADER_BYTES } from "../../lib/limits.ts";
import { encodeControl } from "../../lib/wire/control.ts";
import { encodeFrame, type Header, readHeader, Type } from "../../lib/wire/header.ts";
import {
  putPosition,
  putReceipt,
  putRedelivery,
  SEQUENCE_FRAME_BYTES,
  SEQUENCE_U32_FRAME_BYTES,
} from "../../lib/wire/sequences.ts";

/** The WELCOME of a fake server, unless a test overrides parts of it. */
export const WELCOME = {
  session: "6ba7b810-9dad-41d1-80b4-00c04fd430c8",
  number: 17,
  name: "Ada",
  message: "Welcome, Ada.",
  server: { name: "fake", version: "0" },
  limits: { payload: 1_048_576, channels: 1024, pending: 16_777_216 },
  heartbeat: 30,
  time: "2026-11-25T12:00:00.000Z" as string | undefined,
};

/** Listens on a free port. */
export class FakeServer implements Disposable {
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly port = this.#listener.addr.port;

  /** The next connection. */
  async accept(): Promise<FakePeer> {
    return new FakePeer(await this.#listener.accept());
  }

  /** The next connection, after its HELLO and WELCOME. */
  async greet(welcome: Partial<typeof WELCOME> = {}): Promise<FakePeer> {
    const peer = await this.accept();
    await peer.expect(Type.HELLO);
    await peer.control({ type: Type.WELCOME }, { ...WELCOME, ...welcome });
    return peer;
  }

  [Symbol.dispose](): void {
    this.#listener.close();
  }
}

/** A whole frame. */
interface Frame {
  readonly header: Header;
  readonly payload: Uint8Array;
  json(): Record<string, unknown>;
}

function asksWhatWasTaken({ header }: Frame): boolean {
  return header.type === Type.PING && header.id === 0 && header.length > 0;
}

/** One connection, from the server's side. */
export class FakePeer implements Disposable {
  readonly conn: Deno.Conn;
  #rest = new Uint8Array(0);

  constructor(conn: Deno.Conn) {
    this.conn = conn;
  }

  /**
   * The next whole frame; undefined at the end of the stream. The PINGs that ask what was taken are skipped: on a slow
   * machine they may come anywhere.
   */
  async read(): Promise<Frame | undefined> {
    while (true) {
      const frame = await this.#next();
      if (frame === undefined || !asksWhatWasTaken(frame)) return frame;
    }
  }

  /** Waits until the client asks what was taken, and answers. */
  async confirm(): Promise<void> {
    for (let frame; (frame = await this.#next()) !== undefined;) {
      if (asksWhatWasTaken(frame)) return await this.write(encodeFrame({ type: Type.PONG }, frame.payload));
    }
  }

  async #next(): Promise<Frame | undefined> {
    while (true) {
      if (this.#rest.length >= HEADER_BYTES) {
        const header = readHeader(this.#rest);
        const end = HEADER_BYTES + header.length;
        if (this.#rest.length >= end) {
          const payload = this.#rest.slice(HEADER_BYTES, end);
          this.#rest = this.#rest.slice(end);
          return { header, payload, json: () => JSON.parse(new TextDecoder().decode(payload)) };
        }
      }
      const chunk = new Uint8Array(65_536);
      const count = await this.conn.read(chunk).catch(() => null);
      if (count === null) return undefined;
      const joined = new Uint8Array(this.#rest.length + count);
      joined.set(this.#rest);
      joined.set(chunk.subarray(0, count), this.#rest.length);
      this.#rest = joined;
    }
  }

  /** The next frame, which must be of `type`. */
  async expect(type: number): Promise<Frame> {
    const frame = await this.read();
    if (frame?.header.type !== type) {
      throw new Error(`expected type ${type}, got ${frame === undefined ? "the end" : frame.header.type}`);
    }
    return frame;
  }

  /** Reads an OPEN and answers it with `number`, and with `more`. */
  async open(number: number, more: Record<string, unknown> = {}): Promise<Record<string, unknown>> {
    const open = await this.expect(Type.OPEN);
    const { channel, subscribe, respond } = open.json();
    await this.control({ type: Type.OPENED, id: open.header.id, channel: number }, {
      channel,
      number,
      publish: true,
      subscribe,
      respond,
      ...more,
    });
    return open.json();
  }

  /** Reads messages up to one that wants a receipt. Returns their texts, and the id of the receipt. */
  async batch(): Promise<{ readonly texts: string[]; readonly id: number }> {
    const texts: string[] = [];
    while (true) {
      const { header, payload } = await this.expect(Type.MESSAGE);
      texts.push(new TextDecoder().decode(payload));
      if (header.id !== 0) return { texts, id: header.id };
    }
  }

  /** Says that message `id` and all before it are stored. */
  async ack(id: number, channel: number, sequence: number): Promise<void> {
    const frame = new Uint8Array(SEQUENCE_FRAME_BYTES);
    putReceipt(frame, 0, id, channel, sequence);
    await this.write(frame);
  }

  /** Sends messages of a stored channel, in one write; the first was delivered `before` times already. */
  async deliver(channel: number, sequence: number, texts: readonly string[], before = 0): Promise<void> {
    const position = new Uint8Array(before === 0 ? SEQUENCE_FRAME_BYTES : SEQUENCE_U32_FRAME_BYTES);
    if (before === 0) putPosition(position, 0, channel, sequence);
    else putRedelivery(position, 0, channel, sequence, before);
    const frames = texts.map((text) =>
      encodeFrame({ type: Type.MESSAGE, flags: 1, channel, sender: 3 }, new TextEncoder().encode(text))
    );
    await this.write(concat([position, ...frames]));
  }

  /** Writes all of `bytes`. */
  async write(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length;) at += await this.conn.write(bytes.subarray(at));
  }

  /** Writes a control frame. */
  async control(header: Partial<Header> & { type: number }, payload: unknown): Promise<void> {
    await this.write(encodeControl(header, payload));
  }

  /** Reads until the client closes. */
  async drain(): Promise<void> {
    while (await this.read() !== undefined);
  }

  /** Answers PINGs until the client closes. */
  async answerPings(): Promise<void> {
    for (let frame; (frame = await this.read()) !== undefined;) {
      const { type, id } = frame.header;
      if (type === Type.PING) await this.write(encodeFrame({ type: Type.PONG, id }, frame.payload));
    }
  }

  [Symbol.dispose](): void {
    try {
      this.conn.close();
    } catch {
      // The test has closed it already.
    }
  }
}

/** Runs `script` as the server and `run` as its client; both must succeed. */
export async function playServer<T>(
  script: (server: FakeServer) => Promise<void>,
  run: (port: number) => Promise<T>,
): Promise<T> {
  using server = new FakeServer();
  const [result] = await Promise.all([run(server.port), script(server)]);
  return result;
}
