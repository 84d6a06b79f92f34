/**
 * The web server: from a connection to the handler of a request.
 *
 * It listens nowhere itself. The server hands it connections, from listeners like its own, so that TLS, the certificate's
 * renewal and the limits of handshakes are the same.
 *
 * @module
 */

import { createServer, type IncomingMessage, type ServerOptions, type ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import {
  HTTP_IDLE_SECONDS,
  type Limits,
  MAX_HTTP_HEAD_BYTES,
  MAX_HTTP_READ_BYTES,
  SWEEP_MS,
} from "../limits.ts";
import { failure, type Log } from "../logging/log.ts";
import type { ReadScheduler } from "../net/read_scheduler.ts";
import type { Accepted } from "../net/listener.ts";
import { refuse, WebConnections } from "./connections.ts";
import type { Exchange, Readiness, Route, WebServices } from "./exchange.ts";
import { type HttpInjection, injectionInto } from "./injection.ts";
import { Origins, type ServedAs } from "./origins.ts";
import { HttpProblem, sendProblem } from "./problem.ts";
import { findRoute, routesOf } from "./routes.ts";
import type { StoredAccess } from "./stored_access.ts";
import { tokenOf } from "./token.ts";
import { WebSockets } from "./web_sockets.ts";
import type { SocketStream } from "./socket_stream.ts";

/** What a web server is made from. */
export interface WebOptions extends ServedAs {
  readonly needsTokens: boolean;
  readonly limits: Readonly<Limits>;
  readonly version: string;
  readonly log: Log;
}

/** What a started server hands to its web server. */
export interface WebHost {
  /** Decides which connection is read next. */
  readonly scheduler: ReadScheduler;
  accept(connection: Accepted): void;
  /** Its stored channels, if it has any. */
  readonly stored: StoredAccess | undefined;
  /** Why the store cannot be written, if it cannot. */
  storeProblem(): string | undefined;
  /** When the certificate in use is no longer valid; undefined without TLS. */
  certificateExpires(): Date | undefined;
}

/** See the module's comment. */
export class WebServer {
  readonly #log: Log;
  readonly #needsTokens: boolean;
  readonly #origins: Origins;
  readonly #connections: WebConnections;
  readonly #injection: HttpInjection;
  readonly #routes: readonly Route[];
  /** The paths of what a browser may be led to from anywhere. */
  readonly #pages: ReadonlySet<string>;
  readonly #webSockets: WebSockets;
  readonly #draining = new AbortController();
  readonly #closers: (() => Promise<void>)[] = [];
  readonly #timer: ReturnType<typeof setInterval>;
  #host: WebHost | undefined;

  constructor(options: WebOptions) {
    const { limits, log, needsTokens, version } = options;
    this.#log = log;
    this.#needsTokens = needsTokens;
    this.#origins = new Origins(options);
    this.#connections = new WebConnections(limits);
    const services: WebServices = {
      accept: (connection) => this.#host!.accept(connection),
      stored: () => this.#host?.stored,
      readiness: () => this.#readiness(),
      certificateExpires: () => this.#host?.certificateExpires(),
      needsTokens,
      limits,
      version,
      log,
      draining: this.#draining.signal,
      whenClosed: (close) => this.#closers.push(close),
    };
    this.#routes = routesOf(services);
    this.#pages = new Set(this.#routes.filter(({ access }) => access === "page").map(({ path }) => path));
    this.#webSockets = new WebSockets(services);
    // Deadlines are those of `connections.ts`: those of Node work with listeners of its own only.
    const http = createServer({
      maxHeaderSize: MAX_HTTP_HEAD_BYTES,
      keepAliveTimeout: HTTP_IDLE_SECONDS * 1000, // said in a header
      headersTimeout: 0,
      requestTimeout: 0,
      // Some clients offer HTTP/2 in the same way, and are content with HTTP/1.1.
      shouldUpgradeCallback: isForWebSocket,
    } as ServerOptions);
    this.#injection = injectionInto(http);
    http.on("request", (request, response) => this.#answer(request, response));
    http.on("checkContinue", (request, response) => this.#answer(request, response));
    http.on("upgrade", (request, stream, head) => this.#upgrade(request, stream, head));
    http.on("clientError", (error, stream) => this.#misunderstood(error, stream as unknown as SocketStream));
    this.#timer = setInterval(() => this.#connections.sweep(), SWEEP_MS);
  }

  /** Takes a connection of one of its listeners. */
  accepted(accepted: Accepted): void {
    const stream = this.#connections.accept(accepted, this.#host?.scheduler);
    if (stream !== undefined) this.#injection.open(stream);
  }

  /** The server has started. */
  serve(host: WebHost): void {
    this.#host = host;
  }

  /** No new work: the server is not ready from now on, event streams end, and connections end after their response. */
  drain(): void {
    if (this.#draining.signal.aborted) return;
    this.#draining.abort();
    this.#connections.drain();
  }

  /** Waits for what is under way until `deadline` resolves, and ends what is left. */
  async close(deadline: Promise<void>): Promise<void> {
    this.drain();
    await Promise.race([this.#connections.ended(), deadline]);
    clearInterval(this.#timer);
    await this.#connections.close();
    await this.#injection.close();
    await Promise.all(this.#closers.map((close) => close()));
  }

  #readiness(): Readiness {
    if (this.#draining.signal.aborted) return { status: "draining", reason: "the server is stopping" };
    if (this.#host === undefined) return { status: "starting", reason: "the server is starting" };
    const problem = this.#host.storeProblem();
    if (problem !== undefined) return { status: "failing", reason: problem };
    return { status: "ready" };
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.on("error", () => {}); // the peer is gone, and cannot be told
    request.on("error", () => {});
    const stream = this.#injection.streamOf(request);
    if (stream === undefined) return sendProblem(response, 403, FOREIGN.details);
    if (!this.#connections.began(stream, request, response)) return;
    try {
      await this.#route(request, response, stream);
    } catch (error) {
      this.#failed(error, request, response);
    }
  }

  async #route(request: IncomingMessage, response: ServerResponse, stream: SocketStream): Promise<void> {
    secure(response);
    const url = urlOf(request);
    const { method = "GET" } = request;
    const isPage = this.#pages.has(url.pathname);
    const origin = this.#origins.check(request, isPage);
    if (origin !== undefined) allow(response, origin);
    if (method === "OPTIONS") {
      response.writeHead(204, { "content-length": 0 }).end();
      return;
    }
    const route = findRoute(this.#routes, method, url.pathname);
    const token = route.access === "token" ? this.#tokenFor(request) : undefined;
    const exchange: Exchange = { request, response, url, address: stream.remoteAddress, token };
    await route.handler(exchange);
  }

  /** The token of a request for data, which must have one if the server needs tokens. */
  #tokenFor({ headers }: IncomingMessage): string | undefined {
    this.#checkReady();
    return tokenOf(headers.authorization, this.#needsTokens);
  }

  /** @throws {HttpProblem} 503 if there can be no session */
  #checkReady(): void {
    const readiness = this.#readiness();
    if (readiness.status !== "starting" && readiness.status !== "draining") return;
    throw new HttpProblem(503, {
      code: readiness.status === "draining" ? "shutting_down" : "starting",
      detail: `${readiness.reason}; try again later`,
      headers: { "retry-after": "1" },
    });
  }

  #failed(error: unknown, request: IncomingMessage, response: ServerResponse): void {
    // What is left of a large body would be read and thrown away, to keep the connection.
    const closes = !request.complete && hasLargeBody(request);
    if (error instanceof HttpProblem) {
      const { status, details } = error;
      sendProblem(response, status, closes ? { ...details, closes } : details);
      return;
    }
    const id = crypto.randomUUID();
    this.#log.error("internal error", {
      id,
      request: `${request.method} ${pathOf(request)}`,
      ...failure(error),
    });
    sendProblem(response, 500, {
      code: "internal",
      detail: `a fault of the server; its log has more under ${id}`,
      closes,
    });
  }

  #upgrade(request: IncomingMessage, duplex: Duplex, head: Uint8Array): void {
    duplex.on("error", () => {}); // the session on it hears of it as well
    const stream = this.#injection.streamOf(request);
    if (stream === undefined) return void duplex.destroy();
    try {
      const url = urlOf(request);
      this.#origins.check(request, false);
      this.#checkReady();
      this.#webSockets.open(request, url, { duplex, stream, head });
      this.#connections.upgraded(stream);
    } catch (error) {
      if (!(error instanceof HttpProblem)) this.#log.error("internal error", failure(error));
      const { status, details } = error instanceof HttpProblem ? error : FAULT;
      refuse(stream, status, details);
    }
  }

  #misunderstood(error: Error & { code?: string }, stream: SocketStream): void {
    if (error.code === "HPE_HEADER_OVERFLOW") {
      const detail = `the head of a request may have at most ${MAX_HTTP_HEAD_BYTES} bytes`;
      refuse(stream, 431, { code: "too_large", detail });
    } else if (error.code?.startsWith("HPE_")) {
      refuse(stream, 400, { code: "bad_request", detail: "what came is no request of HTTP/1.1" });
    } else {
      stream.destroy();
    }
  }
}

const FOREIGN = new HttpProblem(403, { code: "forbidden", detail: "connect to the port of the server" });
const FAULT = new HttpProblem(500, { code: "internal", detail: "a fault of the server; its log has more" });

function isForWebSocket({ headers }: IncomingMessage): boolean {
  return headers.upgrade?.toLowerCase() === "websocket";
}

/** What every response says to a browser. */
function secure(response: ServerResponse): void {
  response.setHeader(
    "content-security-policy",
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
      "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  );
  response.setHeader("x-content-type-options", "nosniff");
  response.setHeader("referrer-policy", "no-referrer");
  response.setHeader("cross-origin-opener-policy", "same-origin");
  response.setHeader("cross-origin-resource-policy", "same-origin");
}

/** Lets a page of `origin` read the response. */
function allow(response: ServerResponse, origin: string): void {
  response.setHeader("access-control-allow-origin", origin);
  response.setHeader("access-control-allow-methods", "GET, HEAD, POST, PUT, DELETE, OPTIONS");
  response.setHeader(
    "access-control-allow-headers",
    "authorization, content-type, last-event-id, idempotency-key, parley-headers, traceparent, tracestate",
  );
  response.setHeader("access-control-expose-headers", "parley-headers, idempotency-replayed, retry-after");
  response.setHeader("access-control-expose-headers", "idempotency-replayed, parley-headers, retry-after");
  response.setHeader("access-control-max-age", "600");
  response.setHeader("cross-origin-resource-policy", "cross-origin");
  response.setHeader("vary", "origin");
}

function hasLargeBody({ headers }: IncomingMessage): boolean {
  return headers["transfer-encoding"] !== undefined ||
    Number(headers["content-length"] ?? 0) > MAX_HTTP_READ_BYTES;
}

function pathOf({ url = "/" }: IncomingMessage): string {
  return url.replace(/\?.*/s, "").slice(0, 200);
}

/** @throws {HttpProblem} 400 if it is no path */
function urlOf({ url = "/" }: IncomingMessage): URL {
  const parsed = url.startsWith("/") ? URL.parse(`http://localhost${url}`) : null;
  if (parsed !== null) return parsed;
  throw new HttpProblem(400, { code: "bad_request", detail: "the target of a request must be a path" });
}
