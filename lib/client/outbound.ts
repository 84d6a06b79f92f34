/**
 * Messages on their way out, and who waits until there is room for more.
 *
 * @module
 */

import { ParleyError } from "../errors.ts";
import type { Outbox } from "../net/outbox.ts";
import type { ContentKind, Payload } from "./api.ts";
import { MAX_PENDING_FACTOR } from "./limits.ts";
import type { FrameWriter } from "./payload.ts";

/** A promise that is resolved, for everybody: `publish` must not allocate where it need not wait. */
const RESOLVED = Promise.resolve();

/** The outgoing messages of one link. */
export class Outbound {
  /** How many messages were sent, requests not counted. */
  posted = 0;

  readonly #outbox: Outbox;
  readonly #writer: FrameWriter;
  readonly #maxPending: number;
  readonly #mustWait: () => void;
  #waiting = 0;
  /** Why nothing can be sent any more. */
  #over: ParleyError | undefined;

  /**
   * @param pendingBytes see `ConnectOptions.pendingBytes`
   * @param mustWait is told before somebody waits for room
   */
  constructor(outbox: Outbox, writer: FrameWriter, pendingBytes: number, mustWait: () => void) {
    this.#outbox = outbox;
    this.#writer = writer;
    this.#maxPending = pendingBytes * MAX_PENDING_FACTOR;
    this.#mustWait = mustWait;
  }

  /** Whether somebody waits for room. */
  get isWaiting(): boolean {
    return this.#waiting > 0;
  }

  /** Takes nothing more; those who wait are told when the connection is closed. */
  stop(over: ParleyError): void {
    this.#over = over;
  }

  /**
   * Queues a frame that no call waits for. Resolves at once while there is room for more, otherwise when there is.
   *
   * @throws {ParleyError} `too_large`, `bad_argument`, `limit`, or why it was stopped
   */
  post(type: number, id: number, channel: number, payload: Payload, kind?: ContentKind): Promise<void> {
    if (this.#over !== undefined) return handled(Promise.reject(this.#over));
    try {
      if (this.#outbox.pending > this.#maxPending) {
        const text = `${this.#outbox.pending} bytes wait to be written already; await what publish returns`;
        throw new ParleyError("limit", text);
      }
      this.#writer.write(type, id, channel, payload, kind);
    } catch (error) {
      return Promise.reject(error);
    }
    this.posted++;
    return this.#outbox.hasRoom(0) ? RESOLVED : this.#room();
  }

  #room(): Promise<void> {
    this.#waiting++;
    this.#mustWait();
    const room = new Promise<void>((resolve, reject) => {
      this.#outbox.whenRoom(() => {
        this.#waiting--;
        // After `close` what was queued is still written, and that is all a publisher was promised.
        if (this.#over === undefined || this.#over.code === "closed") resolve();
        else reject(this.#over);
      });
    });
    return handled(room);
  }
}

/** That the connection is over is told by `closed`: who does not await each message must not end for it. */
function handled(promise: Promise<void>): Promise<void> {
  promise.catch(() => {});
  return promise;
}
