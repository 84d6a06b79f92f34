/**
 * Reading what is stored: as a consumer that acknowledges everything, or from the first message.
 *
 * @module
 */

import type { Broker } from "../../brokers/broker.ts";
import type { Reader } from "../../brokers/stored/client.ts";
import { Meter } from "../../process_stats.ts";
import { Poller, RawSocket } from "../../sockets.ts";
import type { Read } from "../../workloads.ts";
import { payloadOf } from "../handshake.ts";
import type { Job, Result } from "../job.ts";
import { channelNames, executeAll, prepare, Producer } from "./producer.ts";
import { Pipeline } from "./store.ts";

/** How long messages are stored before they are read. What a server has stored by then is what is read. */
export const PRELOAD_SECONDS = 4;
const PRELOAD = { burst: 1024, window: 32_768 };
/** The part of the messages that is read before the time runs. */
const WARM_UP = 0.25;
/** Without a message for this long, the measurement fails. */
const STUCK_MS = 5000;

/** Stores messages, then reads them; see `Read`. */
export function read(broker: Broker, { workload, port, pid }: Job<Read>): Result {
  const channels = channelNames(1);
  const payload = payloadOf(workload);
  prepare(broker, port, channels);
  const pipeline = new Pipeline(new Producer(broker, port, channels, { payload, ...PRELOAD }));
  pipeline.run(PRELOAD_SECONDS, workload.messages);
  pipeline.drain();
  const { stored } = pipeline.producer;

  const client = broker.newStoredClient!();
  const reader = workload.kind === "consume"
    ? client.consume!(channels[0], payload, workload.window)
    : client.replay!(channels[0], payload);
  const reading = new Reading(port, reader);
  reading.start();
  reading.until(Math.floor(stored * WARM_UP));
  const before = reader.received;
  const start = performance.now();
  const meter = new Meter(pid, Deno.pid);
  reading.until(stored);
  const elapsed = (performance.now() - start) / 1000;
  const [serverCores, generatorCores] = meter.cores();
  if (reader.received > stored) throw new Error(`${reader.received} messages came, ${stored} were stored`);
  return { value: (stored - before) / elapsed, serverCores, generatorCores };
}

/** A connection with a reader on it. */
export class Reading {
  readonly #socket: RawSocket;
  readonly #reader: Reader;
  readonly #poller = new Poller();
  readonly #chunk = new Uint8Array(1024 * 1024);
  #filled = 0;

  constructor(port: number, reader: Reader) {
    this.#socket = RawSocket.connect(port);
    this.#reader = reader;
    executeAll(this.#socket, reader.setUp());
    this.#poller.add(this.#socket, 0);
  }

  /** Starts the delivery. */
  start(): void {
    this.#socket.sendAll(this.#reader.start());
  }

  /** Reads until `count` messages have come. */
  until(count: number): void {
    let lastMessage = performance.now();
    while (this.#reader.received < count) {
      if (this.#poller.wait(100) > 0 && this.#receive()) lastMessage = performance.now();
      if (performance.now() - lastMessage > STUCK_MS) {
        throw new Error(`lost ${count - this.#reader.received} of ${count} messages`);
      }
    }
  }

  /** Returns whether messages have come. */
  #receive(): boolean {
    const reader = this.#reader;
    const chunk = this.#chunk;
    const count = this.#socket.receive(chunk.subarray(this.#filled));
    if (count === 0) throw new Error("the server closed the reader's connection");
    if (count < 0) return false;
    const before = reader.received;
    this.#filled += count;
    const used = reader.receive(chunk, this.#filled);
    chunk.copyWithin(0, used, this.#filled);
    this.#filled -= used;
    if (reader.answerLength > 0) this.#socket.sendAll(reader.answer, reader.answerLength);
    reader.answerLength = 0;
    return reader.received > before;
  }
}
