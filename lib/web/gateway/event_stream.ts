/**
 * Writes Server-Sent Events, no faster than their reader reads.
 *
 * @module
 */

import type { ServerResponse } from "node:http";
import { EVENT_STREAM_HEARTBEAT_MS, EVENT_STREAM_WRITE_CHARACTERS } from "../../limits.ts";

/** One event. Names that `EventSource` does not know are skipped by it, and tell people something. */
export interface StreamEvent {
  /** What `Last-Event-ID` says when the reader comes back. */
  readonly id?: string;
  /** Its type; `message` if left out. */
  readonly event?: string;
  /** The channel, if it does not go without saying. */
  readonly channel?: string;
  /** Its data. Without it the event only sets the id. */
  readonly data?: string;
}

/**
 * The text of an event. Data of several lines becomes several fields, which the reader joins by line feeds: CR LF and CR
 * become LF.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { encodeEvent } from "./event_stream.ts";
 *
 * assertEquals(encodeEvent({ id: "e:7", data: "two\r\nlines" }), "id: e:7\ndata: two\ndata: lines\n\n");
 * ```
 */
export function encodeEvent({ id, event, channel, data }: StreamEvent): string {
  let text = "";
  if (id !== undefined) text += `id: ${id}\n`;
  if (event !== undefined) text += `event: ${event}\n`;
  if (channel !== undefined) text += `channel: ${channel}\n`;
  if (data !== undefined) text += `data: ${data.replace(/\r\n|\r|\n/g, "\ndata: ")}\n`;
  return `${text}\n`;
}

/** An event stream as the response to a request. */
export class EventStream {
  readonly #response: ServerResponse;
  readonly #heartbeat: ReturnType<typeof setInterval>;
  #pending = "";
  #isScheduled = false;
  /** Resolves when there is room again; nothing while there is. */
  #room: PromiseWithResolvers<void> | undefined;
  #isOver = false;

  /** Sends the head of the response. The stream is over once the response is closed, which ends all waits. */
  constructor(response: ServerResponse) {
    this.#response = response;
    response.writeHead(200, {
      "content-type": "text/event-stream; charset=utf-8",
      "cache-control": "no-store",
      "x-accel-buffering": "no", // a proxy must pass each event on at once
    });
    response.flushHeaders();
    response.on("drain", () => this.#drained());
    response.once("close", () => this.#closed());
    this.#heartbeat = setInterval(() => this.comment(""), EVENT_STREAM_HEARTBEAT_MS);
    if (response.closed) this.#closed();
  }

  /** Writes an event. Await it: it resolves when there is room for another. */
  send(event: StreamEvent): Promise<void> | undefined {
    this.#write(encodeEvent(event));
    return this.#room?.promise;
  }

  /** Writes a line that is no part of any event, unless others wait already. */
  comment(text: string): void {
    if (this.#room === undefined) this.#write(`: ${text}\n\n`);
  }

  /** Whether the reader has yet to take what was sent. */
  get isBlocked(): boolean {
    return this.#room !== undefined;
  }

  /** Whether nothing can be sent any more. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** Ends the stream behind what was sent. */
  end(): void {
    if (this.#isOver) return;
    this.#flush();
    this.#isOver = true;
    this.#response.end();
  }

  #write(text: string): void {
    if (this.#isOver) return;
    this.#pending += text;
    if (this.#pending.length >= EVENT_STREAM_WRITE_CHARACTERS) return this.#flush();
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    queueMicrotask(() => queueMicrotask(() => this.#flush())); // events that come together are written together
  }

  #flush(): void {
    this.#isScheduled = false;
    if (this.#isOver || this.#pending === "") return;
    const text = this.#pending;
    this.#pending = "";
    if (this.#response.write(text) || this.#room !== undefined) return;
    this.#room = Promise.withResolvers();
  }

  #drained(): void {
    this.#room?.resolve();
    this.#room = undefined;
  }

  #closed(): void {
    this.#isOver = true;
    clearInterval(this.#heartbeat);
    this.#drained();
  }
}
