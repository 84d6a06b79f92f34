/**
 * A request that waits for its reply.
 *
 * @module
 */

import { ApplicationError, ParleyError } from "../errors.ts";
import { type Header, Type } from "../wire/header.ts";
import { ERROR_HEADER } from "../wire/message_headers.ts";
import { PendingCall } from "./call.ts";
import { FAILED } from "./error_reply.ts";
import { type Origin, readMessage } from "./message.ts";
import type { Message } from "./message_types.ts";

/** A request, which allocates as little as it can. */
export class RequestCall extends PendingCall {
  readonly #origin: Origin;
  readonly #timeoutMs: number;
  readonly #resolve: (reply: Message) => void;
  readonly #reject: (error: unknown) => void;
  readonly #explain: (error: unknown) => unknown;

  /**
   * A request on the channel of `origin`.
   *
   * @param leftMs how long it may still take
   * @param timeoutMs how long the whole call may take, for the error
   * @param explain says what an error means for a request
   */
  constructor(
    origin: Origin,
    leftMs: number,
    timeoutMs: number,
    resolve: (reply: Message) => void,
    reject: (error: unknown) => void,
    explain: (error: unknown) => unknown,
  ) {
    super(Type.REPLY, leftMs);
    this.#origin = origin;
    this.#timeoutMs = timeoutMs;
    this.#resolve = resolve;
    this.#reject = reject;
    this.#explain = explain;
  }

  accept(_header: Header, bytes: Uint8Array, from: number, to: number): void {
    const reply = readMessage(bytes.slice(from, to), 0, this.#origin);
    const error = reply instanceof ParleyError ? reply : errorOf(reply);
    if (error === undefined) this.#resolve(reply as Message);
    else this.#reject(error);
  }

  reject(error: unknown): void {
    this.#reject(this.#explain(error));
  }

  late(): ParleyError {
    return new ParleyError(
      "timed_out",
      `no reply on ${this.#origin.name} within ${this.#timeoutMs / 1000} s`,
    );
  }
}

/** The error that `reply` reports, if it reports one. The content of other implementations may be plain text. */
function errorOf(reply: Message): Error | undefined {
  const code = reply.headers[ERROR_HEADER];
  if (code === undefined) return undefined;
  let message = reply.text();
  let data: unknown;
  if (reply.kind === "json") {
    const content = reply.json();
    if (content !== null && typeof content === "object" && "message" in content) {
      message = String(content.message);
      data = "data" in content ? content.data : undefined;
    }
  }
  if (code === FAILED) return new ParleyError("responder_failed", message);
  try {
    return new ApplicationError(code, message, data);
  } catch {
    return new ParleyError(
      "responder_failed",
      `the responder failed with ${JSON.stringify(code)}: ${message}`,
    );
  }
}
