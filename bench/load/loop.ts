/**
 * Many connections, each of which asks, waits for the answer, and asks again: how many answers a second, and how long
 * each took. The server answers by itself (`echo`), or passes question and answer on to and from one more connection
 * that answers (`request`).
 *
 * @module
 */

import { type Broker, channelName, type Exchange, type Responder, type Speaker } from "../brokers/broker.ts";
import { Meter } from "../process_stats.ts";
import { Poller, type RawSocket } from "../sockets.ts";
import type { Loop } from "../workloads.ts";
import { Histogram } from "./histogram.ts";
import type { Job, Result } from "./job.ts";
import { greet, payloadOf } from "./talk.ts";

const CHANNEL = channelName(0);
/** After so long without an answer, something is stuck. */
const STUCK_MS = 5000;

interface Asker {
  readonly socket: RawSocket;
  readonly speaker: Speaker;
  readonly exchange: Exchange;
  /** When the question went out, and what of its answer has come. */
  askedAt: number;
  answeredBytes: number;
  turn: number;
}

/** Does the work; see the module's comment. */
export function loop(broker: Broker, { work, port, pid, seconds, warmUpSeconds }: Job<Loop>): Result {
  const responder = work.kind === "request" ? respond(broker, port, work) : undefined;
  const askers = Array.from({ length: work.connections }, () => {
    return work.kind === "request" ? requester(broker, port, work) : echoed(broker, port, work);
  });
  const circle = new Circle(askers, responder);
  circle.run(warmUpSeconds);
  circle.waits = new Histogram();
  const meter = new Meter(pid, Deno.pid);
  const elapsed = circle.run(seconds);
  const [serverCores, generatorCores] = meter.cores();
  const { waits } = circle;
  return {
    value: waits.total / elapsed,
    latency: { p50: waits.quantile(0.5), p99: waits.quantile(0.99), p999: waits.quantile(0.999) },
    serverCores,
    generatorCores,
  };
}

function echoed(broker: Broker, port: number, work: Loop): Asker {
  const { socket, speaker } = greet(broker, port);
  const open = speaker.openEcho!();
  if (open !== undefined) socket.ask(open);
  return { socket, speaker, exchange: speaker.echo!(payloadOf(work)), askedAt: 0, answeredBytes: 0, turn: 0 };
}

function requester(broker: Broker, port: number, work: Loop): Asker {
  const { socket, speaker } = greet(broker, port);
  const open = speaker.openRequester!(CHANNEL);
  if (open !== undefined) socket.ask(open);
  const exchange = speaker.request!(CHANNEL, payloadOf(work));
  return { socket, speaker, exchange, askedAt: 0, answeredBytes: 0, turn: 0 };
}

function respond(broker: Broker, port: number, work: Loop): Answerer {
  const { socket, speaker } = greet(broker, port);
  const open = speaker.openResponder!(CHANNEL);
  if (open !== undefined) socket.ask(open);
  return new Answerer(socket, speaker, speaker.respond!(CHANNEL, payloadOf(work)));
}

/** The connection that answers the requests of all others. */
class Answerer {
  readonly socket: RawSocket;
  readonly #speaker: Speaker;
  readonly #responder: Responder;
  readonly #requests = new Uint8Array(256 * 1024);
  readonly #answers = new Uint8Array(256 * 1024);
  #filled = 0;

  constructor(socket: RawSocket, speaker: Speaker, responder: Responder) {
    this.socket = socket;
    this.#speaker = speaker;
    this.#responder = responder;
  }

  /** Answers all requests that have come. */
  answer(): void {
    const { requestBytes } = this.#responder;
    const requests = this.#requests;
    const count = this.socket.receive(requests.subarray(this.#filled));
    if (count === 0) throw new Error("the server closed the responder's connection");
    if (count < 0) return;
    this.#filled += count;
    let at = 0;
    let length = 0;
    while (at < this.#filled) {
      const stray = this.#speaker.strayAt?.(requests, at) ?? 0;
      at += stray;
      if (stray > 0) continue;
      if (at + requestBytes > this.#filled) break;
      length += this.#responder.answer(requests, at, this.#answers, length);
      at += requestBytes;
    }
    requests.copyWithin(0, at, this.#filled);
    this.#filled -= at;
    if (length > 0) this.socket.sendAll(this.#answers, length);
  }
}

/** Questions and answers going round. */
class Circle {
  /** How long the answers took. */
  waits = new Histogram();
  readonly #askers: Asker[];
  readonly #responder: Answerer | undefined;
  readonly #poller = new Poller();
  readonly #chunk = new Uint8Array(4096);

  constructor(askers: Asker[], responder: Answerer | undefined) {
    this.#askers = askers;
    this.#responder = responder;
    if (responder !== undefined) this.#poller.add(responder.socket, -1);
    askers.forEach(({ socket }, index) => this.#poller.add(socket, index));
    for (const asker of askers) this.#ask(asker, performance.now());
  }

  /** Keeps all asking for `seconds`; returns how many seconds it really was. */
  run(seconds: number): number {
    const start = performance.now();
    const end = start + seconds * 1000;
    let now = start;
    let lastAnswer = now;
    while (now < end) {
      const events = this.#poller.wait(10);
      for (let event = 0; event < events; event++) {
        const tag = this.#poller.tag(event);
        if (tag < 0) this.#responder!.answer();
        else this.#take(this.#askers[tag]);
      }
      now = performance.now();
      if (events > 0) lastAnswer = now;
      else if (now - lastAnswer > STUCK_MS) throw new Error(`no answer came for ${STUCK_MS / 1000} s`);
    }
    return (now - start) / 1000;
  }

  #take(asker: Asker): void {
    const count = asker.socket.receive(this.#chunk);
    if (count === 0) throw new Error("the server closed a connection");
    if (count < 0) return;
    asker.answeredBytes += count - this.#strayBytes(asker, count);
    if (asker.answeredBytes < asker.exchange.answerBytes) return;
    if (asker.answeredBytes > asker.exchange.answerBytes) {
      throw new Error(
        `instead of the answer came ${new TextDecoder().decode(this.#chunk.subarray(0, count))}`,
      );
    }
    const now = performance.now();
    this.waits.add(now - asker.askedAt);
    this.#ask(asker, now);
  }

  /** How much of the `count` bytes that came is no part of the answer; it can stand before it or after. */
  #strayBytes({ speaker, exchange, answeredBytes }: Asker, count: number): number {
    if (speaker.strayAt === undefined) return 0;
    const before = speaker.strayAt(this.#chunk, 0);
    const answerEnd = before + exchange.answerBytes - answeredBytes;
    return before + (count > answerEnd ? speaker.strayAt(this.#chunk, answerEnd) : 0);
  }

  #ask(asker: Asker, now: number): void {
    const { socket, exchange } = asker;
    exchange.renew?.(asker.turn++);
    asker.answeredBytes = 0;
    asker.askedAt = now;
    if (socket.send(exchange.question) < exchange.question.length) {
      throw new Error("the server does not read what one connection asks");
    }
  }
}
