/**
 * Requests that came for a responder.
 *
 * @module
 */

import { ParleyError } from "../errors.ts";
import { u16 } from "../wire/header.ts";
import type { MessageHeaders } from "../wire/message_headers.ts";
import { badArgument, checkOptions } from "./checks.ts";
import { type Origin, readHeaders, ReceivedMessage, type SendReply } from "./message.ts";
import type { Payload, ReplyOptions, Request } from "./message_types.ts";
import { RESOLVED } from "./waiting.ts";

/** As `readMessage`, for the queue of a responder. */
export function readRequest(bytes: Uint8Array, at: number, origin: Origin): ReceivedRequest | ParleyError {
  const headers = readHeaders(bytes, at, origin);
  if (headers instanceof ParleyError) return headers;
  return new ReceivedRequest(bytes, at, origin, headers, u16(bytes, at + 2), origin.sendReply!);
}

/** A request, and whether it has its reply. */
export class ReceivedRequest extends ReceivedMessage implements Request {
  /** Where its responder holds it. */
  place = 0;
  readonly #id: number;
  readonly #sendReply: SendReply;
  #isAnswered = false;
  #abort: AbortController | undefined;
  #aborted: { readonly reason: unknown } | undefined;

  constructor(
    bytes: Uint8Array,
    at: number,
    origin: Origin,
    headers: MessageHeaders,
    id: number,
    sendReply: SendReply,
  ) {
    super(bytes, at, origin, headers);
    this.#id = id;
    this.#sendReply = sendReply;
  }

  /** Made on demand, because most handlers do not ask for it. */
  get signal(): AbortSignal {
    if (this.#abort === undefined) {
      this.#abort = new AbortController();
      if (this.#aborted !== undefined) this.#abort.abort(this.#aborted.reason);
    }
    return this.#abort.signal;
  }

  /** Whether the reply was sent. */
  get isAnswered(): boolean {
    return this.#isAnswered;
  }

  /** Aborts `signal`. */
  abort(reason: unknown): void {
    this.#aborted ??= { reason };
    this.#abort?.abort(reason);
  }

  reply(payload: Payload, options?: ReplyOptions): Promise<void> {
    if (this.#isAnswered) return Promise.reject(badArgument("this request has its reply already"));
    try {
      checkOptions("reply", options);
    } catch (error) {
      return Promise.reject(error);
    }
    this.#isAnswered = true;
    const sent = this.#sendReply(this.#id, this.sender, payload, options);
    if (sent !== RESOLVED) sent.catch(() => this.#isAnswered = false); // nothing was sent
    return sent;
  }
}
