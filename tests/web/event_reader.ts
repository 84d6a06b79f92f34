/**
 * `curl -N` on an event stream.
 *
 * @module
 */

import { within } from "../harness/deadline.ts";
import { Program } from "../harness/program.ts";

/** One event as `EventSource` has it, with the fields that it does not know. */
export interface ReceivedEvent {
  readonly id?: string;
  readonly event?: string;
  readonly channel?: string;
  readonly retry?: string;
  readonly data?: string;
}

/** A running curl. Disposing of it kills it, as `kill -9`. */
export class EventReader implements AsyncDisposable {
  /** The id of the last event. */
  lastId: string | undefined;
  readonly #program: Program;
  readonly #events: ReceivedEvent[] = [];
  #event: Record<string, string> = {};
  #woken = Promise.withResolvers<void>();
  #isOver = false;

  /** Starts curl. `subscribed` says when the server has begun to answer. */
  constructor(url: string, ...args: string[]) {
    this.#program = new Program(["-q", "-sS", "-N", ...args, url], {
      program: ["curl"],
      keepsOutput: false,
      onOutputLine: (line) => this.#line(line),
    });
    this.#program.status.then(() => {
      this.#isOver = true;
      this.#wake();
    });
  }

  /** Starts curl, and waits until the server has subscribed for it. */
  static async open(url: string, ...args: string[]): Promise<EventReader> {
    const reader = new EventReader(url, ...args);
    const first = await reader.next();
    if (first.retry === undefined) throw new Error(`not the head of a stream: ${JSON.stringify(first)}`);
    return reader;
  }

  /** Its process. */
  get pid(): number {
    return this.#program.pid;
  }

  /** Sends it a signal. */
  kill(signal: Deno.Signal): void {
    this.#program.kill(signal);
  }

  /** Resolves when the stream has ended. */
  async ended(): Promise<void> {
    await within(this.#program.status, "the end of the stream");
  }

  /** The next event, those that only set the id included. */
  async next(): Promise<ReceivedEvent> {
    while (this.#events.length === 0) {
      if (this.#isOver) throw new Error("the stream has ended");
      await within(this.#woken.promise, "an event");
    }
    return this.#events.shift()!;
  }

  /** The data of the next `count` events that have some. */
  async data(count: number): Promise<string[]> {
    const found: string[] = [];
    while (found.length < count) {
      const { data } = await this.next();
      if (data !== undefined) found.push(data);
    }
    return found;
  }

  #line(line: string): void {
    if (line.startsWith(":")) return;
    if (line === "") {
      if (Object.keys(this.#event).length === 0) return;
      this.#events.push(this.#event);
      this.lastId = this.#event.id ?? this.lastId;
      this.#event = {};
      return this.#wake();
    }
    const [, name, value] = /^([a-z]+): ?(.*)$/.exec(line)!;
    const before = this.#event[name];
    this.#event[name] = before !== undefined && name === "data" ? `${before}\n${value}` : value;
  }

  #wake(): void {
    this.#woken.resolve();
    this.#woken = Promise.withResolvers();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#program[Symbol.asyncDispose]();
  }
}
