/**
 * Outgoing messages, and the callers that wait until there is room for more.
 *
 * @module
 */

import { ParleyError } from "../errors.ts";
import type { BasicOutbox } from "../net/basic_connection.ts";
import { Type } from "../wire/header.ts";
import type { ClientConnectionOptions } from "./connection_types.ts";
import type { EncodedMessage, FrameWriter } from "./frame_writer.ts";
import { MAX_PENDING_FACTOR } from "./limits.ts";
import type { Payload, ReplyOptions } from "./message_types.ts";
import { handled, RESOLVED } from "./waiting.ts";

/** The outgoing messages of one connection. */
export class Outbound {
  /** How many messages were sent; requests are not counted, because their replies confirm them. */
  sent = 0;
  /** Whether replies or acknowledgements were sent, which only a PING confirms. */
  hasReplied = false;

  readonly #outbox: BasicOutbox;
  readonly #writer: FrameWriter;
  readonly #maxPending: number;
  readonly #isRenewed: boolean;
  readonly #onWait: () => void;
  #waiting = 0;
  /** Why nothing can be sent any more. */
  #stopped: ParleyError | undefined;

  /**
   * @param options those of the connection
   * @param onWait is called before a caller waits for room
   */
  constructor(
    outbox: BasicOutbox,
    writer: FrameWriter,
    { pendingBytes, isRenewed }: Pick<ClientConnectionOptions, "pendingBytes" | "isRenewed">,
    onWait: () => void,
  ) {
    this.#outbox = outbox;
    this.#writer = writer;
    this.#maxPending = pendingBytes * MAX_PENDING_FACTOR;
    this.#isRenewed = isRenewed;
    this.#onWait = onWait;
  }

  /** Whether a caller waits for room. */
  get isWaiting(): boolean {
    return this.#waiting > 0;
  }

  /** Sends nothing more. Callers that wait are rejected when the outbox closes. */
  stop(error: ParleyError): void {
    this.#stopped = error;
  }

  /**
   * Queues a frame that has no answer. Resolves at once if there is room for more, otherwise as soon as there is.
   *
   * @throws {ParleyError} `too_large`, `bad_argument`, `backlog_full`, or the error of `stop`
   */
  send(
    type: number,
    id: number,
    channel: number,
    payload: Payload,
    options: ReplyOptions | undefined,
  ): Promise<void> {
    if (this.#stopped !== undefined) return handled(Promise.reject(this.#stopped));
    try {
      if (this.#outbox.pending > this.#maxPending) {
        const text =
          `${this.#outbox.pending} bytes wait to be written; await the promise that publish returns`;
        throw new ParleyError("backlog_full", text);
      }
      this.#writer.message(type, id, channel, payload, options);
    } catch (error) {
      return Promise.reject(error);
    }
    if (type === Type.MESSAGE) this.sent++;
    else this.hasReplied = true;
    return this.#outbox.hasRoom(0) ? RESOLVED : this.#room();
  }

  /** Queues a message that was encoded before, whether or not there is room. Does nothing once stopped. */
  sendEncoded(channel: number, message: EncodedMessage): void {
    if (this.#stopped !== undefined) return;
    this.#writer.encoded(Type.MESSAGE, 0, channel, message);
    this.sent++;
  }

  /**
   * Queues `bytes[0, length)`: whole frames that are answered, or need no answer, so that they do not count as sent.
   * Does nothing once stopped.
   */
  sendFrames(bytes: Uint8Array, length: number): void {
    if (this.#stopped === undefined) this.#writer.frames(bytes, length);
  }

  #room(): Promise<void> {
    this.#waiting++;
    this.#onWait();
    const room = new Promise<void>((resolve, reject) => {
      this.#outbox.whenRoom(() => {
        this.#waiting--;
        // After `close`, queued messages are still written. If another connection follows, the program can go on, and
        // the client's events and `flush` say what may be lost.
        if (this.#stopped === undefined || this.#stopped.code === "closed" || this.#isRenewed) resolve();
        else reject(this.#stopped);
      });
    });
    return handled(room);
  }
}
