/**
 * The connections of the web server: how many there may be, and how long each may take.
 *
 * Deadlines are counted in sweeps, once a second: a process that was stopped for a while does not miss what has arrived
 * meanwhile.
 *
 * @module
 */

import type { IncomingMessage, ServerResponse } from "node:http";
import {
  HTTP_BODY_SECONDS,
  HTTP_IDLE_SECONDS,
  HTTP_WRITE_SECONDS,
  type Limits,
  MAX_PIPELINED_REQUESTS,
  MAX_REJECTED_CONNECTIONS,
} from "../limits.ts";
import { ConnectionLimiter } from "../net/connection_limiter.ts";
import type { Accepted } from "../net/listener.ts";
import { problemBody, type ProblemDetails, titleOf } from "./problem.ts";
import type { ReadScheduler } from "../net/read_scheduler.ts";
import { SocketStream } from "./socket_stream.ts";

/**
 * head: a request is expected, or has come in part. body: its body is being read. answering: its response is being made.
 * upgraded: the connection is a WebSocket, which has deadlines of its own.
 */
type Phase = "head" | "body" | "answering" | "upgraded";

/** One connection. */
interface WebConnection {
  readonly stream: SocketStream;
  readonly headSeconds: number;
  phase: Phase;
  /** Sweeps since the phase began. */
  seconds: number;
  /** Sweeps since the peer took something of what is written. */
  stalled: number;
  sent: number;
  /** What had been received when the phase began. */
  receivedBefore: number;
  /** Requests that have no whole response yet. */
  requests: number;
}

/** See the module's comment. */
export class WebConnections {
  readonly #limits: Readonly<Limits>;
  readonly #limiter: ConnectionLimiter;
  readonly #all = new Map<SocketStream, WebConnection>();
  readonly #rejected = new Set<SocketStream>();
  #isDraining = false;

  constructor(limits: Readonly<Limits>) {
    this.#limits = limits;
    this.#limiter = new ConnectionLimiter(limits.connections, limits.connectionsPerAddress);
  }

  /**
   * Takes a connection, to be read when `scheduler` says so. Returns its stream, unless there are too many: then it is told
   * so, or just closed.
   */
  accept(accepted: Accepted, scheduler: ReadScheduler | undefined): SocketStream | undefined {
    const full = this.#limiter.acquire(accepted.address);
    if (full !== undefined) {
      this.#reject(accepted, full);
      return undefined;
    }
    const stream = new SocketStream(accepted, scheduler);
    this.#all.set(stream, {
      stream,
      headSeconds: Math.ceil(Math.max(0, this.#limits.handshakeMs - (accepted.agoMs ?? 0)) / 1000),
      phase: "head",
      seconds: 0,
      stalled: 0,
      sent: 0,
      receivedBefore: 0,
      requests: 0,
    });
    stream.ended.then(() => {
      this.#all.delete(stream);
      this.#limiter.release(accepted.address);
    });
    return stream;
  }

  /** How many there are. */
  get size(): number {
    return this.#all.size;
  }

  /** A request has come on `stream`. Returns false, and ends the connection, if too many wait there. */
  began(stream: SocketStream, request: IncomingMessage, response: ServerResponse): boolean {
    const connection = this.#all.get(stream);
    if (connection === undefined) return false;
    if (++connection.requests > MAX_PIPELINED_REQUESTS + 1) {
      stream.destroy();
      return false;
    }
    const { "content-length": length = "0", "transfer-encoding": encoding } = request.headers;
    begin(connection, length === "0" && encoding === undefined ? "answering" : "body");
    request.once("end", () => {
      if (connection.phase === "body") begin(connection, "answering");
    });
    response.once("close", () => {
      if (--connection.requests > 0 || connection.phase === "upgraded") return;
      begin(connection, "head");
      if (this.#isDraining) stream.destroySoon();
    });
    return true;
  }

  /** The connection is no longer one of HTTP. */
  upgraded(stream: SocketStream): void {
    const connection = this.#all.get(stream);
    if (connection !== undefined) begin(connection, "upgraded");
  }

  /** To be called once a second: ends connections that take too long. */
  sweep(): void {
    for (const connection of this.#all.values()) this.#check(connection);
  }

  #check(connection: WebConnection): void {
    const { stream, phase } = connection;
    if (phase === "upgraded" || stream.destroyed) return;
    connection.seconds++;
    if (stream.writableLength === 0 || stream.sent !== connection.sent) connection.stalled = 0;
    else connection.stalled++;
    connection.sent = stream.sent;
    if (connection.stalled > HTTP_WRITE_SECONDS) stream.destroy();
    else if (phase === "body" && connection.seconds > HTTP_BODY_SECONDS) {
      this.#late(connection, `the body of the request did not come within ${HTTP_BODY_SECONDS} s`);
    } else if (phase === "head") this.#checkHead(connection);
  }

  #checkHead(connection: WebConnection): void {
    const { stream, headSeconds, seconds, receivedBefore } = connection;
    const isIdle = stream.received === receivedBefore;
    if (isIdle && receivedBefore > 0) {
      if (seconds > HTTP_IDLE_SECONDS) stream.destroySoon();
    } else if (seconds > headSeconds) {
      if (isIdle) stream.destroySoon();
      else this.#late(connection, `the head of the request did not come within ${headSeconds} s`);
    }
  }

  #late({ stream, requests }: WebConnection, detail: string): void {
    // A response that has begun cannot become another one.
    if (requests > 1 || stream.writableLength > 0) stream.destroy();
    else refuse(stream, 408, { code: "timeout", detail });
  }

  /** Connections between two requests end now, others after their response. */
  drain(): void {
    this.#isDraining = true;
    for (const { stream, phase } of this.#all.values()) if (phase === "head") stream.destroySoon();
  }

  /** Ends what is left at once. Resolves when every connection is closed. */
  async close(): Promise<void> {
    for (const stream of [...this.#all.keys(), ...this.#rejected]) stream.destroy();
    await this.ended();
  }

  /** Resolves when every connection is closed. */
  async ended(): Promise<void> {
    while (this.#all.size + this.#rejected.size > 0) {
      await Promise.all([...this.#all.keys(), ...this.#rejected].map(({ ended }) => ended));
    }
  }

  #reject(accepted: Accepted, reason: string): void {
    if (this.#rejected.size >= MAX_REJECTED_CONNECTIONS) {
      accepted.socket.close();
      return;
    }
    const stream = new SocketStream(accepted);
    this.#rejected.add(stream);
    stream.ended.then(() => this.#rejected.delete(stream));
    refuse(stream, 503, { code: "server_full", detail: `${reason}; try again later` });
  }
}

function begin(connection: WebConnection, phase: Phase): void {
  connection.phase = phase;
  connection.seconds = 0;
  connection.receivedBefore = connection.stream.received;
}

/** Answers with a problem on a connection whose request was not understood or is not complete, and ends it. */
export function refuse(stream: SocketStream, status: number, details: ProblemDetails): void {
  if (!stream.writable) {
    stream.destroy();
    return;
  }
  stream.on("error", () => {});
  const body = problemBody(status, details);
  stream.write([
    `HTTP/1.1 ${status} ${titleOf(status)}`,
    "Content-Type: application/problem+json",
    `Content-Length: ${new TextEncoder().encode(body).length}`,
    ...Object.entries(details.headers ?? {}).map(([name, value]) => `${name}: ${value}`),
    "Connection: close",
    "",
    body,
  ].join("\r\n"));
  stream.destroySoon();
}
