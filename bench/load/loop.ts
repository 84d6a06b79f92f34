/**
 * Closed loop: each of many connections sends a request, waits for the answer, and sends the next one. The server
 * answers (`echo`), or one more connection does, through the server (`request`). Measures answers per second and
 * response times.
 *
 * @module
 */

import {
  type Broker,
  channelName,
  type Exchange,
  type ProtocolClient,
  type Responder,
} from "../brokers/broker.ts";
import { Meter } from "../process_stats.ts";
import { Poller, type RawSocket } from "../sockets.ts";
import { entranceOf, type Loop } from "../workloads.ts";
import { Histogram } from "./histogram.ts";
import type { Job, Result } from "./job.ts";
import { handshake, payloadOf, type Session } from "./handshake.ts";

const CHANNEL = channelName(0);
/** Without an answer for this long, the measurement fails. */
export const STUCK_MS = 5000;

/** A connection that sends requests. */
interface Requester {
  readonly socket: RawSocket;
  readonly client: ProtocolClient;
  readonly exchange: Exchange;
  /** When the request was sent, and how many bytes of its answer have been received. */
  sentAt: number;
  receivedBytes: number;
  /** Requests sent so far. */
  count: number;
}

/** Runs the workload; see the module's comment. */
export function loop(broker: Broker, { workload, port, pid, seconds, warmUpSeconds }: Job<Loop>): Result {
  const responder = workload.kind === "request" ? openResponder(broker, port, workload) : undefined;
  const requesters = Array.from({ length: workload.connections }, () => {
    return workload.kind === "request"
      ? openRequester(broker, port, workload)
      : openEcho(handshake(broker, port, entranceOf(workload.kind)), workload.payloadBytes);
  });
  const closedLoop = new ClosedLoop(requesters, responder);
  closedLoop.run(warmUpSeconds);
  closedLoop.restart();
  const meter = new Meter(pid, Deno.pid);
  const elapsed = closedLoop.run(seconds);
  const [serverCores, generatorCores] = meter.cores();
  const { latencies } = closedLoop;
  return {
    value: latencies.total / elapsed,
    latency: latencies.latency(),
    serverCores,
    generatorCores,
  };
}

/** A connection for echoes by the server itself. */
export function openEcho({ socket, client }: Session, payloadBytes: number): Requester {
  const open = client.openEcho!();
  if (open !== undefined) socket.execute(open);
  return {
    socket,
    client,
    exchange: client.echo!(payloadOf({ payloadBytes })),
    sentAt: 0,
    receivedBytes: 0,
    count: 0,
  };
}

function openRequester(broker: Broker, port: number, workload: Loop): Requester {
  const { socket, client } = handshake(broker, port);
  const open = client.openRequester!(CHANNEL);
  if (open !== undefined) socket.execute(open);
  const exchange = client.request!(CHANNEL, payloadOf(workload));
  return { socket, client, exchange, sentAt: 0, receivedBytes: 0, count: 0 };
}

function openResponder(broker: Broker, port: number, workload: Loop): ResponderConnection {
  const { socket, client } = handshake(broker, port);
  const open = client.openResponder!(CHANNEL);
  if (open !== undefined) socket.execute(open);
  return new ResponderConnection(socket, client, client.respond!(CHANNEL, payloadOf(workload)));
}

/** The connection that answers the requests of all the others. */
class ResponderConnection {
  readonly socket: RawSocket;
  readonly #client: ProtocolClient;
  readonly #responder: Responder;
  readonly #requests = new Uint8Array(256 * 1024);
  readonly #answers = new Uint8Array(256 * 1024);
  #filled = 0;

  constructor(socket: RawSocket, client: ProtocolClient, responder: Responder) {
    this.socket = socket;
    this.#client = client;
    this.#responder = responder;
  }

  /** Answers all requests received. */
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
      const unsolicited = this.#client.unsolicitedAt?.(requests, at) ?? 0;
      at += unsolicited;
      if (unsolicited > 0) continue;
      if (at + requestBytes > this.#filled) break;
      length += this.#responder.answer(requests, at, this.#answers, length);
      at += requestBytes;
    }
    requests.copyWithin(0, at, this.#filled);
    this.#filled -= at;
    if (length > 0) this.socket.sendAll(this.#answers, length);
  }
}

/** Another connection that works beside the closed loop. */
export interface Beside {
  readonly socket: RawSocket;
  /** Something has come. */
  receive(): void;
  /** Called at least every millisecond. */
  advance(now: number): void;
}

const BESIDE = -2;

/** Drives all connections; see the module's comment. */
export class ClosedLoop {
  /** The response times. */
  latencies = new Histogram();
  readonly #requesters: Requester[];
  readonly #responder: ResponderConnection | undefined;
  readonly #poller = new Poller();
  readonly #chunk = new Uint8Array(4096);

  readonly #beside: Beside | undefined;

  constructor(requesters: Requester[], responder: ResponderConnection | undefined, beside?: Beside) {
    this.#requesters = requesters;
    this.#responder = responder;
    this.#beside = beside;
    if (beside !== undefined) this.#poller.add(beside.socket, BESIDE);
    if (responder !== undefined) this.#poller.add(responder.socket, -1);
    requesters.forEach(({ socket }, index) => this.#poller.add(socket, index));
    for (const requester of requesters) this.#send(requester, performance.now());
  }

  /** Forgets the response times so far. */
  restart(): void {
    this.latencies = new Histogram();
  }

  /**
   * Keeps all connections busy for `seconds`, and until an answer has come: the machine may stand still for longer.
   * Returns the seconds it really took.
   */
  run(seconds: number): number {
    const start = performance.now();
    const end = start + seconds * 1000;
    let now = start;
    let lastAnswer = now;
    let seen = this.latencies.total;
    while (now < end || this.latencies.total === 0) {
      this.#beside?.advance(now);
      const events = this.#poller.wait(this.#beside === undefined ? 10 : 1);
      for (let event = 0; event < events; event++) {
        const tag = this.#poller.tag(event);
        if (tag === BESIDE) this.#beside!.receive();
        else if (tag < 0) this.#responder!.answer();
        else this.#receive(this.#requesters[tag]);
      }
      now = performance.now();
      if (this.latencies.total > seen) lastAnswer = now;
      else if (now - lastAnswer > STUCK_MS) throw new Error(`no answer came for ${STUCK_MS / 1000} s`);
      seen = this.latencies.total;
    }
    return (now - start) / 1000;
  }

  #receive(requester: Requester): void {
    const count = requester.socket.receive(this.#chunk);
    if (count === 0) throw new Error("the server closed a connection");
    if (count < 0) return;
    requester.receivedBytes += count - this.#unsolicitedBytes(requester, count);
    if (requester.receivedBytes < requester.exchange.replyBytes) return;
    if (requester.receivedBytes > requester.exchange.replyBytes) {
      throw new Error(
        `expected the answer, got ${new TextDecoder().decode(this.#chunk.subarray(0, count))}`,
      );
    }
    const now = performance.now();
    this.latencies.add(now - requester.sentAt);
    this.#send(requester, now);
  }

  /** How many of the `count` bytes received are unsolicited; they can precede or follow the answer. */
  #unsolicitedBytes({ client, exchange, receivedBytes }: Requester, count: number): number {
    if (client.unsolicitedAt === undefined) return 0;
    const before = client.unsolicitedAt(this.#chunk, 0);
    const answerEnd = before + exchange.replyBytes - receivedBytes;
    return before + (count > answerEnd ? client.unsolicitedAt(this.#chunk, answerEnd) : 0);
  }

  #send(requester: Requester, now: number): void {
    const { socket, exchange } = requester;
    exchange.renew?.(requester.count++);
    requester.receivedBytes = 0;
    requester.sentAt = now;
    if (socket.send(exchange.request) < exchange.request.length) {
      throw new Error("the server does not read the requests of one connection");
    }
  }
}
