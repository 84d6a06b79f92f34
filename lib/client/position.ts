/**
 * Where a client is in a stored channel, and where it begins.
 *
 * @module
 */

import type { Opened } from "../wire/client_control.ts";
import type { Missing } from "./events.ts";
import type { StartingPoint } from "./options.ts";

/** The place of one session in one stored channel. */
export class Position {
  /** Names the series of sequences. */
  epoch: string;
  /** The sequence of the next message; 0 if it is not known yet. */
  next = 0;
  /** How often the next message was delivered before. */
  deliveriesBefore = 0;

  /** A channel whose POSITION has not come yet. */
  constructor(epoch: string) {
    this.epoch = epoch;
  }
}

/** A place that outlives its session: where the next one goes on. */
export interface Place {
  /** Names the series of sequences. */
  readonly epoch: string;
  /** The sequence after the last message seen. */
  readonly next: number;
}

/** `from` as OPEN has it; undefined for what is new. */
export function encodeFrom(from: StartingPoint | undefined): unknown {
  if (from === undefined || from === "new") return undefined;
  if (typeof from === "number") return { sequence: from };
  return from instanceof Date ? { time: from.toISOString() } : from;
}

/** The sequence that the first message will have, if it can be told; otherwise 0. */
export function expectedFirst(from: StartingPoint | undefined, { first = 0, last = 0 }: Opened): number {
  if (from === undefined || from === "new") return last + 1;
  if (from === "all") return first;
  if (from === "last" || from instanceof Date) return 0;
  const sequence = typeof from === "number" ? from : from.sequence;
  return sequence > last + 1 ? 0 : Math.max(first, sequence); // it may be long until it comes
}

/** What is missing if a subscription goes on with sequence `next` instead of where it `resume`s. */
export function missingAfter(
  resume: StartingPoint | undefined,
  channel: string,
  next: number,
): Missing | undefined {
  const isPlace = typeof resume === "object" && !(resume instanceof Date);
  return isPlace && next > resume.sequence ? { channel, from: resume.sequence, to: next - 1 } : undefined;
}

/** What is wrong with a `from`, if anything is. */
export function fromProblem(from: unknown): string | undefined {
  if (from === undefined || from === "new" || from === "all" || from === "last") return undefined;
  if (from instanceof Date) return Number.isNaN(from.getTime()) ? "a valid date" : undefined;
  const { sequence, epoch } = typeof from === "object" && from !== null
    ? from as { sequence?: unknown; epoch?: unknown }
    : { sequence: from };
  const isPlace = Number.isSafeInteger(sequence) && (sequence as number) >= 1 &&
    (epoch === undefined || typeof epoch === "string");
  return isPlace ? undefined : '"new", "all", "last", a sequence from 1 on, { sequence, epoch }, or a Date';
}
