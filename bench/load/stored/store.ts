/**
 * Storing: one producer that sends ahead of its receipts, or many that wait for each.
 *
 * @module
 */

import type { Broker } from "../../brokers/broker.ts";
import { Meter } from "../../process_stats.ts";
import { Poller } from "../../sockets.ts";
import type { Store, StoreLoop } from "../../workloads.ts";
import { payloadOf } from "../handshake.ts";
import { Histogram } from "../histogram.ts";
import type { Job, Result } from "../job.ts";
import { BareDisk } from "./disk.ts";
import { channelNames, prepare, Producer } from "./producer.ts";

/** Without a receipt for this long, the measurement fails. */
const STUCK_MS = 5000;

/** One producer, as fast as the window allows; see `Store`. */
export function store(broker: Broker, job: Job<Store>): Result {
  const { workload, port, pid, seconds, warmUpSeconds } = job;
  const channels = channelNames(workload.channels);
  prepare(broker, port, channels);
  const pipeline = new Pipeline(
    new Producer(broker, port, channels, { payload: payloadOf(workload), ...workload }),
  );
  pipeline.run(warmUpSeconds);
  const { producer } = pipeline;
  const before = producer.stored;
  const meter = new Meter(pid, Deno.pid);
  const elapsed = pipeline.run(seconds);
  const stored = producer.stored - before;
  const [serverCores, generatorCores] = meter.cores();
  pipeline.drain();
  return { value: stored / elapsed, serverCores, generatorCores };
}

/** Drives one producer at full speed. */
export class Pipeline {
  readonly producer: Producer;
  readonly #poller = new Poller();
  #lastReceipt = performance.now();
  #seen = 0;

  constructor(producer: Producer) {
    this.producer = producer;
    this.#poller.addSender(producer.socket, 0);
  }

  /**
   * Stores for `seconds`, and until a message is stored, or until `most` are; returns the seconds it really took.
   */
  run(seconds: number, most = Infinity): number {
    const start = this.#lastReceipt = performance.now();
    const before = this.producer.stored;
    let now = start;
    while ((now < start + seconds * 1000 || this.producer.stored === before) && this.producer.stored < most) {
      if (this.producer.canSend) this.producer.send();
      now = this.#wait(this.producer.canSend ? 0 : 10);
    }
    return (now - start) / 1000;
  }

  /** Completes the last burst, and waits for the receipts of all messages. */
  drain(): void {
    const { producer } = this;
    this.#lastReceipt = performance.now();
    while (producer.isWithinBurst || producer.stored < producer.sent) {
      if (producer.isWithinBurst && producer.canSend) producer.send();
      this.#wait(10);
    }
    if (producer.stored > producer.sent) throw new Error("more receipts came than messages were sent");
  }

  /** Handles what happens within `ms` milliseconds; returns the time. */
  #wait(ms: number): number {
    const events = this.#poller.wait(ms);
    for (let event = 0; event < events; event++) {
      if (this.#poller.isWritable(event)) this.producer.unblock();
      if (this.#poller.isReadable(event)) this.producer.receive();
    }
    const now = performance.now();
    const { stored } = this.producer;
    if (stored !== this.#seen) this.#lastReceipt = now;
    else if (now - this.#lastReceipt > STUCK_MS) throw new Error(`no receipt came for ${STUCK_MS / 1000} s`);
    this.#seen = stored;
    return now;
  }
}

/** Many producers on one channel, each of which waits for the receipt of its last message; see `StoreLoop`. */
export function storeLoop(broker: Broker, job: Job<StoreLoop>): Result {
  const { workload, port, pid, seconds, warmUpSeconds, dir } = job;
  const channels = channelNames(1);
  prepare(broker, port, channels);
  const pace = { payload: payloadOf(workload), burst: 1, window: 1 };
  const producers = Array.from(
    { length: workload.connections },
    () => new Producer(broker, port, channels, pace),
  );
  const bare = workload.kind === "store-one" ? new BareDisk(dir, pace.payload) : undefined;
  const sentAt = new Float64Array(producers.length);
  const poller = new Poller();
  producers.forEach(({ socket }, index) => poller.add(socket, index));
  const send = (index: number) => {
    sentAt[index] = performance.now();
    producers[index].send();
  };
  const run = (seconds: number) => {
    const times = new Histogram();
    bare?.restart();
    const start = performance.now();
    let now = start;
    let lastReceipt = start;
    while (now < start + seconds * 1000 || times.total === 0) {
      const events = poller.wait(10);
      now = performance.now();
      for (let event = 0; event < events; event++) {
        const index = poller.tag(event);
        const producer = producers[index];
        producer.receive();
        if (producer.stored < producer.sent) continue;
        lastReceipt = performance.now();
        times.add(lastReceipt - sentAt[index]);
        bare?.take();
        send(index);
      }
      if (now - lastReceipt > STUCK_MS) throw new Error(`no receipt came for ${STUCK_MS / 1000} s`);
    }
    return { times, elapsed: (now - start - (bare?.spentMs ?? 0)) / 1000 };
  };
  for (let index = 0; index < producers.length; index++) send(index);
  run(warmUpSeconds);
  const meter = new Meter(pid, Deno.pid);
  const { times, elapsed } = run(seconds);
  const [serverCores, generatorCores] = meter.cores();
  return {
    value: times.total / elapsed,
    latency: times.latency(),
    bareLatency: bare?.times.latency(),
    serverCores,
    generatorCores,
  };
}
