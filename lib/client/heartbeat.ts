/**
 * Notices silence: asks after one heartbeat of it, and gives up after two.
 *
 * @module
 */

import { HEARTBEAT_PARTS } from "./limits.ts";

/** What a heartbeat does with silence. */
export interface HeartbeatEvents {
  /** Nothing was heard for one heartbeat. */
  ask(): void;
  /** Nothing was heard for two. */
  giveUp(): void;
  /** Whether the silence is our own doing, because we do not read; then we keep asking, so that we are heard. */
  isHeld(): boolean;
}

/** Counts parts of a heartbeat without a sign of life; `heard` costs one assignment. */
export class Heartbeat {
  readonly #events: HeartbeatEvents;
  readonly #timer: ReturnType<typeof setInterval> | undefined;
  #silentParts = 0;

  /** @param seconds the heartbeat; 0 is none */
  constructor(seconds: number, events: HeartbeatEvents) {
    this.#events = events;
    if (seconds > 0) this.#timer = setInterval(this.#tick, (seconds * 1000) / HEARTBEAT_PARTS);
  }

  /** Something came. */
  heard(): void {
    this.#silentParts = 0;
  }

  /** Stops counting. */
  stop(): void {
    clearInterval(this.#timer);
  }

  readonly #tick = () => {
    this.#silentParts++;
    if (this.#silentParts === HEARTBEAT_PARTS) {
      this.#events.ask();
    } else if (this.#silentParts >= 2 * HEARTBEAT_PARTS) {
      this.#silentParts = 0;
      if (this.#events.isHeld()) this.#events.ask();
      else this.#events.giveUp();
    }
  };
}
