/**
 * Which of the messages sent the server has taken, so that a client can say what a broken connection may have lost.
 *
 * A PONG confirms every frame sent before its PING. The PING carries how many messages that were; the server returns
 * it, so nothing needs to be remembered here.
 *
 * @module
 */

import { Type } from "../wire/header.ts";
import type { FrameWriter } from "./frame_writer.ts";
import { CONFIRM_MS } from "./limits.ts";

/** What is confirmed. */
export interface Sent {
  /** How many messages were sent. */
  readonly sent: number;
}

/** The confirmations of one connection. A message costs nothing. */
export class Confirmations {
  readonly #outbound: Sent;
  readonly #writer: Pick<FrameWriter, "frame">;
  #timer: ReturnType<typeof setInterval> | undefined;
  /** How many messages were sent before the last PING. */
  #asked = 0;
  #confirmed = 0;

  /** Confirms what `outbound` counts. */
  constructor(outbound: Sent, writer: Pick<FrameWriter, "frame">) {
    this.#outbound = outbound;
    this.#writer = writer;
  }

  /** How many messages the server is not known to have taken. */
  get unconfirmed(): number {
    return this.#outbound.sent - this.#confirmed;
  }

  /** Asks from now on, every second in which something was sent. */
  start(): void {
    this.#timer = setInterval(() => this.#ask(), CONFIRM_MS);
  }

  /** Asks no more. */
  stop(): void {
    clearInterval(this.#timer);
  }

  /** The server has taken the first `count` messages. */
  confirm(count: number): void {
    this.#confirmed = Math.max(this.#confirmed, count);
  }

  /** A PONG with the id 0. One of a heartbeat has no payload. */
  pongReceived(payload: Uint8Array): void {
    if (payload.length !== COUNT_BYTES) return;
    const view = new DataView(payload.buffer, payload.byteOffset, COUNT_BYTES);
    this.confirm(Math.min(Number(view.getBigUint64(0)), this.#asked));
  }

  #ask(): void {
    if (this.#outbound.sent === this.#asked) return;
    this.#asked = this.#outbound.sent;
    const payload = new Uint8Array(COUNT_BYTES);
    new DataView(payload.buffer).setBigUint64(0, BigInt(this.#asked));
    this.#writer.frame(Type.PING, 0, 0, 0, payload);
  }
}

/** A u64. */
const COUNT_BYTES = 8;
