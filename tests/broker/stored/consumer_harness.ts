/**
 * A consumer over a channel in memory, with sessions that have no connections and a clock that the test turns.
 *
 * Each message's payload is its sequence, so that every delivery shows whether its POSITION is right.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { ChannelCounts } from "../../../lib/broker/counters.ts";
import { Consumer } from "../../../lib/broker/stored/consumer.ts";
import type { ConsumerContext, ConsumerOptions } from "../../../lib/broker/stored/consumer_context.ts";
import type { Cursor, CursorSource } from "../../../lib/broker/stored/cursor.ts";
import type { ConsumerState, StoredRun } from "../../../lib/broker/stored/log.ts";
import { HEADER_BYTES } from "../../../lib/limits.ts";
import { encodeFrame, Type, u32 } from "../../../lib/wire/header.ts";
import { deliveriesBefore, firstSequence, SEQUENCE_FRAME_BYTES } from "../../../lib/wire/sequences.ts";
import { concat } from "../../harness/raw_client.ts";
import { FakePeer } from "../fake_peer.ts";
import { newBudget, turnOfLoop } from "../test_broker.ts";

/** The number of the channel. */
export const CHANNEL = 7;

/** One message that a session was sent. */
export interface Delivered {
  readonly sequence: number;
  /** How often it was delivered before, as its POSITION says; `undefined` for a first delivery. */
  readonly before: number | undefined;
}

/** A session of a consumer. */
export class ConsumerPeer extends FakePeer {
  /** What it was sent, until `read`. */
  readonly delivered: Delivered[] = [];
  /** How many POSITIONs it was sent. */
  positions = 0;
  /** Is told of each message. */
  onMessage: (message: Delivered) => void = () => {};
  #expected: number | undefined;
  #before: number | undefined;

  override send(bytes: Uint8Array, from: number, to: number): void {
    this.slices++;
    this.room -= to - from;
    let at = from;
    while (at < to) {
      const end = at + HEADER_BYTES + u32(bytes, at + 4);
      assert(end <= to, "a frame was cut");
      assertEquals(u32(bytes, at + 8), CHANNEL);
      if (bytes[at] === Type.POSITION) {
        this.positions++;
        this.#expected = firstSequence(bytes, at);
        this.#before = end - at > SEQUENCE_FRAME_BYTES ? deliveriesBefore(bytes, at, end) : undefined;
      } else {
        const sequence = Number(new TextDecoder().decode(bytes.subarray(at + HEADER_BYTES, end)));
        assertEquals(sequence, this.#expected, "the sequence is not the one that POSITION said");
        this.#expected = sequence + 1;
        const message = { sequence, before: this.#before };
        this.#before = undefined;
        this.delivered.push(message);
        this.onMessage(message);
      }
      at = end;
    }
  }

  /** What it was sent since the last call: the sequence, and `×n` if it was delivered n times before. */
  read(): string {
    return this.delivered.splice(0).map(({ sequence, before }) =>
      before === undefined ? `${sequence}` : `${sequence}×${before}`
    ).join(" ");
  }
}

/** A channel in memory. */
export class FakeSource implements CursorSource {
  readonly number = CHANNEL;
  readonly counts = new ChannelCounts();
  first = 1;
  last = 0;
  readonly live = new Set<Cursor>();
  runs: StoredRun[] = [];
  /** How often it was read. */
  reads = 0;
  /** What reading fails with, until it is `undefined` again. */
  error: Error | undefined;
  /** What is to be woken because its reading failed. */
  readonly failed: Pick<Cursor, "wake">[] = [];

  async read(from: number, maxBytes: number): Promise<readonly StoredRun[]> {
    this.reads++;
    await turnOfLoop();
    if (this.error !== undefined) throw this.error;
    const runs: StoredRun[] = [];
    let size = 0;
    for (const run of this.runs) {
      if (run.first + run.count <= Math.max(from, this.first)) continue;
      size += run.bytes.length;
      if (runs.length > 0 && size > maxBytes) break;
      runs.push(run);
    }
    return runs;
  }

  /** What went wrong besides: an assertion that failed while messages were delivered. */
  broken: unknown;

  readFailed(error: unknown, reader: Pick<Cursor, "wake">): void {
    if (error !== this.error) this.broken ??= error;
    this.failed.push(reader);
  }

  /** Stores a run of `count` messages. */
  append(count: number): void {
    const first = this.last + 1;
    const frames = Array.from({ length: count }, (_, i) => message(first + i));
    const run = { first, count, bytes: concat(frames) };
    this.runs.push(run);
    for (const cursor of this.live) cursor.offer(run);
    this.last += count;
  }

  /** Removes the messages before `first`. */
  trim(first: number): void {
    this.first = first;
    this.runs = this.runs.filter((run) => run.first + run.count > first);
  }
}

function message(sequence: number): Uint8Array {
  const payload = new TextEncoder().encode(`${sequence}`);
  return encodeFrame({ type: Type.MESSAGE, channel: CHANNEL, sender: 99 }, payload);
}

/** What a test may choose. */
export interface Choices extends Partial<Omit<ConsumerState, "channel" | "consumer">> {
  readonly isNew?: boolean;
  /** How many messages are stored before there is a consumer, in one run. */
  readonly stored?: number;
  readonly perTurn?: number;
}

/** See the module's comment. */
export class ConsumerHarness {
  readonly source = new FakeSource();
  consumer: Consumer;
  readonly context: ConsumerContext;
  /** The clock, in milliseconds. */
  now = 1_000_000;
  /** How often the state was asked to be stored. */
  changes = 0;
  readonly #timers = new Map<symbol, { readonly at: number; readonly call: () => void }>();
  #sweptAt = this.now;

  constructor(
    { isNew = false, stored = 0, perTurn, position = 0, isPaused = false, setAside = [] }: Choices = {},
  ) {
    this.context = {
      budget: newBudget(perTurn),
      now: () => this.now,
      time: () => 5_000_000 + this.now,
      after: (ms, call) => {
        const timer = Symbol();
        this.#timers.set(timer, { at: this.now + ms, call });
        return () => void this.#timers.delete(timer);
      },
      changed: () => void this.changes++,
      readAhead: { bytes: 0 },
    };
    if (stored > 0) this.source.append(stored);
    const state = { channel: CHANNEL, consumer: "/billing", position, isPaused, setAside };
    this.consumer = new Consumer(state, this.source, this.context, isNew);
  }

  /** How many timers run. */
  get timers(): number {
    return this.#timers.size;
  }

  /** The server starts again, with what is stored of the consumer now. */
  restart(): ConsumerState {
    const state = this.consumer.takeState();
    this.consumer.end();
    this.source.live.clear();
    this.consumer = new Consumer(state, this.source, this.context, false);
    return state;
  }

  /** A session opens the channel as the consumer. */
  async open(peer: number | ConsumerPeer, options: Partial<ConsumerOptions> = {}): Promise<ConsumerPeer> {
    const session = typeof peer === "number" ? new ConsumerPeer(peer) : peer;
    this.consumer.open(session, {
      window: 1024,
      exclusive: false,
      ackSeconds: 30,
      deliveries: 0,
      ...options,
    });
    await this.settle();
    return session;
  }

  /** Waits until all that can be read and delivered is. */
  async settle(): Promise<void> {
    for (let reads = -1; reads !== this.source.reads;) {
      reads = this.source.reads;
      for (let i = 0; i < 4; i++) await turnOfLoop();
    }
    if (this.source.broken !== undefined) throw this.source.broken;
  }

  /** Lets time pass, with the timers and sweeps that belong to it. */
  async pass(ms: number): Promise<void> {
    const end = this.now + ms;
    while (this.now < end) {
      let next = Math.min(end, this.#sweptAt + 1000);
      for (const { at } of this.#timers.values()) next = Math.min(next, at);
      this.now = Math.max(this.now, next);
      for (const [timer, { at, call }] of this.#timers) {
        if (at > this.now || !this.#timers.delete(timer)) continue;
        call();
      }
      if (this.now >= this.#sweptAt + 1000) {
        this.#sweptAt = this.now;
        this.consumer.sweep(this.now);
        for (const reader of this.source.failed.splice(0)) reader.wake();
      }
      await this.settle();
    }
  }
}
