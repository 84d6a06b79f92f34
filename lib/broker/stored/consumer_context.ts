/**
 * What a consumer needs of its surroundings, and what it says of itself.
 *
 * @module
 */

import type { WorkBudget } from "../work_budget.ts";
import type { ReadAheadTotal } from "./consumer_read_ahead.ts";
import type { CursorSource } from "./cursor.ts";
import type { DeliveredChannel } from "./delivery.ts";
import type { ConsumerState } from "./log.ts";
import type { Timers } from "./timers.ts";

/** What a consumer needs of its channel. */
export type ConsumerSource = CursorSource & DeliveredChannel;

/** What a consumer needs of its server. */
export interface ConsumerContext extends Timers {
  readonly budget: WorkBudget;
  /** The time of day, in milliseconds since 1970. */
  time(): number;
  /** Has the state of `consumer` taken for the next commit. */
  changed(consumer: { takeState(): ConsumerState }): void;
  /** What consumers of the server have read ahead. */
  readonly readAhead: ReadAheadTotal;
}

/** What a session's OPEN says of its consumer. */
export interface ConsumerOptions {
  /** How many messages may be on their way to this session. */
  readonly window: number;
  readonly exclusive: boolean;
  readonly ackSeconds: number;
  /** How often a message may be delivered before it is set aside; 0 for no limit. */
  readonly deliveries: number;
}

/** What an operator is told of a consumer. */
export interface ConsumerStats {
  /** Every message up to this sequence has been dealt with. */
  readonly position: number;
  /** The sequence of the first message that was not delivered yet. */
  readonly next: number;
  /** Messages on their way to sessions. */
  readonly outstanding: number;
  /** Messages to be delivered again, now. */
  readonly due: number;
  /** Messages that wait for the time of a NAK. */
  readonly delayed: number;
  readonly setAside: number;
  /** Messages that were not dealt with before retention removed them, or damage, since the server started. */
  readonly lost: number;
  readonly sessions: number;
  readonly isPaused: boolean;
}

/** Messages of a consumer that were set aside: one, or all. */
export type Which = number | "all";
