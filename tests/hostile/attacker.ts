/**
 * A session for attacks: it reads all that comes, keeps nothing of it, and sends many frames at once.
 *
 * @module
 */

import { type Header, INBOX, Type } from "../../lib/wire/header.ts";
import { within } from "../harness/deadline.ts";
import { concat, type OpenOptions, type RawClient } from "../harness/raw_client.ts";
import type { ProcessHost } from "./host.ts";
import type { Harness } from "./harness.ts";
import { readOn, type Received } from "./transport.ts";

/** How long the server may take for what an attacker has sent, in milliseconds. */
const TAKEN_MS = 60_000;

/** How many sessions connect at the same time. */
const AT_ONCE = 16;

/** See the module's comment. */
export class Attacker {
  readonly client: RawClient;
  readonly received: Received;
  /** Whether it replies to each request at once. */
  replies = false;
  /** What it replies. */
  replyWith = new Uint8Array(0);
  /** Is told of each frame. */
  onFrame: ((header: Header) => void) | undefined;
  /** The numbers of the channels it has been told, in order. */
  readonly numbers: number[] = [];
  readonly #pongs = new Map<number, () => void>();
  #changed: (() => void) | undefined;
  #answers: Uint8Array[] = [];
  #written: Promise<void> = Promise.resolve();

  constructor(client: RawClient) {
    this.client = client;
    this.received = readOn(client, (header) => {
      const { type, id, channel, sender } = header;
      this.onFrame?.(header);
      if (type === Type.OPENED && id !== 0) this.numbers.push(channel);
      else if (type === Type.PONG) this.#pongs.get(id)?.();
      else if (type === Type.PING) this.#answer(client.frame(Type.PONG, { id }));
      else if (type === Type.REQUEST && this.replies) {
        this.#answer(client.frame(Type.REPLY, { id, channel: (sender | INBOX) >>> 0 }, this.replyWith));
      }
      this.#changed?.();
    });
  }

  static async greet(harness: Harness<ProcessHost>): Promise<Attacker> {
    return new Attacker(await harness.greet());
  }

  /** Greets `count` of them. */
  static async greetMany(harness: Harness<ProcessHost>, count: number): Promise<Attacker[]> {
    const all: Attacker[] = [];
    while (all.length < count) {
      const some = Array.from(
        { length: Math.min(AT_ONCE, count - all.length) },
        () => Attacker.greet(harness),
      );
      all.push(...await Promise.all(some));
    }
    return all;
  }

  /** Sends `frames`, all at once. */
  send(...frames: Uint8Array[]): Promise<void> {
    return this.#write(() => concat(frames));
  }

  /** The frame that opens `channel`. */
  opening(channel: string, options: OpenOptions = {}): Uint8Array<ArrayBuffer> {
    return this.client.frame(Type.OPEN, { id: 1 }, { channel, ...options });
  }

  /** The frame that leaves `channel`. */
  leaving(channel: string): Uint8Array<ArrayBuffer> {
    return this.client.frame(Type.LEAVE, { id: 1 }, { channel });
  }

  /** Opens `channels`, and waits until they are open. Returns the number of the last. */
  async open(channels: readonly string[], options: OpenOptions = {}): Promise<number> {
    await this.send(...channels.map((channel) => this.opening(channel, options)));
    await this.barrier();
    return this.numbers.at(-1)!;
  }

  /** Waits until the server has taken all that was sent. */
  async barrier(): Promise<void> {
    const id = this.client.nextId();
    const pong = Promise.withResolvers<void>();
    this.#pongs.set(id, pong.resolve);
    await this.send(this.client.frame(Type.PING, { id }));
    await within(Promise.race([pong.promise, this.received.ended]), "PONG", TAKEN_MS);
    this.#pongs.delete(id);
  }

  /** Waits until `count` frames of `type` have come. */
  async until(type: number, count: number): Promise<void> {
    const reached = Promise.withResolvers<void>();
    this.#changed = () => {
      if (this.received.count(type) >= count) reached.resolve();
    };
    this.#changed();
    await within(reached.promise, `${count} frames of type ${type}`, TAKEN_MS);
    this.#changed = undefined;
  }

  /** Sends what answers the server, as much as has gathered at a time. */
  #answer(frame: Uint8Array<ArrayBuffer>): void {
    this.#answers.push(frame);
    if (this.#answers.length > 1) return;
    this.#write(() => concat(this.#answers.splice(0))).catch(() => {}); // the connection is gone
  }

  /** Writes after what is being written: two writes at a time would interleave. */
  #write(bytes: () => Uint8Array<ArrayBuffer>): Promise<void> {
    this.#written = this.#written.then(() => this.client.send(bytes()));
    return this.#written;
  }
}
