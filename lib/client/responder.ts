/**
 * Answers requests with a handler: a limited number at once, the rest in order of arrival.
 *
 * @module
 */

import { ApplicationError, ParleyError } from "../errors.ts";
import { ERROR_HEADER } from "../wire/message_headers.ts";
import type { Handler, Responder } from "./api.ts";
import { callSafely } from "./callback.ts";
import { checkOptions } from "./checks.ts";
import { replyFailed } from "./error_reply.ts";
import { CONCURRENCY } from "./limits.ts";
import type { Message, Payload, ReplyOptions, Request } from "./message_types.ts";
import type { RespondOptions, WaitOptions } from "./options.ts";
import { type Backlog, MessageQueue } from "./queue.ts";
import { readRequest, ReceivedRequest } from "./received_request.ts";
import { RESOLVED, Wait } from "./waiting.ts";

/** The responder of one channel or pattern. It outlives the sessions that it answers for. */
export class ClientResponder implements Responder {
  readonly channel: string;
  /** The requests that wait. */
  readonly queue: MessageQueue;
  readonly finished: Promise<void>;

  readonly #handler: Handler;
  readonly #concurrency: number;
  readonly #onError: (error: unknown, request: Request) => void;
  readonly #leave: (responder: ClientResponder) => Promise<void>;
  /** In any order. Not a `Set`, for the reason that `PendingCalls` has no `Map`. */
  readonly #running: ReceivedRequest[] = [];
  readonly #signal: AbortSignal | undefined;
  readonly #aborted = () => void this.stop().catch(() => {});
  /** Wakes the loop when a handler has finished. */
  #wake: (() => void) | undefined;
  #stopping: Promise<void> | undefined;

  /** `leave` ends it at the server. */
  constructor(
    channel: string,
    handler: Handler,
    options: RespondOptions,
    backlog: Backlog,
    leave: (responder: ClientResponder) => Promise<void>,
  ) {
    this.channel = channel;
    this.queue = new MessageQueue(backlog, readRequest);
    this.#handler = handler;
    this.#concurrency = options.concurrency ?? CONCURRENCY;
    this.#onError = options.onError ?? logError;
    this.#leave = leave;
    this.#signal = options.signal;
    this.#signal?.addEventListener("abort", this.#aborted);
    this.finished = this.#run();
  }

  async stop(options?: WaitOptions): Promise<void> {
    checkOptions("wait", options);
    const wait = new Wait(`stopping the responder of ${this.channel}`, options);
    this.#stopping ??= this.#stop();
    await wait.for(this.#stopping, () => {
      this.#abortRunning(new ParleyError("closed", "the responder was stopped before the reply was sent"));
    });
  }

  async #stop(): Promise<void> {
    await this.#leave(this);
    this.queue.end();
    await this.finished.catch(() => {});
  }

  /** The connection broke. Requests that came by it can no longer be answered. */
  interrupted(error: ParleyError): void {
    this.queue.clear();
    this.#abortRunning(error);
  }

  /** The connection is over for good. No error means that the client was closed. */
  over(error: ParleyError | undefined): void {
    this.queue.clear();
    this.#abortRunning(error ?? new ParleyError("closed", "the client was closed"));
    this.queue.end(error);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  #abortRunning(reason: ParleyError): void {
    for (const request of this.#running) request.abort(reason);
  }

  async #run(): Promise<void> {
    try {
      while (true) {
        const { value } = await this.queue.next();
        if (value === undefined) break;
        // Those that have come with it need no promise each.
        for (
          let request: Message | undefined = value;
          request !== undefined;
          request = this.queue.takeNow()
        ) {
          if (!(request instanceof ReceivedRequest)) continue;
          request.place = this.#running.push(request) - 1;
          this.#answer(request);
          while (this.#running.length >= this.#concurrency) await this.#handlerFinished();
        }
      }
      while (this.#running.length > 0 && this.#stopping !== undefined) await this.#handlerFinished();
    } finally {
      this.#signal?.removeEventListener("abort", this.#aborted);
    }
  }

  #handlerFinished(): Promise<void> {
    return new Promise((resolve) => this.#wake = resolve);
  }

  /** Calls the handler. One that returns no promise is answered at once. */
  #answer(request: ReceivedRequest): void {
    try {
      const result = this.#handler(request);
      if (isPromise(result)) {
        result.then((value) => this.#reply(request, value)).catch((error) => this.#failed(request, error));
      } else {
        this.#reply(request, result);
      }
    } catch (error) {
      this.#failed(request, error);
    }
  }

  #reply(request: ReceivedRequest, result: Payload | void): void {
    if (request.isAnswered) return this.#finished(request);
    const sent = request.reply(result ?? NOTHING);
    if (sent === RESOLVED) this.#finished(request);
    else sent.then(() => this.#finished(request), (error) => this.#failed(request, error));
  }

  /** Never rejects. */
  async #failed(request: ReceivedRequest, error: unknown): Promise<void> {
    if (!isOver(error)) { // the client's events report that
      // Fails only if the handler has replied before it threw, or the connection is lost.
      await replyError(error, (payload, options) => request.reply(payload, options)).catch(() => {});
      callSafely(() => this.#onError(error, request));
    }
    this.#finished(request);
  }

  #finished(request: ReceivedRequest): void {
    const last = this.#running.pop()!;
    if (last !== request) {
      this.#running[request.place] = last;
      last.place = request.place;
    }
    this.#wake?.();
  }
}

const NOTHING = new Uint8Array(0);
const NO_DETAILS = "the responder failed and gave no reply; its own log says why";

/** Replies that the handler threw `error`. Only an `ApplicationError` is meant for the requester. */
function replyError(
  error: unknown,
  reply: (payload: Payload, options: ReplyOptions) => Promise<void>,
): Promise<void> {
  if (!(error instanceof ApplicationError)) return replyFailed(NO_DETAILS, reply);
  const { code, message, data } = error;
  return reply({ json: { message, data } }, { headers: { [ERROR_HEADER]: code } });
}

function isPromise(result: Payload | void | Promise<Payload | void>): result is Promise<Payload | void> {
  return typeof result === "object" && result !== null &&
    typeof (result as { then?: unknown }).then === "function";
}

/** Whether a reply failed because there is no connection for it. */
function isOver(error: unknown): boolean {
  return error instanceof ParleyError && (error.code === "interrupted" || error.fatal);
}

function logError(error: unknown, request: Request): void {
  console.error(`Parley: the handler of ${request.channel} failed:`, error);
}
