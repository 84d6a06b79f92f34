/**
 * Two sessions that pass messages to each other while something else happens to their server.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { Type } from "../../lib/wire/header.ts";
import { LoadFreeClock } from "./load_free_clock.ts";
import { type RawClient, text } from "./raw_client.ts";

/** See the module's comment. */
export class ControlPair implements Disposable {
  /** How long each message took to arrive, in milliseconds, without what other programs took of the processor. */
  readonly tookMs: number[] = [];
  readonly #from: RawClient;
  readonly #to: RawClient;
  readonly #channel: number;
  readonly #clock: LoadFreeClock;
  #last: Promise<void> = Promise.resolve();

  private constructor(from: RawClient, to: RawClient, channel: number, clock: LoadFreeClock) {
    this.#from = from;
    this.#to = to;
    this.#channel = channel;
    this.#clock = clock;
  }

  /**
   * Opens a channel between two sessions that `connect` gives.
   *
   * @param pid the server's process; left out if the server is in this one
   */
  static async open(connect: () => Promise<RawClient>, pid?: number): Promise<ControlPair> {
    const [from, to] = [await connect(), await connect()];
    const { number } = await to.open("control");
    await from.openToPublish("control");
    return new ControlPair(from, to, number, new LoadFreeClock(pid));
  }

  /** Passes a message from one to the other, after those that are on their way. */
  pass(): Promise<void> {
    this.#last = this.#last.then(() => this.#pass());
    return this.#last;
  }

  /** The time that one message in a hundred exceeded, in milliseconds. */
  p99(): number {
    return this.tookMs.toSorted((a, b) => a - b)[Math.floor(this.tookMs.length * 0.99)];
  }

  [Symbol.dispose](): void {
    this.#from.close();
    this.#to.close();
    this.#clock[Symbol.dispose]();
  }

  async #pass(): Promise<void> {
    const start = this.#clock.now();
    const payload = `${this.tookMs.length}`;
    await this.#from.send(this.#from.message(this.#channel, payload));
    let frame = await this.#to.next();
    for (; frame.type === Type.PING; frame = await this.#to.next()) {
      await this.#to.send(this.#to.frame(Type.PONG, { id: frame.id }));
    }
    assertEquals([frame.type, text(frame)], [Type.MESSAGE, payload]);
    this.tookMs.push(this.#clock.now() - start);
  }
}
