/**
 * The memory of an idle session, and handshakes per second.
 *
 * @module
 */

import type { Broker, Command } from "../brokers/broker.ts";
import { Meter, residentBytes } from "../process_stats.ts";
import { Poller, RawSocket } from "../sockets.ts";
import type { Connect, Idle } from "../workloads.ts";
import type { Job, Result } from "./job.ts";
import { handshake } from "./handshake.ts";
import { STUCK_MS } from "./loop.ts";

/** Sessions opened before memory is first measured, for everything that the server sets up once. */
const WARM_UP_SESSIONS = 200;
/** Time for the server to finish its work after a handshake. */
const SETTLE_MS = 1000;

/** Opens many idle sessions and measures how much the server's memory grows. */
export async function idle(broker: Broker, { workload, port, pid }: Job<Idle>): Promise<Result> {
  const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
  const warmUp = Array.from({ length: WARM_UP_SESSIONS }, () => handshake(broker, port));
  for (const { socket } of warmUp) socket.close();
  await sleep(SETTLE_MS);
  const before = residentBytes(pid);
  for (let i = 0; i < workload.sessions; i++) handshake(broker, port);
  await sleep(SETTLE_MS);
  return { value: (residentBytes(pid) - before) / workload.sessions };
}

interface Attempt {
  readonly socket: RawSocket;
  readonly hello: Command;
  answer: Uint8Array;
}

/** Connects, completes the handshake and disconnects, repeatedly, on `atOnce` connections at a time. */
export function connect(
  broker: Broker,
  { workload, port, pid, seconds, warmUpSeconds }: Job<Connect>,
): Result {
  const poller = new Poller();
  const attempts: Attempt[] = [];
  const start = (tag: number) => {
    const socket = RawSocket.connect(port);
    const hello = broker.newClient().hello();
    attempts[tag] = { socket, hello, answer: new Uint8Array(0) };
    poller.add(socket, tag);
    socket.sendAll(hello.send);
  };
  const chunk = new Uint8Array(4096);
  /** Returns whether the handshake is complete. */
  const receive = (attempt: Attempt): boolean => {
    const count = attempt.socket.receive(chunk);
    if (count <= 0) throw new Error("the server closed the connection during the handshake");
    const answer = new Uint8Array(attempt.answer.length + count);
    answer.set(attempt.answer);
    answer.set(chunk.subarray(0, count), attempt.answer.length);
    attempt.answer = answer;
    return attempt.hello.isAnswered(answer);
  };
  /** Goes on until something is complete: while the whole machine stands still, nothing is measured. */
  const run = (seconds: number): { completed: number; elapsed: number } => {
    const started = performance.now();
    let completed = 0;
    for (let now = started; completed === 0 || now < started + seconds * 1000; now = performance.now()) {
      if (completed === 0 && now - started > seconds * 1000 + STUCK_MS) {
        throw new Error(`no handshake was completed for ${STUCK_MS / 1000} s`);
      }
      const events = poller.wait(10);
      for (let event = 0; event < events; event++) {
        const tag = poller.tag(event);
        if (!receive(attempts[tag])) continue;
        completed++;
        attempts[tag].socket.reset();
        start(tag);
      }
    }
    return { completed, elapsed: (performance.now() - started) / 1000 };
  };

  for (let tag = 0; tag < workload.atOnce; tag++) start(tag);
  run(warmUpSeconds);
  const meter = new Meter(pid, Deno.pid);
  const { completed, elapsed } = run(seconds);
  const [serverCores, generatorCores] = meter.cores();
  return { value: completed / elapsed, serverCores, generatorCores };
}
