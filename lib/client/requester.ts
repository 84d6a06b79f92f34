/**
 * Requests: calls to the responders of other sessions. None is sent twice.
 *
 * @module
 */

import { checkName, checkOptions } from "./checks.ts";
import { REQUEST_MS } from "./limits.ts";
import type { Message, Payload } from "./message_types.ts";
import type { RequestOptions } from "./options.ts";
import type { ReconnectingSession } from "./reconnecting.ts";
import { RequestCall } from "./request_call.ts";
import type { Session } from "./session.ts";
import type { SessionChannel } from "./session_channel.ts";
import { Wait } from "./waiting.ts";

/** What one client requests. */
export class Requester {
  readonly #line: ReconnectingSession;

  /** Sends by the current session of `line`. */
  constructor(line: ReconnectingSession) {
    this.#line = line;
  }

  /** See `Client.request`. */
  request(name: string, payload: Payload, options?: RequestOptions): Promise<Message> {
    // No await if the channel is open: a request must not be overtaken by what is published after it.
    const session = this.#line.current;
    const channel = session?.channels.get(name);
    if (channel?.isOpen && options === undefined) {
      return this.#request(session!, channel, payload, REQUEST_MS, undefined);
    }
    try {
      checkOptions("request", options);
      const wait = new Wait(`the request on ${name}`, options, REQUEST_MS);
      if (channel?.isOpen) return this.#request(session!, channel, payload, wait.leftMs, options);
      checkName(name);
      return this.#requestOnceOpen(name, payload, wait, options);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  async #requestOnceOpen(
    name: string,
    payload: Payload,
    wait: Wait,
    options: RequestOptions | undefined,
  ): Promise<Message> {
    const session = await this.#line.session(wait);
    const channel = session.openToSend(name);
    channel.holds++; // it must not be left before the request is sent
    let reply: Promise<Message>;
    try {
      await wait.for(channel.ready).catch((error) => {
        throw this.#line.lost(error, "the request was not sent");
      });
      reply = this.#request(session, channel, payload, wait.leftMs, options);
    } finally {
      session.release(channel);
    }
    return await reply;
  }

  /** Sends a request on an open channel. */
  #request(
    session: Session,
    channel: SessionChannel,
    payload: Payload,
    leftMs: number,
    options: RequestOptions | undefined,
  ): Promise<Message> {
    session.used(channel);
    return new Promise((resolve, reject) => {
      const timeoutMs = options?.timeoutMs ?? REQUEST_MS;
      const call = new RequestCall(channel, leftMs, timeoutMs, resolve, reject, this.#requestFailed);
      session.connection.calls.request(call, channel.channelId, payload, options);
    });
  }

  readonly #requestFailed = (error: unknown) =>
    this.#line.lost(error, "the request was not repeated; it may have been handled");
}
