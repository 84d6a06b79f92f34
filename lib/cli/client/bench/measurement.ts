/**
 * Measures one workload: starts its two sides, lets them warm up, counts, and stops them.
 *
 * @module
 */

import process from "node:process";
import type { ConnectOptions } from "../../../client/options.ts";
import { ParleyError } from "../../../errors.ts";
import type { Answer, Counts, Order, Plan, Side, Storage } from "./plan.ts";
import type { Result } from "./report.ts";

/**
 * How long both sides run before anything is counted, in milliseconds: the engines at both ends compile first. A
 * measurement that is shorter than this warms up for as long as it takes.
 */
const WARM_UP_MS = 1_000;

/** How long a side may take to say what it has counted, in milliseconds. */
const STOP_MS = 2_000;

/** A measurement that is under way. */
export class Measurement implements Disposable {
  readonly #plan: Plan;
  readonly #sides: readonly [Thread, Thread];
  readonly #ended = Promise.withResolvers<never>();
  #storage: Storage | undefined;
  #channel = "";
  #startedMs: number | undefined;
  #startedUs = 0;

  /** Starts the threads. */
  constructor(plan: Plan) {
    this.#plan = plan;
    this.#sides = [new Thread(), new Thread()];
    this.#ended.promise.catch(() => {}); // nothing need be waiting for it
  }

  /** Milliseconds that have been measured; negative during the warm-up, undefined before it. */
  get elapsedMs(): number | undefined {
    return this.#startedMs === undefined ? undefined : performance.now() - this.#startedMs;
  }

  /** Messages received or answered so far. */
  get messages(): number {
    return Math.max(...this.#sides.map(({ messages }) => messages));
  }

  /**
   * Connects, warms up, calls `onCounting`, and measures for `durationMs`.
   *
   * @throws {ParleyError} if a side fails, or the measurement is disposed of
   */
  async run(
    connect: ConnectOptions,
    channel: string,
    durationMs: number,
    onCounting: () => void,
  ): Promise<Result> {
    const [sender, receiver] = this.#sides;
    const failed = Promise.race([this.#ended.promise, ...this.#sides.map((side) => side.failed)]);
    const { port1, port2 } = new MessageChannel();
    const open = (thread: Thread, side: Side, port: MessagePort) =>
      thread.order({ type: "open", side, plan: this.#plan, channel, connect, storage: this.#storage, port }, [
        port,
      ]);
    open(receiver, "receive", port1);
    this.#storage = await Promise.race([receiver.ready, failed]);
    this.#channel = channel;
    open(sender, "send", port2);
    await Promise.race([sender.ready, failed]);
    const warmUpMs = Math.min(WARM_UP_MS, durationMs);
    this.#startedMs = performance.now() + warmUpMs;
    this.#all({ type: "start" });
    await atMost(warmUpMs, failed);
    this.#startedMs = performance.now();
    this.#startedUs = cpuMicroseconds();
    this.#all({ type: "count" });
    onCounting();
    await atMost(durationMs, failed);
    return (await this.stop(false))!;
  }

  /** Stops it; undefined if nothing has been measured. */
  async stop(isInterrupted: boolean): Promise<Result | undefined> {
    const ms = this.elapsedMs;
    if (ms === undefined || ms <= 0) return undefined;
    const cores = (cpuMicroseconds() - this.#startedUs) / 1000 / ms;
    this.#all({ type: "stop" });
    const counts = await atMost(STOP_MS, Promise.all(this.#sides.map(({ stopped }) => stopped)));
    if (counts === undefined) {
      throw new ParleyError("timed_out", "bench's own threads did not say what they have counted");
    }
    const [sent, received] = counts;
    const main = this.#plan.workload === "request" ? sent : received;
    return {
      plan: this.#plan,
      ...main,
      stored: this.#storage && { storage: this.#storage, channel: this.#channel },
      sending: sent.busy,
      receiving: received.busy,
      cores,
      isInterrupted,
    };
  }

  /** Ends the threads, and their connections with them. `run` rejects if it has not resolved. */
  [Symbol.dispose](): void {
    this.#ended.reject(new ParleyError("closed", "the measurement was stopped"));
    for (const side of this.#sides) side.end();
  }

  #all(order: Order): void {
    for (const side of this.#sides) side.order(order);
  }
}

/** Processor time of this process in microseconds. */
function cpuMicroseconds(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}

/** Resolves after `ms`, unless `promise` rejects or resolves before. */
async function atMost<T>(ms: number, promise: Promise<T>): Promise<T | undefined> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const over = new Promise<undefined>((resolve) => timer = setTimeout(() => resolve(undefined), ms));
  try {
    return await Promise.race([promise, over]);
  } finally {
    clearTimeout(timer);
  }
}

/** The thread of one side. */
class Thread {
  /** As it was told last. */
  messages = 0;
  /** With how the server stores the channel, as far as the side knows. */
  readonly ready: Promise<Storage | undefined>;
  readonly stopped: Promise<Counts>;
  /** Rejects when the side has failed. Never resolves. */
  readonly failed: Promise<never>;

  readonly #worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });

  constructor() {
    const ready = Promise.withResolvers<Storage | undefined>();
    const stopped = Promise.withResolvers<Counts>();
    const failed = Promise.withResolvers<never>();
    [this.ready, this.stopped, this.failed] = [ready.promise, stopped.promise, failed.promise];
    this.failed.catch(() => {});
    this.#worker.onmessage = ({ data }: MessageEvent<Answer>) => {
      switch (data.type) {
        case "ready":
          return ready.resolve(data.storage);
        case "progress":
          this.messages = data.messages;
          return;
        case "stopped":
          return stopped.resolve(data.counts);
        case "failed":
          failed.reject(new ParleyError(data.code, data.message));
      }
    };
    this.#worker.onerror = (event) => {
      event.preventDefault();
      failed.reject(new Error(event.message));
    };
  }

  order(order: Order, transfer: Transferable[] = []): void {
    this.#worker.postMessage(order, transfer);
  }

  end(): void {
    this.#worker.terminate();
  }
}
