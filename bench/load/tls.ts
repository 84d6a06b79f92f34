/**
 * One publisher and one subscriber over TLS. Deno's own connections do it, for the C library has no TLS: the generator
 * works as hard as the server here, and its part of the work is the same for every server.
 *
 * @module
 */

import { type Ask, type Broker, channelName, type Speaker } from "../brokers/broker.ts";
import { Meter } from "../process_stats.ts";
import type { Stream } from "../workloads.ts";
import type { Job, Result } from "./job.ts";
import { payloadOf } from "./talk.ts";

const CHANNEL = channelName(0);
const HOST = "127.0.0.1";

/** Does the work; as `stream`, for one of each. */
export async function tlsStream(broker: Broker, job: Job<Stream>): Promise<Result> {
  const { work, pid, seconds, warmUpSeconds } = job;
  const subscriber = await greetSecurely(broker, job);
  const publisher = await greetSecurely(broker, job);
  await ask(subscriber.conn, subscriber.speaker.open(CHANNEL, true));
  await ask(publisher.conn, publisher.speaker.open(CHANNEL, false));

  const payload = payloadOf(work);
  const message = publisher.speaker.message(CHANNEL, payload);
  const deliveryBytes = publisher.speaker.delivery(CHANNEL, payload).length;
  const burst = new Uint8Array(message.length * work.burst);
  for (let at = 0; at < burst.length; at += message.length) burst.set(message, at);

  let sent = 0;
  let receivedBytes = 0;
  let roomAgain = () => {};
  const isDone = () => performance.now() >= end;
  const receive = async () => {
    const chunk = new Uint8Array(256 * 1024);
    while (!isDone()) {
      const count = await subscriber.conn.read(chunk);
      if (count === null) throw new Error("the server closed the subscriber's connection");
      receivedBytes += count;
      if (sent - receivedBytes / deliveryBytes < work.window) roomAgain();
    }
    roomAgain();
  };
  const send = async () => {
    while (!isDone()) {
      if (sent - receivedBytes / deliveryBytes < work.window) {
        for (let at = 0; at < burst.length;) at += await publisher.conn.write(burst.subarray(at));
        sent += work.burst;
      } else await new Promise<void>((resolve) => roomAgain = resolve);
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

async function greetSecurely(
  broker: Broker,
  { port, tls }: Job<Stream>,
): Promise<{ conn: Deno.Conn; speaker: Speaker }> {
  const speaker = broker.speak();
  const caCerts = [await Deno.readTextFile(tls!.ca)];
  let conn: Deno.Conn;
  if (speaker.tlsAfterLine) {
    const plain = await Deno.connect({ hostname: HOST, port });
    await answer(plain, (line) => line.at(-1) === 0x0a);
    conn = await Deno.startTls(plain, { hostname: HOST, caCerts });
  } else {
    conn = await Deno.connectTls({ hostname: HOST, port, caCerts });
  }
  await ask(conn, speaker.hello());
  return { conn, speaker };
}

async function ask(conn: Deno.Conn, question: Ask | undefined): Promise<void> {
  if (question === undefined) return;
  await conn.write(question.send);
  await answer(conn, question.isAnswered);
}

async function answer(conn: Deno.Conn, isWhole: (answer: Uint8Array) => boolean): Promise<void> {
  const chunk = new Uint8Array(64 * 1024);
  for (let filled = 0; !isWhole(chunk.subarray(0, filled));) {
    const count = await conn.read(chunk.subarray(filled));
    if (count === null) throw new Error("the server closed the connection");
    filled += count;
  }
}
