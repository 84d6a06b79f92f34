/**
 * A program that uses a server by its JavaScript library: publishes and iterates, or sends requests and responds. Both
 * ends are in this process, on two connections, so the library is what is measured.
 *
 * @module
 */

import { type Broker, channelName } from "../brokers/broker.ts";
import type { ConnectLibrary, LibraryClient } from "../clients/client.ts";
import { Meter } from "../process_stats.ts";
import type { LibraryRequests, LibraryStream } from "../workloads.ts";
import { Histogram } from "./histogram.ts";
import type { Job, Result } from "./job.ts";
import { payloadOf } from "./handshake.ts";

const CHANNEL = channelName(0);

/** Each library is loaded only in the process that measures it. */
const LIBRARIES: Readonly<Record<string, () => Promise<ConnectLibrary>>> = {
  parley: async () => (await import("../clients/parley.ts")).connectParley,
  nats: async () => (await import("../clients/nats.ts")).connectNats,
  redis: async () => (await import("../clients/redis.ts")).connectRedis,
  mosquitto: async () => (await import("../clients/mosquitto.ts")).connectMosquitto,
};

async function connect({ name }: Broker, port: number): Promise<LibraryClient> {
  return await (await LIBRARIES[name]())(port);
}

/** One end publishes, the other one receives. Result: messages received per second. */
export async function libraryStream(broker: Broker, job: Job<LibraryStream>): Promise<Result> {
  const { workload, port, pid, seconds, warmUpSeconds } = job;
  const client = await connect(broker, port);
  let received = 0;
  await client.receive(CHANNEL, () => received++);
  const payload = payloadOf(workload);
  let sent = 0;
  const run = async (seconds: number) => {
    const start = performance.now();
    const end = start + seconds * 1000;
    const before = received;
    while (performance.now() < end || received === before) {
      if (sent - received >= workload.window) {
        await turnOfLoop();
        continue;
      }
      await client.publish(CHANNEL, payload, workload.burst);
      sent += workload.burst;
    }
    return (received - before) / (performance.now() - start) * 1000;
  };
  await run(warmUpSeconds);
  const meter = new Meter(pid, Deno.pid);
  const value = await run(seconds);
  const [serverCores, generatorCores] = meter.cores();
  await allReceived(() => received, sent);
  return { value, serverCores, generatorCores };
}

/** One end sends requests, the other one responds. Result: replies per second, and response times. */
export async function libraryRequests(broker: Broker, job: Job<LibraryRequests>): Promise<Result> {
  const { workload, port, pid, seconds, warmUpSeconds } = job;
  const client = await connect(broker, port);
  await client.respond!(CHANNEL);
  const payload = payloadOf(workload);
  const run = async (seconds: number) => {
    const latencies = new Histogram();
    const start = performance.now();
    const end = start + seconds * 1000;
    await Promise.all(Array.from({ length: workload.underWay }, async () => {
      let now = performance.now();
      do {
        const sentAt = now;
        const length = await client.request!(CHANNEL, payload);
        if (length !== payload.length) throw new Error(`a reply of ${length} bytes to ${payload.length}`);
        now = performance.now();
        latencies.add(now - sentAt);
      } while (now < end);
    }));
    return { latencies, elapsed: (performance.now() - start) / 1000 };
  };
  await run(warmUpSeconds);
  const meter = new Meter(pid, Deno.pid);
  const { latencies, elapsed } = await run(seconds);
  const [serverCores, generatorCores] = meter.cores();
  return {
    value: latencies.total / elapsed,
    latency: latencies.latency(),
    serverCores,
    generatorCores,
  };
}

/** Everything that is ready is done, and sockets are polled. */
function turnOfLoop(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}

const DRAIN_MS = 10_000;

async function allReceived(received: () => number, sent: number): Promise<void> {
  const start = performance.now();
  while (received() < sent) {
    if (performance.now() - start > DRAIN_MS) {
      throw new Error(`lost ${sent - received()} of ${sent} messages`);
    }
    await turnOfLoop();
  }
}
