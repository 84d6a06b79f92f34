/**
 * Sessions for their own sake: what one costs while it is silent, and how many can be begun in a second.
 *
 * @module
 */

import type { Ask, Broker } from "../brokers/broker.ts";
import { Meter, residentBytes } from "../process_stats.ts";
import { Poller, RawSocket } from "../sockets.ts";
import type { Connect, Idle } from "../workloads.ts";
import type { Job, Result } from "./job.ts";
import { greet } from "./talk.ts";

/** Greeted before the first look at the server's memory, for all it sets up once. */
const WARM_UP_SESSIONS = 200;
/** Time for the server to finish what it does after a greeting. */
const SETTLE_MS = 1000;

/** Holds many sessions that say nothing, and looks how much more memory the server has than before them. */
export async function idle(broker: Broker, { work, port, pid }: Job<Idle>): Promise<Result> {
  const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
  const warmUp = Array.from({ length: WARM_UP_SESSIONS }, () => greet(broker, port));
  for (const { socket } of warmUp) socket.close();
  await sleep(SETTLE_MS);
  const before = residentBytes(pid);
  for (let i = 0; i < work.sessions; i++) greet(broker, port);
  await sleep(SETTLE_MS);
  return { value: (residentBytes(pid) - before) / work.sessions };
}

interface Arrival {
  readonly socket: RawSocket;
  readonly hello: Ask;
  answer: Uint8Array;
}

/** Connects, greets and goes, a number of times at once, over and over. */
export function connect(broker: Broker, { work, port, pid, seconds, warmUpSeconds }: Job<Connect>): Result {
  const poller = new Poller();
  const arrivals: Arrival[] = [];
  const arrive = (tag: number) => {
    const socket = RawSocket.connect(port);
    const hello = broker.speak().hello();
    arrivals[tag] = { socket, hello, answer: new Uint8Array(0) };
    poller.add(socket, tag);
    socket.sendAll(hello.send);
  };
  const chunk = new Uint8Array(4096);
  /** Returns whether the arrival has been greeted. */
  const receive = (arrival: Arrival): boolean => {
    const count = arrival.socket.receive(chunk);
    if (count <= 0) throw new Error("the server closed the connection instead of greeting");
    const answer = new Uint8Array(arrival.answer.length + count);
    answer.set(arrival.answer);
    answer.set(chunk.subarray(0, count), arrival.answer.length);
    arrival.answer = answer;
    return arrival.hello.isAnswered(answer);
  };
  const run = (seconds: number): { greeted: number; elapsed: number } => {
    const start = performance.now();
    let greeted = 0;
    while (performance.now() < start + seconds * 1000) {
      const events = poller.wait(10);
      for (let event = 0; event < events; event++) {
        const tag = poller.tag(event);
        if (!receive(arrivals[tag])) continue;
        greeted++;
        arrivals[tag].socket.reset();
        arrive(tag);
      }
    }
    return { greeted, elapsed: (performance.now() - start) / 1000 };
  };

  for (let tag = 0; tag < work.atOnce; tag++) arrive(tag);
  run(warmUpSeconds);
  const meter = new Meter(pid, Deno.pid);
  const { greeted, elapsed } = run(seconds);
  const [serverCores, generatorCores] = meter.cores();
  return { value: greeted / elapsed, serverCores, generatorCores };
}
