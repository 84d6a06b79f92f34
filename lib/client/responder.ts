/**
 * Answers requests with a handler: a limited number at once, the rest in order of arrival.
 *
 * @module
 */

import type { Handler, Message, Responder, RespondOptions } from "./api.ts";
import { callSafely } from "./callback.ts";
import type { OpenChannel } from "./channel.ts";
import { replyError } from "./error_reply.ts";
import { CONCURRENCY } from "./limits.ts";
import { isAnswered } from "./message.ts";

/** The responder of one channel or pattern. */
export class ChannelResponder implements Responder {
  readonly channel: string;

  readonly #channel: OpenChannel;
  readonly #handler: Handler;
  readonly #concurrency: number;
  readonly #onError: (error: unknown, request: Message) => void;
  readonly #finished: Promise<void>;
  #running = 0;
  /** Wakes the loop when a handler has finished. */
  #wake: (() => void) | undefined;

  /** Starts to answer the requests of `channel`. */
  constructor(channel: OpenChannel, handler: Handler, options: RespondOptions) {
    this.channel = channel.name;
    this.#channel = channel;
    this.#handler = handler;
    this.#concurrency = options.concurrency ?? CONCURRENCY;
    this.#onError = options.onError ?? logError;
    this.#finished = this.#run();
  }

  async stop(): Promise<void> {
    await this.#channel.leave();
    await this.#finished;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  async #run(): Promise<void> {
    try {
      for await (const request of this.#channel) {
        this.#running++;
        this.#answer(request);
        if (this.#running >= this.#concurrency) await this.#handlerFinished();
      }
    } catch {
      // The connection is lost. `Client.closed` reports it.
    }
    while (this.#running > 0) await this.#handlerFinished();
  }

  #handlerFinished(): Promise<void> {
    return new Promise((resolve) => this.#wake = resolve);
  }

  /** Never rejects. */
  async #answer(request: Message): Promise<void> {
    try {
      const result = await this.#handler(request);
      if (!isAnswered(request)) await request.reply(result ?? new Uint8Array(0));
    } catch (error) {
      if (!this.#channel.isConnected) return; // `Client.closed` reports it
      // Fails only if the handler has replied before it threw, or the connection is lost.
      await replyError(error, (payload, options) => request.reply(payload, options)).catch(() => {});
      callSafely(() => this.#onError(error, request));
    } finally {
      this.#running--;
      this.#wake?.();
    }
  }
}

function logError(error: unknown, request: Message): void {
  console.error(`Parley: the handler of ${request.channel} failed:`, error);
}
