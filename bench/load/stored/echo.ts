/**
 * Echoes while another connection stores messages: whether storing delays sessions that have nothing to do with it.
 *
 * @module
 */

import type { Broker } from "../../brokers/broker.ts";
import { Meter } from "../../process_stats.ts";
import type { StoreEcho } from "../../workloads.ts";
import type { Job, Result } from "../job.ts";
import { handshake } from "../handshake.ts";
import { ClosedLoop, openEcho } from "../loop.ts";
import { channelNames, prepare, Producer } from "./producer.ts";

const PAYLOAD = new Uint8Array(16).fill(0x61);
/** One burst in a millisecond is 100,000 messages a second. */
const BURST = 100;
const WINDOW = 20_000;
/** A server that stores less than this part of the rate has not done what is measured. */
const AT_LEAST = 0.95;

/** A closed loop of echoes beside a producer of a fixed rate; see `StoreEcho`. */
export function storeEcho(broker: Broker, job: Job<StoreEcho>): Result {
  const { workload, port, pid, seconds, warmUpSeconds } = job;
  const channels = channelNames(1);
  prepare(broker, port, channels);
  const producer = new Producer(broker, port, channels, { payload: PAYLOAD, burst: BURST, window: WINDOW });
  const requesters = Array.from(
    { length: workload.connections },
    () => openEcho(handshake(broker, port), workload.payloadBytes),
  );
  const start = performance.now();
  const loop = new ClosedLoop(requesters, undefined, {
    socket: producer.socket,
    receive: () => producer.receive(),
    advance(now) {
      producer.unblock();
      while (producer.canSend && producer.sent < (now - start) / 1000 * workload.rate) producer.send();
    },
  });
  loop.run(warmUpSeconds);
  loop.restart();
  const before = producer.stored;
  const meter = new Meter(pid, Deno.pid);
  const elapsed = loop.run(seconds);
  const [serverCores, generatorCores] = meter.cores();
  const rate = (producer.stored - before) / elapsed;
  if (rate < workload.rate * AT_LEAST) throw new Error(`stored ${Math.round(rate)} messages a second only`);
  return {
    value: loop.latencies.total / elapsed,
    latency: loop.latencies.latency(),
    serverCores,
    generatorCores,
  };
}
