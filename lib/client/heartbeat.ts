/**
 * Detects a silent server: sends a PING after one heartbeat of silence, and gives up after two.
 *
 * @module
 */

import { Deadline } from "../deadline.ts";
import { HEARTBEAT_PARTS } from "./limits.ts";

/** What a heartbeat needs of its connection. */
export interface HeartbeatEvents {
  /** Nothing was received for one heartbeat. */
  sendPing(): void;
  /** Nothing was received for two. */
  timedOut(): void;
  /**
   * Whether this client has stopped reading. Then silence says nothing about the server: the heartbeat goes on sending
   * PINGs, so that the server does not time out, and never gives up.
   */
  isPaused(): boolean;
}

/** Counts the parts of a heartbeat in which nothing was received. `received` costs one assignment. */
export class Heartbeat {
  readonly #events: HeartbeatEvents;
  readonly #timer: ReturnType<typeof setInterval> | undefined;
  #silentParts = 0;
  #timeout: Deadline | undefined;

  /** @param seconds the heartbeat; 0 turns it off */
  constructor(seconds: number, events: HeartbeatEvents) {
    this.#events = events;
    if (seconds > 0) this.#timer = setInterval(this.#tick, (seconds * 1000) / HEARTBEAT_PARTS);
  }

  /** Something was received. */
  received(): void {
    this.#silentParts = 0;
  }

  /** Stops the timer. */
  stop(): void {
    clearInterval(this.#timer);
    this.#timeout?.stop();
  }

  readonly #tick = () => {
    this.#silentParts++;
    if (this.#silentParts === HEARTBEAT_PARTS) {
      this.#events.sendPing();
    } else if (this.#silentParts >= 2 * HEARTBEAT_PARTS) {
      this.#timeout ??= new Deadline(0, this.#confirm); // not begun anew: a short heartbeat would put it off for ever
    }
  };

  /** Something may have come while this process was stopped, and has been read by now. */
  readonly #confirm = () => {
    this.#timeout = undefined;
    if (this.#silentParts < 2 * HEARTBEAT_PARTS) return;
    this.#silentParts = 0;
    if (this.#events.isPaused()) this.#events.sendPing();
    else this.#events.timedOut();
  };
}
