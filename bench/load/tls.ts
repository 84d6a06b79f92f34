/**
 * One publisher and one subscriber over TLS, on Deno's connections, because the C library has no TLS. So the generator
 * costs as much as the server, but the same for every server.
 *
 * @module
 */

import { type Broker, channelName, type Command, type ProtocolClient } from "../brokers/broker.ts";
import { Meter } from "../process_stats.ts";
import type { Stream } from "../workloads.ts";
import type { Job, Result } from "./job.ts";
import { payloadOf } from "./handshake.ts";

const CHANNEL = channelName(0);
const HOST = "127.0.0.1";

/** Runs the workload, as `stream` does for one publisher and one subscriber. */
export async function tlsStream(broker: Broker, job: Job<Stream>): Promise<Result> {
  const { workload, pid, seconds, warmUpSeconds } = job;
  const subscriber = await tlsHandshake(broker, job);
  const publisher = await tlsHandshake(broker, job);
  await execute(subscriber.conn, subscriber.client.open(CHANNEL, true));
  await execute(publisher.conn, publisher.client.open(CHANNEL, false));

  const payload = payloadOf(workload);
  const message = publisher.client.message(CHANNEL, payload);
  const deliveryBytes = publisher.client.delivery(CHANNEL, payload).length;
  const burst = new Uint8Array(message.length * workload.burst);
  for (let at = 0; at < burst.length; at += message.length) burst.set(message, at);

  let sent = 0;
  let receivedBytes = 0;
  let resume = () => {};
  const isDone = () => performance.now() >= end;
  const receive = async () => {
    const chunk = new Uint8Array(256 * 1024);
    while (!isDone()) {
      const count = await subscriber.conn.read(chunk);
      if (count === null) throw new Error("the server closed the subscriber's connection");
      receivedBytes += count;
      if (sent - receivedBytes / deliveryBytes < workload.window) resume();
    }
    resume();
  };
  const send = async () => {
    while (!isDone()) {
      if (sent - receivedBytes / deliveryBytes < workload.window) {
        for (let at = 0; at < burst.length;) at += await publisher.conn.write(burst.subarray(at));
        sent += workload.burst;
      } else await new Promise<void>((resolve) => resume = resolve);
    }
  };

  const end = performance.now() + (warmUpSeconds + seconds) * 1000;
  const flow = Promise.all([receive(), send()]);
  await Promise.race([flow, new Promise((resolve) => setTimeout(resolve, warmUpSeconds * 1000))]);
  const before = receivedBytes;
  const start = performance.now();
  const meter = new Meter(pid, Deno.pid);
  await flow;
  const [serverCores, generatorCores] = meter.cores();
  const elapsed = (performance.now() - start) / 1000;
  return { value: (receivedBytes - before) / deliveryBytes / elapsed, serverCores, generatorCores };
}

async function tlsHandshake(
  broker: Broker,
  { port, tls }: Job<Stream>,
): Promise<{ conn: Deno.Conn; client: ProtocolClient }> {
  const client = broker.newClient();
  const caCerts = [await Deno.readTextFile(tls!.ca)];
  let conn: Deno.Conn;
  if (client.tlsAfterLine) {
    const plain = await Deno.connect({ hostname: HOST, port });
    await answer(plain, (line) => line.at(-1) === 0x0a);
    conn = await Deno.startTls(plain, { hostname: HOST, caCerts });
  } else {
    conn = await Deno.connectTls({ hostname: HOST, port, caCerts });
  }
  await execute(conn, client.hello());
  return { conn, client };
}

async function execute(conn: Deno.Conn, command: Command | undefined): Promise<void> {
  if (command === undefined) return;
  await conn.write(command.send);
  await answer(conn, command.isAnswered);
}

async function answer(conn: Deno.Conn, isComplete: (answer: Uint8Array) => boolean): Promise<void> {
  const chunk = new Uint8Array(64 * 1024);
  for (let filled = 0; !isComplete(chunk.subarray(0, filled));) {
    const count = await conn.read(chunk.subarray(filled));
    if (count === null) throw new Error("the server closed the connection");
    filled += count;
  }
}
