/**
 * Answers requests with a handler: some at once, the rest in turn, every one.
 *
 * @module
 */

import type { Handler, Message, Responder, RespondOptions } from "./api.ts";
import { CONCURRENCY } from "./limits.ts";
import { callSafely } from "./callback.ts";
import type { OpenChannel } from "./channel.ts";
import { encodeErrorReply } from "./error_reply.ts";

/** The responder of one channel or pattern. */
export class ChannelResponder implements Responder {
  readonly channel: string;

  readonly #open: OpenChannel;
  readonly #handler: Handler;
  readonly #concurrency: number;
  readonly #onError: (error: unknown, request: Message) => void;
  readonly #finished: Promise<void>;
  #running = 0;
  /** Wakes the loop when a handler is done. */
  #wake: (() => void) | undefined;

  /** Starts answering what comes on `channel`. */
  constructor(channel: OpenChannel, handler: Handler, options: RespondOptions) {
    this.channel = channel.name;
    this.#open = channel;
    this.#handler = handler;
    this.#concurrency = options.concurrency ?? CONCURRENCY;
    this.#onError = options.onError ?? report;
    this.#finished = this.#run();
  }

  async stop(): Promise<void> {
    await this.#open.leave();
    await this.#finished;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  async #run(): Promise<void> {
    try {
      for await (const request of this.#open) {
        if (!request.isRequest) continue;
        this.#running++;
        this.#answer(request);
        if (this.#running >= this.#concurrency) await this.#oneDone();
      }
    } catch {
      // The connection is lost, which `Client.closed` tells.
    }
    while (this.#running > 0) await this.#oneDone();
  }

  #oneDone(): Promise<void> {
    return new Promise((resolve) => this.#wake = resolve);
  }

  /** Never rejects. */
  async #answer(request: Message): Promise<void> {
    try {
      await request.reply(await this.#handler(request) ?? new Uint8Array(0));
    } catch (error) {
      if (!this.#open.isConnected) return; // and nobody to tell; `Client.closed` does
      // Fails only where the reply was sent and then the connection lost.
      await request.reply(encodeErrorReply(error)).catch(() => {});
      callSafely(() => this.#onError(error, request));
    } finally {
      this.#running--;
      this.#wake?.();
    }
  }
}

function report(error: unknown, request: Message): void {
  console.error(`Parley: the handler of ${request.channel} failed:`, error);
}
