/**
 * Delivers messages of a consumer again, lowest sequence first.
 *
 * @module
 */

import { HEADER_BYTES } from "../../limits.ts";
import { u32 } from "../../wire/header.ts";
import { Work } from "../work_budget.ts";
import type { ConsumerContext, ConsumerSource } from "./consumer_context.ts";
import type { ConsumerMembers } from "./consumer_members.ts";
import { ReadAhead } from "./consumer_read_ahead.ts";
import type { Spans } from "./consumer_spans.ts";
import { skipMessages } from "./cursor.ts";
import { POSITION_BYTES } from "./delivery.ts";
import type { StoredRun } from "./log.ts";

/** The consumer whose messages they are. */
export interface Redelivering {
  /** Whether anything may be delivered. */
  mayDeliver(): boolean;
  /** When messages that are sent now are to be delivered again. */
  until(): number;
  /** These messages are stored no longer. */
  lose(from: number, to: number): void;
  /** Nothing is due any more. */
  done(): void;
  /** Reading failed. `run` must be called again. */
  failed(error: unknown): void;
}

/** See the module's comment. */
export class ConsumerRedelivery {
  readonly #members: ConsumerMembers;
  readonly #due: Spans;
  readonly #context: ConsumerContext;
  readonly #consumer: Redelivering;
  readonly #reads: ReadAhead;
  #isRunning = false;
  /** Whether it goes on in a later turn of the event loop. */
  #isPutOff = false;
  /** A message of the run that was sent from last, and its offset. */
  #run: StoredRun | undefined;
  #sequence = 0;
  #offset = 0;

  constructor(
    members: ConsumerMembers,
    due: Spans,
    source: ConsumerSource,
    context: ConsumerContext,
    consumer: Redelivering,
  ) {
    this.#members = members;
    this.#due = due;
    this.#context = context;
    this.#consumer = consumer;
    this.#reads = new ReadAhead(source, context.readAhead);
  }

  /** Delivers what is due, as far as there is room. */
  readonly run = () => {
    if (!this.#isRunning && !this.#isPutOff) void this.#deliver();
  };

  readonly #resume = () => {
    this.#isPutOff = false;
    this.run();
  };

  /** Drops what was read and not used for a while. */
  sweep(): void {
    if (!this.#isRunning) this.#run = undefined;
    this.#reads.sweep();
  }

  /** Drops all that was read. */
  drop(): void {
    this.#run = undefined;
    this.#reads.drop();
  }

  async #deliver(): Promise<void> {
    this.#isRunning = true;
    try {
      while (this.#due.length > 0 && this.#consumer.mayDeliver() && this.#members.hasFree) {
        const sequence = this.#due.from(0);
        const { last } = this.#reads;
        const run = this.#reads.find(sequence) ?? (await this.#reads.read(sequence, 1)).at(0);
        if (this.#due.length === 0 || this.#due.from(0) < sequence) continue; // it changed meanwhile
        if (run === undefined || run.first > sequence) {
          // What was stored during the read is still there.
          this.#consumer.lose(sequence, run === undefined ? last : run.first - 1);
        } else if (!this.#deliverFrom(run)) return;
      }
    } catch (error) {
      return this.#consumer.failed(error);
    } finally {
      this.#isRunning = false;
    }
    if (this.#due.length === 0) this.#consumer.done();
  }

  /** Delivers what is due of `run`. Returns false if the rest must wait. */
  #deliverFrom(run: StoredRun): boolean {
    const { budget } = this.#context;
    const { bytes } = run;
    const end = run.first + run.count;
    const until = this.#consumer.until();
    while (this.#due.length > 0 && this.#consumer.mayDeliver()) {
      const sequence = this.#due.from(0);
      if (sequence < run.first || sequence >= end) return true;
      if (budget.isSpent) {
        this.#isPutOff = true;
        budget.later(this.#resume);
        return false;
      }
      const at = this.#find(run, sequence);
      const to = at + HEADER_BYTES + u32(bytes, at + 4);
      const member = this.#members.next(to - at + POSITION_BYTES);
      if (member === undefined) return false;
      const deliveries = this.#due.deliveries(0);
      this.#due.removeUpTo(sequence);
      member.redeliver(bytes, at, to, sequence, deliveries, until);
      budget.spend(Work.SEND);
    }
    return true;
  }

  /** The offset of the message `sequence` in `run`. */
  #find(run: StoredRun, sequence: number): number {
    if (run !== this.#run || sequence < this.#sequence) {
      this.#run = run;
      this.#sequence = run.first;
      this.#offset = 0;
    }
    this.#offset = skipMessages(run.bytes, this.#offset, sequence - this.#sequence);
    this.#sequence = sequence;
    return this.#offset;
  }
}
