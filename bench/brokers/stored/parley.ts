/**
 * Parley's durable channels, as the protocol describes them.
 *
 * @module
 */

import { HEADER_BYTES } from "../../../lib/limits.ts";
import { encodeFrame, putU32, RECEIPT, Type, u32 } from "../../../lib/wire/header.ts";
import { firstSequence, putU64, SEQUENCE_FRAME_BYTES } from "../../../lib/wire/sequences.ts";
import { ascii, type Command, joined, text } from "../broker.ts";
import { completeFrame, ParleyClient } from "../parley.ts";
import type { Burst, Reader, Receipts, StoredClient } from "./client.ts";

/** One session that publishes on durable channels, or reads them. */
export class ParleyStoredClient implements StoredClient {
  readonly #session = new ParleyClient();

  /** The server's arguments make the channels durable. */
  *prepare(): Iterable<Command> {}

  *produce(channels: readonly string[]): Iterable<Command> {
    yield this.#session.hello();
    for (const channel of channels) yield this.#session.open(channel, false);
  }

  /** The last message on each channel asks for the receipt of all. */
  burst(channels: readonly string[], payload: Uint8Array, count: number, number: number): Burst {
    const messages = Array.from({ length: count }, (_, index) => {
      const bytes = this.#session.message(channels[index % channels.length], payload);
      if (index >= count - channels.length) {
        const id = 1 + (number * channels.length + index % channels.length) % 0xffff;
        bytes.set([RECEIPT, id >>> 8, id], 1);
      }
      return bytes;
    });
    return { bytes: joined(...messages), receipts: Math.min(count, channels.length) };
  }

  receipts(): Receipts {
    return new Acks();
  }

  consume(channel: string, payload: Uint8Array, window: number): Reader {
    return new ParleyReader(channel, payload, { consumer: "bench", window });
  }

  replay(channel: string, payload: Uint8Array): Reader {
    return new ParleyReader(channel, payload, { from: "all" });
  }
}

/** Every ACK has the same length; nothing else but an ERROR comes. */
class Acks implements Receipts {
  #at = 0;

  count(bytes: Uint8Array, length: number): number {
    const first = (SEQUENCE_FRAME_BYTES - this.#at) % SEQUENCE_FRAME_BYTES;
    if (first < length && bytes[first] !== Type.ACK) {
      throw new Error(`Parley answered ${text(bytes.subarray(first + HEADER_BYTES, length))}`);
    }
    const all = this.#at + length;
    this.#at = all % SEQUENCE_FRAME_BYTES;
    return Math.floor(all / SEQUENCE_FRAME_BYTES);
  }
}

/** A consumer that acknowledges what has come once for each read, or a subscriber that reads from the first message. */
export class ParleyReader implements Reader {
  readonly #session = new ParleyClient();
  readonly #channel: string;
  readonly #messageBytes: number;
  readonly #options: Record<string, unknown>;
  readonly answer = new Uint8Array(SEQUENCE_FRAME_BYTES);
  answerLength = 0;
  received = 0;
  #next = 0;

  constructor(channel: string, payload: Uint8Array, options: Record<string, unknown>) {
    this.#channel = channel;
    this.#messageBytes = HEADER_BYTES + payload.length;
    this.#options = options;
  }

  *setUp(): Iterable<Command> {
    yield this.#session.hello();
  }

  start(): Uint8Array {
    this.answer.set(encodeFrame({ type: Type.ACK, sender: this.#session.number }, new Uint8Array(8)));
    const options = { channel: this.#channel, subscribe: true, ...this.#options };
    const header = { type: Type.OPEN, id: 1, sender: this.#session.number };
    return encodeFrame(header, ascii(JSON.stringify(options)));
  }

  receive(bytes: Uint8Array, length: number): number {
    let at = 0;
    const before = this.received;
    while (at + HEADER_BYTES <= length) {
      const type = bytes[at];
      const end = at + HEADER_BYTES + u32(bytes, at + 4);
      if (end > length) break;
      if (type === Type.MESSAGE) {
        if (end - at !== this.#messageBytes) throw new Error(`a message of ${end - at} bytes came`);
        this.received++;
        this.#next++;
      } else if (type === Type.POSITION) {
        this.#next = firstSequence(bytes, at);
      } else {
        const opened = completeFrame(bytes.subarray(at, end), Type.OPENED)!;
        putU32(this.answer, 8, opened.number as number);
      }
      at = end;
    }
    if (this.received > before && this.#options.consumer !== undefined) {
      putU64(this.answer, HEADER_BYTES, this.#next - 1);
      this.answerLength = SEQUENCE_FRAME_BYTES;
    }
    return at;
  }
}
